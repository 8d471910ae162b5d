#!/bin/bash
# What leakspy says where the kernel's Yama module restricts who may look at a process (kernel.yama.ptrace_scope 1, 2
# and 3), as a user and as root, and of cores that a kernel wrote itself: tried in a virtual machine, since the setting
# is the whole machine's, and 3 lasts until the next boot. To be run by hand; it is no part of tests/run.sh.
#
# Usage: tests/yama.sh [BUILD]     (build/default, which it builds the parts in that it needs)
# See tests/guest.sh for what is downloaded. Prints a row a check, and what was said where it is not as it should be.
# Takes about two minutes.
set -eu
cd "$(dirname "$0")/.."
. tests/packages.sh
. tests/guest.sh
build=${1:-build/default}
guest_prepare "$build" sample_server_gc_static sample_load sample_lock_order_deadlock
guest_take "$build/samples/lock_order_deadlock" "$build/samples/load" server="$build/samples/server_gc_static"

guest_run yama 600 <<'END'
ulimit -c unlimited
scope=/proc/sys/kernel/yama/ptrace_scope

# check WHO STATUS TEXT WORDS...: `leakspy WORDS` of root or of the user ends so, and says so.
check() {
    who=$1 status=$2 text=$3
    shift 3
    su -s /bin/sh "$who" -c "cd /tmp && exec leakspy $*" >/tmp/said 2>&1 </dev/null
    got=$?
    echo "(status $got)" >>/tmp/said
    [ $got -eq "$status" ] && grep -qF -- "$text" /tmp/said
    row $? "scope $(cat $scope), $who: leakspy $*: $text" /tmp/said
    rm -f /tmp/said
}

start user "env GOTRACEBACK=crash server 8001"
go=$process
load 8001 50 >/dev/null
start user "lock_order_deadlock"
threads=$process
start root "server 8002"
roots=$process
load 8002 50 >/dev/null
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
END
