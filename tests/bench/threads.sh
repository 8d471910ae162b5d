#!/bin/bash
# What it takes to see all native threads of a running program: leakspy report PID beside gdb and eu-stack. A thread
# of the program measures how long it does not run meanwhile. Prints a table; judges nothing.
#
# Usage: tests/bench/threads.sh [THREADS...]      (1000)
# Needs what tests/run.sh needs, and installs what is missing of: gdb, elfutils, time.
# LEAKSPY: the command (build/default/analyzer/leakspy). ROUNDS: how often each is measured (5).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/packages.sh
. "$root/tests/packages.sh"
install_packages gcc gdb elfutils time
leakspy=${LEAKSPY:-$root/build/default/analyzer/leakspy}
rounds=${ROUNDS:-5}
[ $# -gt 0 ] || set -- 1000
[ -x "$leakspy" ] || { echo "$0: there is no $leakspy: build it first" >&2; exit 2; }
unset DEBUGINFOD_URLS

work=$(mktemp -d)
program=
trap '[ -z "$program" ] || kill -9 "$program" 2>/dev/null; rm -rf "$work"' EXIT
gcc -D_GNU_SOURCE -g -O2 -o "$work/threads_O2" "$root/tests/bench/threads.c" -pthread
gcc -D_GNU_SOURCE -g -O0 -o "$work/threads_O0" "$root/tests/bench/threads.c" -pthread

start() { # PROGRAM COUNT
    mkfifo "$work/in" "$work/out"
    "$work/$1" "$2" <"$work/in" >"$work/out" &
    program=$!
    exec 3>"$work/in" 4<"$work/out"
    rm "$work/in" "$work/out"
    read -r _ <&4
}
stop() {
    kill -9 "$program"
    wait "$program" 2>/dev/null || true
    program=
    exec 3>&- 4<&-
}
gap() {
    echo >&3
    read -r answer <&4
    echo "$answer"
}

median() { sort -n | awk '{ row[NR] = $1 } END { print row[int((NR + 1) / 2)] }'; }

# measure NAME COMMAND...: runs it some times; seconds, memory of the command, longest gap in the program.
measure() {
    local name=$1 i
    shift
    rm -f "$work"/{seconds,kib,gaps}
    for ((i = 0; i < rounds; i++)); do
        sleep 0.2
        gap >/dev/null
        if ! /usr/bin/time -q -o "$work/time" -f '%e %M' timeout 100 "$@" >"$work/answer" 2>"$work/errors"; then
            printf '| %-44s | did not work: %s |\n' "$name" "$(tail -n 1 "$work/errors")"
            return 0
        fi
        gap >>"$work/gaps"
        cut -d' ' -f1 "$work/time" >>"$work/seconds"
        cut -d' ' -f2 "$work/time" >>"$work/kib"
    done
    printf '| %-44s | %7.2f s | %7.1f MB | %9.1f ms | %9.1f ms |\n' "$name" "$(median <"$work/seconds")" \
        "$(awk -v k="$(median <"$work/kib")" 'BEGIN { print k / 1000 }')" "$(median <"$work/gaps")" \
        "$(sort -n "$work/gaps" | tail -n 1)"
}

look() { # PROGRAM COUNT WORDS
    start "$1" "$2"
    printf '\n%s threads, %s\n\n' "$2" "$3"
    printf '| %-44s | %9s | %10s | %12s | %12s |\n' 'what' 'takes' 'uses' 'gap' 'worst gap'
    echo '|---|---|---|---|---|'
    measure 'nothing (a fifth of a second)' sleep 0.2
    measure 'leakspy report PID' "$leakspy" report --threshold 0 "$program"
    grep -o '[0-9]* threads* w.* stopped for a moment.*' "$work/answer" >"$work/note" || true
    measure 'leakspy report PID --format json' "$leakspy" report --threshold 0 --format json "$program"
    measure 'eu-stack -p PID' eu-stack -p "$program"
    measure 'eu-stack -p PID -q (no names)' eu-stack -q -p "$program"
    measure 'gdb -p PID, thread apply all bt' gdb -nx -batch -p "$program" -ex 'thread apply all bt'
    [ ! -s "$work/note" ] || printf '\nleakspy says: %s\n' "$(cat "$work/note")"
    stop
}

echo "on $(nproc) CPUs, $(uname -r); medians of $rounds rounds; the memory is the command's, the gap is the program's"
for count; do
    look threads_O2 "$count" 'built with -O2'
    look threads_O0 "$count" 'built with -O0: frame pointers, which leakspy has to stop some of them for'
done
