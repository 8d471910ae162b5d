# shellcheck shell=bash disable=SC2034,SC2154
# A Java program: threads, locks, queues, exceptions, traps taken from signals, and the collector.
declare -gA commands=([javac]=default-jdk-headless)

prepare() { javac -d "$made" "$root/tests/real/Program.java"; }

run() {
    local status=0
    under java -Xmx256m -cp "$made" Program || status=$?
    echo "status $status"
}
