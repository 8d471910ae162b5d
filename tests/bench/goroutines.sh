#!/bin/bash
# What it takes to see all goroutines of a running Go program: leakspy report PID beside what else there is. The
# program measures how long it stalls meanwhile, and how long it does when nothing happens for as long: a machine
# stalls programs by itself. Then, in turns, how long it stalls while it is reported, while another one that is its like
# is, while something copies memory, and while nothing happens. Prints tables; judges nothing.
#
# Usage: tests/bench/goroutines.sh [GOROUTINES...]      (1000000 10000; a million need 7 GB of memory)
# Needs what tests/run.sh needs, and installs what is missing of: golang-go 1.19, delve, curl, python3, time.
# LEAKSPY: the command (build/default/analyzer/leakspy). NEWEST: the other Go (1.27); a folder with
# bin/go in it, or a version for tests/go-toolchain.sh. ROUNDS: how often each is measured (3;
# what takes more than a minute is measured once; the turns are seven times as many).
set -eu
export LC_ALL=C # numbers with a point
root=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=tests/packages.sh
. "$root/tests/packages.sh"
install_packages golang-1.19-go delve curl python3 time
leakspy=${LEAKSPY:-$root/build/default/analyzer/leakspy}
newest=${NEWEST:-1.27}
rounds=${ROUNDS:-3}
[ $# -gt 0 ] || set -- 1000000 10000
[ -x "$leakspy" ] || { echo "$0: there is no $leakspy: build it first" >&2; exit 2; }

work=$(mktemp -d)
program='' other=''
leave() {
    local pid
    for pid in $program $other; do kill -9 "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap leave EXIT
if [ ! -x "$newest/bin/go" ]; then
    "$root/tests/go-toolchain.sh" "$newest"
    newest=$root/build/go/$newest
fi
build() { # GO NAME
    HOME=$work GO111MODULE=off GOFLAGS='' GOTOOLCHAIN=local CGO_ENABLED=0 GOCACHE=$work/cache \
        "$1" build -o "$work/$2" "$root/tests/bench/goroutines.go"
}
build /usr/lib/go-1.19/bin/go old
build "$newest/bin/go" new

start() { # PROGRAM COUNT
    mkfifo "$work/out"
    "$work/$1" -n "$2" >"$work/out" &
    program=$!
    read -r address <"$work/out"
    rm "$work/out"
}
stop() { # PID
    kill -9 "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}
stall() { curl -sS "http://$address/stall"; }

median() { sort -n | awk '{ row[NR] = $1 } END { print row[int((NR + 1) / 2)] }'; }

# longest FILE: median and largest of the stalls noted there.
longest() { printf '%7.1f ms | %7.1f ms' "$(median <"$work/$1")" "$(sort -n "$work/$1" | tail -n 1)"; }

# measure NAME COMMAND...: runs it some times; seconds, memory of the command, longest stall of the program with it, and
# with nothing.
measure() {
    local name=$1 i seconds
    shift
    rm -f "$work"/{seconds,kib,stalls,without}
    for ((i = 0; i < rounds; i++)); do
        sleep 1
        stall >/dev/null
        if ! /usr/bin/time -q -o "$work/time" -f '%e %M' timeout 300 "$@" >"$work/answer" 2>"$work/errors"; then
            printf '| %-44s | did not work: %s |\n' "$name" "$(tail -n 1 "$work/errors")"
            return 0
        fi
        stall | cut -d' ' -f1 >>"$work/stalls"
        seconds=$(cut -d' ' -f1 "$work/time")
        echo "$seconds" >>"$work/seconds"
        cut -d' ' -f2 "$work/time" >>"$work/kib"
        [ "${seconds%.*}" -lt 60 ] || i=$rounds
        sleep 1
        stall >/dev/null
        sleep "$seconds"
        stall | cut -d' ' -f1 >>"$work/without"
    done
    printf '| %-44s | %7.2f s | %7.1f MB | %s | %s |\n' "$name" "$(median <"$work/seconds")" \
        "$(awk -v k="$(median <"$work/kib")" 'BEGIN { print k / 1000 }')" "$(longest stalls)" "$(longest without)"
}

pprof() { curl -sSf -o /dev/null "http://$address/debug/pprof/$1"; }
export -f pprof

# shellcheck disable=SC2016
look() { # PROGRAM COUNT
    local version
    start "$1" "$2"
    version=$(strings -n 4 "$work/$1" | grep -m 1 -o '^go1\.[0-9.]*' || echo Go)
    printf '\n%s goroutines, %s, %s resident\n\n' "$2" "$version" "$(stall | cut -d' ' -f2-)"
    printf '| %-44s | %9s | %10s | %10s | %10s | %10s | %10s |\n' what takes uses stall worst without worst
    echo '|---|---|---|---|---|---|---|'
    measure 'leakspy report PID' "$leakspy" report --threshold 0 "$program"
    measure 'leakspy report PID --format json' "$leakspy" report --threshold 0 --format json "$program"
    export address
    measure 'pprof goroutine' bash -c 'pprof goroutine'
    measure 'pprof goroutine?debug=1' bash -c 'pprof goroutine?debug=1'
    measure 'pprof goroutine?debug=2' bash -c 'pprof goroutine?debug=2'
    if pprof goroutineleak 2>/dev/null; then
        measure 'pprof goroutineleak' bash -c 'pprof goroutineleak'
    fi
    if [ "$1" = old ]; then
        printf 'goroutines -group userloc\nexit\n' >"$work/delve"
        measure 'delve goroutines -group userloc' bash -c \
            'yes n | dlv attach --allow-non-terminal-interactive=true --init "$2" "$1"' - "$program" "$work/delve"
    fi
    compare_stalls "$1" "$2"
    stop "$program"
    program=
}

copier='
a = bytearray(b"x") * (1 << 26)
b = bytearray(a)
while True:
    b[:] = a'

# While as much is done to somebody else, the program stalls by what it shares with any other: processors, memory.
compare_stalls() { # PROGRAM COUNT
    local own_address=$address like seconds what i
    other=$program # what is started next is the program, until it is known
    start "$1" "$2"
    like=$program program=$other other=$like address=$own_address
    /usr/bin/time -q -o "$work/time" -f %e "$leakspy" report --threshold 0 "$program" >/dev/null
    seconds=$(awk '{ print ($1 < 0.05 ? 0.05 : $1) }' "$work/time")
    local names=('leakspy report of it' 'leakspy report of its like' 'something that copies memory' 'nothing')
    rm -f "$work"/turn-*
    for ((i = 0; i < rounds * 7 * ${#names[@]}; i++)); do
        what=$(((i + i / ${#names[@]}) % ${#names[@]})) # each after each other one
        sleep 1
        stall >/dev/null
        case $what in
        0) "$leakspy" report --threshold 0 "$program" >/dev/null ;;
        1) "$leakspy" report --threshold 0 "$other" >/dev/null ;;
        2) timeout "$seconds" python3 -c "$copier" || [ $? -eq 124 ] ;;
        3) sleep "$seconds" ;;
        esac
        stall | cut -d' ' -f1 >>"$work/turn-$what"
    done
    printf '\n| %-44s | %13s | %10s | %10s |\n|---|---|---|---|\n' "meanwhile ($((rounds * 7)) turns)" 'lower quarter' median worst
    for what in "${!names[@]}"; do
        printf '| %-44s | %10.1f ms | %s |\n' "${names[what]}" "$(sort -n "$work/turn-$what" | head -n $((rounds * 7 / 4 + 1)) | tail -n 1)" \
            "$(longest "turn-$what")"
    done
    stop "$other"
    other=
}

echo "on $(nproc) CPUs, $(uname -r); medians of $rounds rounds; the memory is the command's, the stall is the program's, and without\
 the command"
for count; do
    look new "$count"
    look old "$count"
done
