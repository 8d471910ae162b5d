#!/bin/bash
# What leakspy says where the kernel's Yama module restricts who may look at a process (kernel.yama.ptrace_scope 1, 2
# and 3), as a user and as root, and of cores that a kernel wrote itself: tried in a virtual machine, since the setting
# is the whole machine's, and 3 lasts until the next boot. To be run by hand; it is no part of tests/run.sh.
#
# Usage: tests/yama.sh [BUILD]     (build/default, which it builds the parts in that it needs)
# Debian's kernel for clouds and a static busybox are downloaded and unpacked below build/yama, not installed; qemu
# emulates the processor in software, so that neither root nor KVM is needed. The guest has no disk and no network.
# Prints a row a check, and what was said where it is not as it should be. Takes about two minutes.
set -eu
cd "$(dirname "$0")/.."
. tests/packages.sh
install_packages "${BUILD_PACKAGES[@]}" golang-1.19-go qemu-system-x86

build=${1:-build/default}
[ -e "$build/build.ninja" ] || cmake --preset default >/dev/null
cmake --build "$build" -j "$(nproc)" --target leakspy leakspy_preload sample_server_gc_static sample_load \
    sample_lock_order_deadlock >/dev/null

folder=build/yama
mkdir -p "$folder/packages"
kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
(
    cd "$folder/packages"
    for package in "$kernel" busybox-static; do
        [ -d "$package" ] && continue
        apt-get -qq -o APT::Sandbox::User= download "$package"
        dpkg -x "$package"_*.deb "$package.new"
        mv "$package.new" "$package"
        rm -f "$package"_*.deb
    done
)
busybox=$PWD/$folder/packages/busybox-static/bin/busybox

# ---- what is in the guest ----

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp}
cp "$busybox" "$root/bin/"
cp "$build/analyzer/leakspy" "$build/preload/libleakspy.so" "$build/samples/lock_order_deadlock" "$build/samples/load" \
    "$root/bin/"
cp "$build/samples/server_gc_static" "$root/bin/server"
unwind=$(ldconfig -p | sed -n 's/.*libunwind\.so\.8 (libc6,x86-64) => //p' | head -n 1)
{
    echo "$unwind"
    ldd "$root"/bin/{leakspy,libleakspy.so,load,lock_order_deadlock} "$unwind" | grep -o '/[^ :]*\.so[^ :]*'
} | sort -u | while read -r library; do
    case $library in
    "$root"*) ;;
    *) mkdir -p "$root$(dirname "$library")" && cp -L "$library" "$root$library" ;;
    esac
done
printf 'root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n' >"$root/etc/passwd"

cat >"$root/init" <<'END'
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
ulimit -c unlimited
scope=/proc/sys/kernel/yama/ptrace_scope

# check WHO STATUS TEXT WORDS...: `leakspy WORDS` of root or of the user ends so, and says so.
check() {
    who=$1 status=$2 text=$3
    shift 3
    su -s /bin/sh "$who" -c "cd /tmp && exec leakspy $*" >/tmp/said 2>&1 </dev/null
    got=$?
    row="scope $(cat $scope), $who: leakspy $*: $text"
    if [ $got -eq "$status" ] && grep -qF -- "$text" /tmp/said; then
        echo "ok   $row"
    else
        echo "BAD  $row; it ended with $got and said:"
        cat /tmp/said
    fi
    rm -f /tmp/said
}

# start WHO COMMAND: it stays until it is killed; its standard input never ends.
start() {
    su -s /bin/sh "$1" -c "cd /tmp && exec $2" <>/tmp/stdin >/tmp/started 2>&1 &
    process=$! # su executes the shell, and that the command
    sleep 0.2
    while [ ! -s /tmp/started ]; do sleep 0.1; done
}
mkfifo -m 666 /tmp/stdin

start user "env GOTRACEBACK=crash server 8001"
go=$process
load 8001 50 >/dev/null
start user "lock_order_deadlock"
threads=$process
start root "server 8002"
roots=$process
load 8002 50 >/dev/null
echo # ends the line that the firmware began
leak="50 goroutines in chan send" cycle="DEADLOCKED" report="report --threshold 0"
sleep 2

# Where it is refused, the words say why, and what helps; the next rows show that this does.
one="ptrace_scope is 1, which lets only a parent look at a process; run leakspy as root, or 'sysctl kernel.yama.ptrace_scope=0'"
two="ptrace_scope is 2, which lets root alone look at processes; run leakspy as root"
three="ptrace_scope is 3, which forbids looking at processes until the next boot"
others="it belongs to user 0; run leakspy as that user or as root"

for number in 1 0 2 3; do
    echo $number >$scope
    case $number in
    0) refused= ;;
    1) refused=$one ;;
    2) refused=$two ;;
    3) refused=$three ;;
    esac
    if [ -n "$refused" ]; then
        check user 2 "$refused" $report "$go"
        check user 2 "$refused" $report "$threads"
    else
        check user 0 "$leak" $report "$go"
        check user 0 "$cycle" $report "$threads"
    fi
    if [ $number -lt 3 ]; then
        check user 2 "$others" $report "$roots"
        for process in "$go" "$roots"; do check root 0 "$leak" $report "$process"; done
        check root 0 "$cycle" $report "$threads"
    else
        check user 2 "$three" $report "$roots"
        check root 2 "$three" $report "$go"
        check root 2 "$three" $report "$threads"
    fi
done
END
cat >>"$root/init" <<'END'

# What needs no right to look at other processes: a recording, and a core.
echo /tmp/core.%p >/proc/sys/kernel/core_pattern
start user "leakspy run -o /tmp/threads.rec -- lock_order_deadlock"
sleep 2
check user 0 "$cycle" $report /tmp/threads.rec
kill -ABRT "$go"
kill -ABRT "$threads"
while kill -0 "$go" 2>/dev/null || kill -0 "$threads" 2>/dev/null; do sleep 0.1; done
check user 0 "$leak" $report "/tmp/core.$go"
check user 0 "main.sum " $report "/tmp/core.$go"
check user 0 "$cycle" $report "/tmp/core.$threads"
echo "end of checks"
poweroff -f
END
chmod +x "$root/init"
(cd "$root" && find . | "$busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$folder/initramfs.gz"

# ---- the guest ----

timeout 600 qemu-system-x86_64 -accel tcg -m 1024 -smp 2 -nographic -nic none -no-reboot \
    -kernel "$folder/packages/$kernel"/boot/vmlinuz-* -initrd "$folder/initramfs.gz" \
    -append "console=ttyS0 quiet loglevel=1 panic=-1 rdinit=/init" </dev/null >"$folder/console" || true
tr -d '\r' <"$folder/console" >"$folder/said"
sed -n '/^ok   \|^BAD  /,$p' "$folder/said"
good=$(grep -c '^ok   ' "$folder/said" || true)
bad=$(grep -c '^BAD  ' "$folder/said" || true)
if ! grep -q '^end of checks' "$folder/said"; then
    echo "the guest did not get to the end of its checks; it said:"
    cat "$folder/said"
    bad=$((bad + 1))
fi
echo "$good as it should be, $bad not ($kernel)"
[ "$bad" -eq 0 ]
