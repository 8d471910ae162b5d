#!/bin/bash
# What leakspy says when the machine's clock is set, forward and back, and when the machine sleeps (suspend to RAM, and
# to idle), while programs are recorded that are parked, with deadlines and without: tried in a virtual machine, since
# that is the whole machine's. And that the programs notice nothing of leakspy: one that waits in twenty ways, by every
# clock, says the same, bare and preloaded. To be run by hand; it is no part of tests/run.sh.
#
# Usage: tests/clocks.sh [BUILD]     (build/default, which it builds the parts in that it needs)
# See tests/guest.sh for what is downloaded. Prints a row a check, and what was said where it is not as it should be.
# Takes about five minutes.
#
# How it should be:
# - Ages go by CLOCK_MONOTONIC: a clock that is set does not change them, and the time that the machine slept is no part of
#   them. So no wait is told longer than the machine was awake since the program was started; and of a recording, none
#   shorter than since it was told first. But a sleep, which stops all programs, may begin the age of a thread anew, as
#   other stops do. By PID, ages are lower bounds anyway.
# - "As of" and "last looked" are by the machine's clock as it is now. A recording's start is by the clock as it was then,
#   a process's without one by the clock as it is now.
# - "The newest recording" is that of the program that was started last, whatever the clock said.
# - A `--watch` that spans the moment says what stayed parked: all goroutines; threads but after a sleep, from which they woke.
# - The recording of a program that executes another one after it names the recording of that.
# - Of a program that has ended, all moments are by the clock as it was at the start of its recording.
set -eu
cd "$(dirname "$0")/.."
. tests/packages.sh
. tests/guest.sh
build=${1:-build/default}
install_packages jq
guest_prepare "$build" sample_server sample_server_gc_static sample_load e2e_clock_waits
guest_take "$build/samples/load" task_server="$build/samples/server" go_server="$build/samples/server_gc_static" \
    "$build/tests/e2e/clock_waits" "$(command -v jq)" "$(command -v dash)"

# What is wrong with a report, line by line. Ages in ms, moments in s.
cat >"$guest_root/bin/wrong.jq" <<'END'
def seconds: sub("[.][0-9]+Z$"; "Z") | fromdate;
def wrong(condition; text): if condition then text else empty end;
[.groups[] | .oldest_ns, .newest_ns | values / 1000000] as $ages
| [.groups[] | select(.op == $op)] as $groups
| (.source.taken | seconds) as $taken
| (.source.last_walk | seconds) as $looked
| wrong(($ages | length) == 0; "no age"),
  wrong(($ages | min) < 0; "an age of \($ages | min) ms"),
  wrong(($ages | max) > $most; "an age of \($ages | max) ms, and the machine was awake for \($most)"),
  wrong(([$groups[].count] | add) != $count; "\([$groups[].count] | add) in \($op)"),
  wrong(([$groups[].newest_ns | values / 1000000] | min) < $least;
        "\($op) for \([$groups[].newest_ns] | min) ns, and it was told \($least) ms ago"),
  wrong($taken < $before or $taken > $after; "as of \(.source.taken)"),
  wrong($looked > $taken or $looked < $taken - 30; "last looked \(.source.last_walk), as of \(.source.taken)"),
  wrong((.source.started | seconds) - $started | . < -1 or . > 1; "started \(.source.started)"),
  wrong(.totals.lost != 0; "lost \(.totals.lost)"),
  wrong(.source.end != "running"; "end \(.source.end)")
END

guest_run clocks 900 <<'END'
# The time that the machine has been awake, in ms: /proc/uptime counts its sleep, too.
awake() { sed -n 's/^now at \([0-9]*\)[0-9]\{6\} nsecs.*/\1/p' /proc/timer_list; }

# report SOURCE OPTION...: "newest" is the source that is meant where none is named.
report() {
    of=$1
    shift
    [ "$of" = newest ] && of=
    leakspy report "$@" ${of:+"$of"}
}
started() { report "$1" --threshold 0 --all --format json | jq -r '.source.started | sub("[.][0-9]+Z$"; "Z") | fromdate'; }

# Each: its name, what is reported on, what is parked in what, and how many.
sources() {
    echo "tasks       /tmp/tasks.rec   50 chan_send"
    echo "outside     /tmp/outside.rec 50 chan_send"
    echo "go_by_pid   $go              50 chan_send"
    echo "waits       newest           3  sem_wait"
    echo "waits_by_pid $bare           3  sem_wait"
}

# told NAME SOURCE COUNT OP LEAST STARTED: what a report says of it now.
told() {
    before=$(date +%s)
    report "$2" --threshold 0 --all --format json >/tmp/json 2>&1
    after=$(date +%s)
    jq -r --argjson count "$3" --arg op "$(echo "$4" | tr _ ' ')" --argjson least "$5" --argjson started "$6" \
        --argjson most $(($(awake) - began)) --argjson before "$before" --argjson after "$after" \
        -f /bin/wrong.jq /tmp/json >/tmp/wrong 2>&1
    [ $? -eq 0 ] && [ ! -s /tmp/wrong ]
    row $? "$event: $1: ages and moments" /tmp/wrong
}

# not_stuck NAME SOURCE: nothing is stuck for longer than the machine has been awake since the start, and 20 s.
not_stuck() {
    report "$2" --threshold "$(($(awake) - began + 20000))ms" --format json >/tmp/json 2>&1 &&
        jq -e '.totals.past_threshold == 0 and ([.groups[] | select(.verdict != "waiting")] | length) == 0' /tmp/json >/dev/null
    row $? "$event: $1: nothing is stuck for longer than it was there" /tmp/json
}

# stuck NAME SOURCE COUNT: what was parked before is stuck, and only that.
stuck() {
    report "$2" --threshold "$(($(awake) - known))ms" --format json >/tmp/json 2>&1 &&
        jq -e "[.groups[] | select(.verdict == \"stuck\") | .count] | add == $3" /tmp/json >/dev/null
    row $? "$event: $1: $3 are stuck since before" /tmp/json
}

begin() {
    rm -f /tmp/*.rec /tmp/*.out
    began=$(awake)
    start root "leakspy run -o /tmp/tasks.rec -- task_server 8001" /tmp/tasks.out
    tasks=$process
    start root "leakspy run -o /tmp/outside.rec -- go_server 8002" /tmp/outside.out
    outside=$process
    start root "go_server 8003" /tmp/go.out
    go=$process
    for port in 8001 8002 8003; do load $port 50 >/dev/null; done
    rm -f /tmp/execute
    mkfifo /tmp/execute # dash has a recording, too; the guest's own shell is static
    start root "leakspy run -o /tmp/executed.rec -- dash -c 'echo ready; read line </tmp/execute; exec task_server 8004'" \
        /tmp/executed.out
    executed=$process
    start root "clock_waits" /tmp/bare.out
    bare=$process
    start root "env LD_PRELOAD=/bin/libleakspy.so clock_waits" /tmp/waits.out
    waits=$process
    sleep 1
    sources >/tmp/sources
    while read name source count op; do
        report "$source" --threshold 0 --all >/dev/null # which waits for the second look
        echo "$name $source $count $op $(started "$source")"
    done </tmp/sources >/tmp/started_sources
    known=$(awake) moved=0
}

check_all() {
    while read name source count op started; do
        least=$(($(awake) - known))
        case "$event, $name" in *forward,\ waits*) count=2 ;; esac # its deadline has passed
        case "$event, $name" in suspend*,\ waits*) least=0 ;; esac # its threads were seen to run, as they woke
        case $name in *by_pid) least=0 started=$((started + moved)) ;; esac
        told "$name" "$source" "$count" "$op" "$least" "$started"
        not_stuck "$name" "$source"
        case $name in tasks | outside) stuck "$name" "$source" "$count" ;; esac
    done </tmp/started_sources
}

# Both watch for longer than the event takes.
begin_watches() {
    leakspy report "$go" --watch 20s --threshold 0 --format json >/tmp/go_watch 2>&1 &
    go_watch=$!
    leakspy report "$bare" --watch 20s --threshold 0 --all --format json >/tmp/bare_watch 2>&1 &
    bare_watch=$!
    sleep 3
}

# end_watch NAME PROCESS FILE OP STAYED
end_watch() {
    wait "$2" &&
        jq -e --arg op "$4" --argjson stayed "$5" --argjson most $(($(awake) - began)) '
            [.groups[] | select(.op == $op)] | ([.[].watch.stayed] | add) >= $stayed and
                ([.[] | .oldest_ns, .newest_ns | values / 1000000] | max) <= $most' "$3" >/dev/null
    row $? "$event: $1: a watch that spans it" "$3"
}

end_watches() {
    end_watch go_by_pid "$go_watch" /tmp/go_watch "chan send" 50
    case "$event" in
    *forward) stayed=2 ;; # the deadline of the third has passed
    *back) stayed=3 ;;
    suspend*) stayed=0 ;;
    esac
    end_watch waits_by_pid "$bare_watch" /tmp/bare_watch "sem wait" $stayed
}

execute() {
    echo >/tmp/execute
    while ! load 8004 5 >/tmp/loaded 2>&1; do sleep 0.5; done
    report /tmp/executed.rec >/tmp/said 2>&1
    report "$(sed -n 's/.*: the program that it executed is recorded in //p' /tmp/said)" --threshold 0 --all >>/tmp/said 2>&1
    cat /tmp/loaded >>/tmp/said
    grep -q '^5 stuck: ' /tmp/said && grep -q ' in /bin/task_server' /tmp/said
    row $? "$event: what is executed after it has a recording that is found" /tmp/said
    kill "$executed"
    wait "$executed"
}

# The programs go on, and what comes later is seen.
go_on() {
    for port in 8001 8002 8003; do load $port 5 >/dev/null; done
    while read name source count op started; do
        [ "$count" -eq 50 ] || continue
        report "$source" --threshold 0 >/tmp/said 2>&1
        grep -q '^55 stuck: ' /tmp/said
        row $? "$event: $name: 5 more are told" /tmp/said
    done </tmp/started_sources
    kill "$bare" "$waits"
    wait "$bare"
    bare_status=$?
    wait "$waits"
    waits_status=$?
    diff /tmp/bare.out /tmp/waits.out >/tmp/said && [ $bare_status -eq 3 ] && [ $waits_status -eq 3 ]
    row $? "$event: the same said bare and preloaded: $(grep -c still /tmp/bare.out) wait still, $(
        grep -v still /tmp/bare.out | grep : | tr -s '\n' ' ')" /tmp/said
    kill "$tasks" "$outside" "$go"
    wait "$tasks" "$outside" "$go"
    while read name source count op started; do
        case $name in *by_pid) continue ;; esac
        report "$source" --threshold 0 --all --format json >/tmp/json 2>&1
        jq -e --argjson started "$started" --argjson most $((($(awake) - began) / 1000 + 1)) \
            --argjson least $((($(awake) - known) / 1000 - 30)) '
            def seconds: sub("[.][0-9]+Z$"; "Z") | fromdate;
            def fits: seconds - $started | . >= $least and . <= $most;
            .source | (.end == "exited" or .signal == 15) and (.started | seconds) == $started and
                (.taken | fits) and (.last_walk | fits)' /tmp/json >/dev/null
        row $? "$event: $name: its moments after its end are by the clock of its start" /tmp/json
    done </tmp/started_sources
}

set_clock() {
    date -s "@$(($(date +%s) + $1))" >/dev/null
    moved=$1
}

sleeps() {
    before=$(date +%s)
    echo 0 >/sys/class/rtc/rtc0/wakealarm
    case $1 in
    mem) echo +45 >/sys/class/rtc/rtc0/wakealarm ;;
    freeze) echo "press in 45" ;;
    esac
    echo "$1" >/sys/power/state
    after=$(date +%s)
    [ $((after - before)) -ge 30 ]
    row $? "$event: the machine slept for $((after - before)) s" /dev/null
}

for event in "clock set 5 h forward" "clock set 10 h back" "suspend to RAM" "suspend to idle"; do
    begin
    what=$event event="before ($what)"
    check_all
    begin_watches
    event=$what
    case $event in
    *forward) set_clock 18000 ;;
    *back) set_clock -36000 ;;
    *RAM) sleeps mem ;;
    *idle) sleeps freeze ;;
    esac
    end_watches
    check_all
    go_on
    execute
done
END
