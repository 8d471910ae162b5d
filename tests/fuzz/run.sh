#!/bin/bash
# Runs the fuzz targets, each for some seconds of its own, with address and undefined behaviour sanitizers; two at a time
# for each processor. A run of a minute or less begins with the same seed each time, so that what it finds is
# found again; longer ones do not.
#
# Usage: tests/fuzz/run.sh [SECONDS [TARGET...]]    (default: 60 seconds, all targets)
# Needs clang 14 with its runtime (Debian: clang, libclang-rt-14-dev); exits with 77 where they are not to be had.
# What was found new stays in build/fuzz/corpus; an input that crashes is left in build/fuzz/crashes, and belongs in
# tests/fuzz/corpus/TARGET once it is mended: the unit tests replay that.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/packages.sh
seconds=${1:-60}
shift $(($# > 0))
targets=("$@")
[ ${#targets[@]} -eq 0 ] && targets=(words recording dump core elf pclntab goscan runtimes maps options threads)

install_packages "${BUILD_PACKAGES[@]}" clang-14 libclang-rt-14-dev || { echo "no clang: skipped"; exit 77; }
log=$(mktemp)
if ! { cmake --preset fuzz && cmake --build --preset fuzz -j "$(nproc)" --target "${targets[@]/#/fuzz_}"; } >"$log" 2>&1; then
    cat "$log"
    exit 1
fi
rm -f "$log"
out=build/fuzz jobs=$(($(nproc) * 2)) seed=$((seconds <= 60))
mkdir -p "$out/crashes"

fuzz_one() {
    local target=$1 corpus=$out/corpus/$1 seeds=(tests/fuzz/corpus/"$1") dictionary=() longest=65536 folder
    mkdir -p "$corpus"
    case $target in
    recording | dump) seeds+=(tests/formats) ;;
    core) longest=196608 ;;   # of a program with threads
    goscan) longest=163840 ;; # what is read of a real program
    elf)
        mkdir -p "$out/seeds/elf"
        printf 'int f(int a){return a*3;}int main(int c,char**v){(void)v;return f(c);}\n' >"$out/seeds/f.c"
        clang-14 -g -O1 -o "$out/seeds/elf/exe" "$out/seeds/f.c"
        clang-14 -g -shared -fPIC -nostdlib -o "$out/seeds/elf/so" "$out/seeds/f.c"
        seeds+=("$out/seeds/elf")
        ;;
    esac
    [ -e "tests/fuzz/$target.dict" ] && dictionary=("-dict=tests/fuzz/$target.dict")
    for folder in "${!seeds[@]}"; do
        [ -d "${seeds[$folder]}" ] || unset "seeds[$folder]"
    done
    "$out/tests/fuzz/fuzz_$target" "${dictionary[@]}" -max_total_time="$seconds" -seed="$seed" -timeout=120 -rss_limit_mb=2048 \
        -max_len="$longest" -print_final_stats=1 -artifact_prefix="$out/crashes/$target-" "$corpus" "${seeds[@]}" \
        >"$out/$target.log" 2>&1
    local status=$?
    [ $status -ne 0 ] && tail -40 "$out/$target.log"
    awk -v target="$target" '/number_of_executed_units/ { n = $2 } / cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") c = $(i + 1) }
        END { printf "%-10s %9d inputs, %6d edges\n", target, n, c }' "$out/$target.log"
    return $status
}

failed=0
for ((i = 0; i < ${#targets[@]}; i++)); do
    [ $i -lt $jobs ] || wait -n || failed=1
    fuzz_one "${targets[i]}" &
done
for ((i = 0; i < jobs && i < ${#targets[@]}; i++)); do
    wait -n || failed=1
done
[ $failed -eq 0 ] && echo "no crash, no report of a sanitizer"
exit $failed
