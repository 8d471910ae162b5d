#!/bin/bash
# Installs what the tests need, builds, and runs all tests: everything in the preset `default`, the unit tests
# also in `asan` and `tsan`.
#
# Usage: tests/run.sh [PRESET...]      (default: default asan tsan)
# The last line says how many tests passed and failed; the exit status is 0 when none failed.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh

presets=("$@")
[ ${#presets[@]} -eq 0 ] && presets=(default asan tsan)

packages=("${BUILD_PACKAGES[@]}" gccgo-12 gdb golang-1.19-go golang-1.19-src libglib2.0-dev python3 redis-server
    redis-tools)
command -v rustc >/dev/null || packages+=(rustc)
redis_ran=$(pgrep -x redis-server)
install_packages "${packages[@]}" || exit 1
# Debian starts a server that it installs. The tests start their own.
if [ -z "$redis_ran" ] && pgrep -x redis-server >/dev/null; then
    service redis-server stop >/dev/null 2>&1 || sudo -n service redis-server stop >/dev/null 2>&1
fi

# Reads CTest's log and prints "PASSED FAILED SKIPPED": the cases of CMocka programs, and any other program as one.
count_results() {
    awk '
        /^[0-9]+\/[0-9]+ Testing: / { ok = bad = 0 }
        /^\[       OK \]/           { ok++ }
        /^\[  FAILED  \] [^0-9]/    { if (!seen[$0]++) bad++ }
        /^Test Passed\.$/           { passed += ok ? ok : 1; delete seen }
        /^Test Failed\.$/           { passed += ok; failed += bad ? bad : 1; delete seen }
        /^Test Skipped\.$/          { skipped++; delete seen }
        END                         { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

passed=0 failed=0 skipped=0 broken=0
for preset in "${presets[@]}"; do
    echo "== $preset: build"
    log=$(mktemp)
    if ! { cmake --preset "$preset" && cmake --build --preset "$preset" -j "$(nproc)"; } >"$log" 2>&1; then
        cat "$log"
        rm -f "$log"
        echo "$preset: the build failed"
        broken=1
        continue
    fi
    rm -f "$log"

    echo "== $preset: tests"
    run=()
    # ThreadSanitizer of GCC 12 needs fewer random bits in addresses than newer kernels use.
    [ "$preset" = tsan ] && setarch -R true 2>/dev/null && run=(setarch -R)
    # Most tests wait most of their time.
    "${run[@]}" ctest --preset "$preset" -j "$(($(nproc) * 2))" || broken=1
    read -r p f s < <(count_results "build/$preset/Testing/Temporary/LastTest.log")
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

[ "$skipped" -gt 0 ] && echo "$skipped skipped: something they need is not to be had here"
[ "$broken" -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
