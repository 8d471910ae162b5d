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
        # In a folder of its own, without the site's packages. What they print and how long they take
        # differs; what comes of each does not.
        under /usr/bin/python3 -I -m unittest -v "test.$test" 2>&1 |
            sed -n -e 's/^\([a-z]*[tT]est[A-Za-z0-9_]* (.*)\).* \.\.\. .*\(ok\|FAIL\|ERROR\|skipped\).*/\1 \2/p' \
                -e 's/^\(Ran [0-9]* tests\) in .*/\1/p' -e '/^OK/p' -e '/^FAILED/p' | sort
    done
}
