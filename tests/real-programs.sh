#!/bin/bash
# Programs that people run, bare and under the preload in turns: both must say the same, every recording must be
# read afterwards with nothing lost in it, and the throughput of both is shown.
#
# Usage: tests/real-programs.sh [NAME...]      (all of tests/real/NAME.sh)
# Needs what tests/run.sh needs, and installs what the programs are. A program that is not to be had is skipped.
# INSTALL=no: installs nothing; what is not here is skipped.
# PAIRS: how many pairs of runs (5). SECONDS_OF_LOAD: how long a load lasts, where one can choose (3).
# BUILD: where leakspy was built (build/default). KEEP=1 keeps the folder of a program that failed.
# Prints a row for each program: the median of the ratios preloaded/bare of the rates of all pairs, and their middle half.
# The exit status is 0 when all that ran said the same and lost nothing, 77 when nothing ran.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath "${BUILD:-$root/build/default}")
leakspy=$build/analyzer/leakspy
library=$build/preload/libleakspy.so
pairs=${PAIRS:-5}
export SECONDS_OF_LOAD=${SECONDS_OF_LOAD:-3}
# shellcheck source=tests/packages.sh
. "$root/tests/packages.sh"
# shellcheck source=tests/real/plumbing.sh
. "$root/tests/real/plumbing.sh"

if [ $# -eq 0 ]; then
    for file in "$root"/tests/real/*.sh; do
        [ "$file" = "$root/tests/real/plumbing.sh" ] || set -- "$@" "$(basename "$file" .sh)"
    done
fi
for file in "$leakspy" "$library"; do
    [ -e "$file" ] || { echo "$0: there is no $file: build it first" >&2; exit 2; }
done
to_be_had jq procps || exit 77

work=$(mktemp -d /tmp/leakspy-real.XXXXXX)
recordings=$(mktemp -d /dev/shm/leakspy-real.XXXXXX)
chmod 755 "$work"
chmod 1777 "$recordings"
cp "$library" "$work" # where other users may read it
library=$work/libleakspy.so
failed=0 skipped=0
clean_up() {
    rm -rf "$recordings"
    if [ -n "${KEEP:-}" ] && [ "$failed" -gt 0 ]; then
        echo "kept: $work"
    else
        rm -rf "$work"
    fi
}
trap clean_up EXIT

printf '%-12s | %12s | %14s | %16s | %10s | %8s | %4s\n' program 'bare' preloaded/bare 'middle half' recordings tasks lost
for name; do
    # shellcheck source=/dev/null
    (compare "$name")
    case $? in
    0) ;;
    77) skipped=$((skipped + 1)) ;;
    *) failed=$((failed + 1)) ;;
    esac
done
[ "$skipped" -gt 0 ] && echo "$skipped skipped"
[ "$failed" -gt 0 ] && echo "$failed failed"
[ "$failed" -eq 0 ] || exit 1
[ "$skipped" -lt $# ] || exit 77
