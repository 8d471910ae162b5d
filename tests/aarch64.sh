#!/bin/bash
# Builds for aarch64, on x86-64, what is prepared for it, and runs it under qemu-user: the unit tests of libtaskrt, with
# its context switch; and a program with the preload, whose recording the command is to understand as far as it goes
# (qemu-user has no process_vm_readv, so that the sampler sees no stacks). Debian's packages of aarch64 are unpacked in
# the build folder; nothing of them is installed.
#
# Usage: tests/aarch64.sh        (needs the command of the preset `default`, and builds it)
set -eu
cd "$(dirname "$0")/.."
. tests/packages.sh
install_packages "${BUILD_PACKAGES[@]}" gcc-aarch64-linux-gnu jq qemu-user

build=$PWD/build/aarch64 root=$PWD/build/aarch64-root
if [ ! -e "$root/complete" ]; then
    echo "== unpack the libraries"
    rm -rf "$root" && mkdir -p "$root"/apt/{state/lists,cache/archives}/partial && touch "$root/apt/status"
    apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State=$root/apt/state"
        -o "Dir::State::status=$root/apt/status" -o "Dir::Cache=$root/apt/cache" -o Debug::NoLocking=1)
    "${apt[@]}" update
    "${apt[@]}" -y --no-install-recommends --download-only install libc6-dev libcmocka-dev libdw-dev libelf-dev \
        libiberty-dev libjansson-dev libunwind-dev >/dev/null
    for package in "$root"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$root"; done
    rm -r "$root/apt" && touch "$root/complete"
fi

echo "== build"
qemu=(qemu-aarch64 -L "$root")
export PKG_CONFIG_SYSROOT_DIR=$root PKG_CONFIG_LIBDIR=$root/usr/lib/aarch64-linux-gnu/pkgconfig
cmake --preset default -B "$build" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_SYSROOT="$root" \
    -DCMAKE_CROSSCOMPILING_EMULATOR="/usr/bin/qemu-aarch64;-L;$root" \
    -DLEAKSPY_GO= -DLEAKSPY_TEST_GO= -DLEAKSPY_GCCGO= -DGCCGO= -DLEAKSPY_RUSTC= >"$root/log" 2>&1 || { cat "$root/log" && exit 1; }
tests=(task task_threads chan select sync fd fd_calls deadlock stack threads many races inspect)
cmake --build "$build" -j "$(nproc)" --target taskrt leakspy_preload e2e_parked "${tests[@]/#/runtime_}" >"$root/log" ||
    { cat "$root/log" && exit 1; }
unset PKG_CONFIG_SYSROOT_DIR PKG_CONFIG_LIBDIR
cmake --preset default >"$root/log" && cmake --build --preset default -j "$(nproc)" --target leakspy >"$root/log"

echo "== libtaskrt"
ctest --test-dir "$build" -R '^runtime_' -E '^runtime_pc$' --timeout 600 --output-on-failure

echo "== a recording"
recording=$root/parked.rec
rm -f "$recording"
mkfifo "$root/hold" 2>/dev/null || true
"${qemu[@]}" -E LD_PRELOAD="$build/preload/libleakspy.so" -E LEAKSPY_OUT="$recording" "$build/tests/e2e/parked" sem_wait park \
    <"$root/hold" >"$root/said" &
parked=$!
exec 9>"$root/hold"
trap 'kill "$parked" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
    grep -q ready "$root/said" && break
    sleep 0.1
done
sleep 1
build/default/analyzer/leakspy report --threshold 0 --all --format json "$recording" >"$root/report"
jq -e '[.groups[] | select(.op == "sem wait" and .count == 1 and (.spawn_stack | any(.function == "spawn_parked" and .line > 0)))]
       | length == 1' "$root/report" >/dev/null || { cat "$root/report" && exit 1; }
exec 9>&-
wait "$parked"
echo "the semaphore's wait and its spawn stack are recorded and told"
