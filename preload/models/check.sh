#!/bin/bash
# Checks a model in all its states, and that each of its mutants fails: what cannot fail proves nothing.
#
# Usage: check.sh MODEL.pml...      Exit status: 0 all as it should be, 77 there is no spin
# A mutant is what the model becomes with -DMUTANT=N, for each N that it compares MUTANT with.
set -u
for needed in spin gcc; do
    command -v "$needed" >/dev/null || { echo "no $needed"; exit 77; }
done

folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT

# check MODEL N OPTIMIZE: prints what pan says. (To compile a mutant takes longer than to find it.) Memory and depth
# are bounded; reaching a bound is said there, and no success.
check() {
    local room
    room=$(mktemp -d "$folder/XXXXXX") &&
        cp "$1" "$room/model.pml" &&
        (cd "$room" && spin -DMUTANT="$2" -a model.pml >spin.log 2>&1 || { cat spin.log; exit 1; }) &&
        gcc "$3" -w -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -o "$room/pan" "$room/pan.c" &&
        (cd "$room" && ./pan -m1000000 2>&1)
}

failed=0
for model in "$@"; do
    name=$(basename "$model" .pml)
    check "$model" 0 -O2 >"$folder/said" & # beside the mutants
    while read -r mutant; do
        said=$(check "$model" "$mutant" -O0)
        if grep -q 'errors: [1-9]' <<<"$said"; then
            echo "$name: mutant $mutant is found: $(grep -m1 -o 'pan:1: .\{,60\}' <<<"$said")"
        else
            echo "$name: mutant $mutant is not found:"
            printf '%s\n' "$said"
            failed=1
        fi
    done < <(grep -o 'MUTANT [!=]= [0-9]*' "$model" | grep -o '[0-9]*$' | sort -nu)
    wait
    said=$(<"$folder/said")
    if grep -q 'errors: 0$' <<<"$said" && ! grep -q 'Search not completed\|too small\|out of memory' <<<"$said"; then
        echo "$name: holds in $(grep -o '[0-9.e+]* states, stored' <<<"$said" | cut -d' ' -f1) states"
    else
        echo "$name: does not hold, or not all states were seen:"
        printf '%s\n' "$said"
        failed=1
    fi
done
exit "$failed"
