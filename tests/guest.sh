# shellcheck shell=bash
# To be sourced, in the project's folder, by scripts that try what is the whole machine's: a virtual machine, and what
# is in it. qemu emulates the processor in software, so that neither root nor KVM is needed; Debian's kernel for clouds
# and a static busybox are downloaded and unpacked below build/guest, not installed. The guest has no disk and no network.
#
#   guest_prepare BUILD TARGET...    installs, builds and downloads what is missing
#   guest_take [NAME=]FILE...        puts programs and libraries into the guest's /bin, with what they load
#   guest_run NAME SECONDS ARG...    runs the checks that it reads from its standard input, a script for busybox's sh, in
#                                    a guest that has so much time and these arguments of qemu; prints their rows
#
# In the guest, to be called by the checks (guest_init has them):
#   row CONDITION-STATUS TEXT SAID   prints "ok" where it is 0, and else "BAD" and what was said, a file
#   start WHO COMMAND [FILE]         starts a program that stays, as root or user, and writes to the file. Its standard
#                                    input never ends. `process` is its id; it has written something when this returns
# A line of the guest "press in N" has the host press its power button, which nobody acts on, N seconds later.

guest_folder=build/guest
guest_root=$(mktemp -d)
guest_qemu=
trap '[ -z "$guest_qemu" ] || kill "$guest_qemu" 2>/dev/null; rm -rf "$guest_root"' EXIT

guest_prepare() {
    local build=$1 package
    shift
    install_packages "${BUILD_PACKAGES[@]}" golang-1.19-go qemu-system-x86
    [ -e "$build/build.ninja" ] || cmake --preset default >/dev/null
    cmake --build "$build" -j "$(nproc)" --target leakspy leakspy_preload "$@" >/dev/null

    mkdir -p "$guest_folder/packages"
    guest_kernel=$(apt-cache depends linux-image-cloud-amd64 |
        sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
    (
        cd "$guest_folder/packages" || exit
        for package in "$guest_kernel" busybox-static; do
            [ -d "$package" ] && continue
            apt-get -qq -o APT::Sandbox::User= download "$package"
            dpkg -x "$package"_*.deb "$package.new"
            mv "$package.new" "$package"
            rm -f "$package"_*.deb
        done
    )
    guest_busybox=$PWD/$guest_folder/packages/busybox-static/bin/busybox

    chmod 755 "$guest_root"
    mkdir -p "$guest_root"/{bin,dev,etc,proc,sys,tmp}
    printf 'root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n' >"$guest_root/etc/passwd"
    guest_take busybox="$guest_busybox" "$build/analyzer/leakspy" "$build/preload/libleakspy.so" \
        "$(ldconfig -p | sed -n 's/.*libunwind\.so\.8 (libc6,x86-64) => //p' | head -n 1)"
}

guest_take() {
    local file libraries library
    for file in "$@"; do
        case $file in
        *=*) cp "${file#*=}" "$guest_root/bin/${file%%=*}" ;;
        */libunwind.so*) ;;
        *) cp "$file" "$guest_root/bin/" ;;
        esac
        libraries=$(ldd "${file#*=}" 2>/dev/null | grep -o '/[^ :]*\.so[^ :]*' || true)
        case $file in */libunwind.so*) libraries="$libraries $file" ;; esac
        for library in $libraries; do
            mkdir -p "$guest_root$(dirname "$library")"
            cp -L "$library" "$guest_root$library"
        done
    done
}

guest_init() {
    cat <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs -o mode=1777 none /tmp
mount -t devtmpfs none /dev
mkdir -p /dev/shm
mount -t tmpfs -o mode=1777 none /dev/shm
ip link set lo up
echo 1 >/proc/sys/kernel/printk
mkfifo -m 666 /tmp/stdin

row() {
    if [ "$1" -eq 0 ]; then
        echo "ok   $2"
    else
        echo "BAD  $2; said:"
        cat "$3"
    fi
}

start() {
    written=${3:-/tmp/started}
    rm -f "$written"
    su -s /bin/sh "$1" -c "cd /tmp && exec $2" <>/tmp/stdin >"$written" 2>&1 &
    process=$! # su executes the shell, and that the command
    while [ ! -s "$written" ]; do sleep 0.1; done
}

echo # ends the line that the firmware began
END
}

guest_run() {
    local name=$guest_folder/$1 seconds=$2 pause good bad
    shift 2
    {
        guest_init
        cat
        printf '%s\n' 'echo "end of checks"' 'poweroff -f'
    } >"$guest_root/init"
    chmod +x "$guest_root/init"
    (cd "$guest_root" && find . | "$guest_busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$name.initramfs"

    rm -f "$name.monitor"
    mkfifo "$name.monitor"
    : >"$name.console"
    timeout "$seconds" qemu-system-x86_64 -accel tcg -m 1024 -smp 2 -display none -nic none -no-reboot "$@" \
        -serial "file:$name.console" -monitor stdio \
        -kernel "$guest_folder/packages/$guest_kernel"/boot/vmlinuz-* -initrd "$name.initramfs" \
        -append "console=ttyS0 quiet loglevel=1 panic=-1 rdinit=/init" <"$name.monitor" >"$name.log" 2>&1 &
    guest_qemu=$!
    tail -n +1 -s 0.2 -f --pid="$guest_qemu" "$name.console" | sed -un 's/^press in \([0-9]*\).*/\1/p' |
        while read -r pause; do sleep "$pause" && echo system_powerdown; done >"$name.monitor"
    wait "$guest_qemu" || true
    guest_qemu=
    tr -d '\r' <"$name.console" >"$name.said"
    sed -n '/^ok   \|^BAD  /,$p' "$name.said"
    good=$(grep -c '^ok   ' "$name.said" || true)
    bad=$(grep -c '^BAD  ' "$name.said" || true)
    if ! grep -q '^end of checks' "$name.said"; then
        echo "the guest did not get to the end of its checks; it said:"
        cat "$name.log" "$name.said"
        bad=$((bad + 1))
    fi
    echo "$good as it should be, $bad not ($guest_kernel)"
    [ "$bad" -eq 0 ]
}
