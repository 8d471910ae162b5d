#!/bin/bash
# Installs what the tests need, builds, and runs all tests, in stages:
#
#   default   everything, built by GCC: the unit tests, and whole programs under the preload
#   asan      the unit tests, built by clang, with AddressSanitizer and UBSan
#   tsan      the unit tests of what has threads, with ThreadSanitizer
#   clang     programs under the preload as clang compiles it
#   fuzz      the fuzz targets, a minute each (tests/fuzz/run.sh)
#   lint      clang-format, shellcheck and cppcheck (tests/lint.sh)
#   tidy      clang-tidy (the same)
#
# Usage: tests/run.sh [STAGE...]      (without: those that the table marks, in this order)
# Nothing is tried twice. What failed is said again at the end, with the end of its output, and how long each stage took.
# The last line says how many tests passed and failed, and how many were skipped if any was, whose names precede it; the
# exit status is 0 when none failed.
set -u
cd "$(dirname "$0")/.." || exit 1
. tests/packages.sh

# stage | runs when none is named | what runs it | packages that it needs, besides those to build
stages="
default | yes | run_preset | TEST_PACKAGES
asan    | yes | run_preset | TEST_PACKAGES CLANG_PACKAGES
tsan    | yes | run_preset | TEST_PACKAGES
clang   | yes | run_preset | TEST_PACKAGES CLANG_PACKAGES
fuzz    | yes | run_fuzz   | CLANG_PACKAGES
lint    | yes | run_lint   | LINT_PACKAGES
tidy    | yes | run_lint   | LINT_PACKAGES
"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=$scratch/failures skips=$scratch/skips times=$scratch/times
touch "$failures" "$skips" "$times"
passed=0 failed=0 skipped=0

# count PASSED FAILED SKIPPED: adds them up.
count() {
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# fail WHAT LOG: counts one failure, which will be said again at the end with the end of the log.
fail() {
    count 0 1 0
    { echo "FAILED $1" && tail -n 60 "$2" | sed 's/^/    /'; } >>"$failures"
}

# build PRESET...: configures and builds them.
build() {
    local preset
    for preset in "$@"; do
        cmake --preset "$preset" && cmake --build --preset "$preset" -j "$(nproc)" || return 1
    done
}

# Builds and tests the preset of that name.
run_preset() {
    local preset=$1 log=$scratch/$1.log junit=$scratch/$1.xml reports=$scratch/$1.report run=() started=$SECONDS
    local status counts builds=("$1")
    [ "$preset" = clang ] && builds+=(default) # whose programs and tests are given the other library
    echo "== $preset: build"
    if ! build "${builds[@]}" >"$log" 2>&1; then
        cat "$log"
        fail "$preset: the build" "$log"
        return
    fi
    echo "== $preset: built in $((SECONDS - started)) s, tests"

    # ThreadSanitizer of GCC 12 needs fewer random bits in addresses than newer kernels use.
    [ "$preset" = tsan ] && setarch -R true 2>/dev/null && run=(setarch -R)
    # A sanitizer writes to files: the sampler, of which it may have something to say, has no standard error.
    run=(env "ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$reports"
        "TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}log_path=$reports" "${run[@]}")
    # Most tests wait most of their time. Those that need the machine for themselves are marked RUN_SERIAL in CMake.
    "${run[@]}" ctest --preset "$preset" -j "$(($(nproc) * 2))" --timeout 300 --output-junit "$junit" \
        --test-output-size-passed 10000000 --test-output-size-failed 10000000 | tee "$log"
    status=${PIPESTATUS[0]}
    # CTest's own list says which were ended by a signal or by their limit of time.
    sed -n '/^The following tests FAILED:/,/^Errors while/p' "$log" >>"$failures"
    if ! counts=$(tests/results.py "$junit" "$preset" "$failures" "$skips"); then
        fail "$preset: the tests" "$log"
        return
    fi
    # shellcheck disable=SC2086
    set -- $counts
    [ "$status" -ne 0 ] && [ "$2" -eq 0 ] && fail "$preset: CTest" "$log"
    count "$1" "$2" "$3"
    # Also of a process whose status nobody looks at.
    if compgen -G "$reports.*" >/dev/null; then
        cat "$reports".* >"$log"
        fail "$preset: what sanitizers report" "$log"
    fi
}

# All targets are one test; where there is no clang, it is skipped.
run_fuzz() {
    local log=$scratch/fuzz.log
    tests/fuzz/run.sh 2>&1 | tee "$log"
    case ${PIPESTATUS[0]} in
    0) count 1 0 0 ;;
    77) count 0 0 1 && echo "skipped fuzz" >>"$skips" ;;
    *) fail "fuzz" "$log" ;;
    esac
}

# Each tool is a test. The one that takes minutes is a stage of its own.
run_lint() {
    local tool log tools=(clang-format scripts cppcheck)
    [ "$1" = tidy ] && tools=(clang-tidy)
    for tool in "${tools[@]}"; do
        log=$scratch/$tool.log
        if tests/lint.sh "$tool" >"$log" 2>&1; then
            count 1 0 0
        else
            cat "$log"
            fail "$1: $tool" "$log"
        fi
    done
}

# Installs what a stage needs; Debian starts a server that it installs: the tests start their own.
install_for() {
    local lists=("$@") list packages=("${BUILD_PACKAGES[@]}") redis_ran
    for list in "${lists[@]}"; do
        list="${list}[@]"
        packages+=("${!list}")
    done
    redis_ran=$(pgrep -x redis-server)
    install_packages "${packages[@]}" || return 1
    if [ -z "$redis_ran" ] && pgrep -x redis-server >/dev/null; then
        echo "stopping the redis-server that was started by installing it"
        service redis-server stop >/dev/null 2>&1 || sudo -n service redis-server stop >/dev/null 2>&1
    fi
}

wanted=("$@")
[ ${#wanted[@]} -gt 0 ] || mapfile -t wanted < <(awk '$3 == "yes" { print $1 }' <<<"$stages")
for stage in "${wanted[@]}"; do
    row=$(awk -v stage="$stage" '$1 == stage' <<<"$stages")
    [ -n "$row" ] || { echo "$0: there is no stage $stage" >&2 && exit 64; }
    IFS='|' read -r _ _ runner lists <<<"$row"
    started=$SECONDS
    echo "== $stage"
    # shellcheck disable=SC2086
    if install_for $lists 2>"$scratch/install.log"; then
        $runner "$stage"
    else
        cat "$scratch/install.log"
        fail "$stage: installing what it needs" "$scratch/install.log"
    fi
    printf '%-8s %4d s\n' "$stage" $((SECONDS - started)) >>"$times"
done

[ -s "$failures" ] && echo "== what failed" && cat "$failures"
echo "== how long it took"
cat "$times"
[ -s "$skips" ] && echo "== what was skipped: something it needs is not to be had here" && cat "$skips"
total="$passed passed, $failed failed"
[ "$skipped" -gt 0 ] && total+=", $skipped skipped"
echo "$total"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
