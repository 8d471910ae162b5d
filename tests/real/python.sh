# shellcheck shell=bash disable=SC2034,SC2154
# python3's own tests of threads, queues, child processes, pools and multiprocessing: the same pass.
# PYTHON_TESTS: others of them, as `test_concurrent_futures test_multiprocessing_fork` (many minutes).
packages=(python3 libpython3.11-testsuite)
row_pairs=${PAIRS:-1} # minutes

run() {
    local test tests=(test_threading test_queue test_thread test_subprocess
        test_concurrent_futures.ProcessPool{Fork,Spawn}AsCompletedTest
        test_multiprocessing_fork.WithProcessesTest{Queue,Lock,Condition})
    [ -z "${PYTHON_TESTS:-}" ] || read -ra tests <<<"$PYTHON_TESTS"
    for test in "${tests[@]}"; do
        echo "$test"
        # What they print differs; what comes of each does not.
        rm -f outcomes
        under /usr/bin/python3 -I "$root/tests/real/python_outcomes.py" "test.$test" "$PWD/outcomes" >printed 2>&1 ||
            tail -n 40 printed >&2
        cat outcomes
    done
}
