/* Programs that people run, under the preload and without: the same results (and
 * redis: test_redis.c). */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PYTHON "/usr/bin/python3"

static void need(const char *program)
{
    if (access(program, X_OK) == 0)
        return;
    fprintf(stderr, "%s is not here\n", program);
    skip();
}

/* ---- python ---- */

static void python_threads_and_queues__compute_the_same(void **state)
{
    static const char script[] =
        "import queue, threading, subprocess, sys, concurrent.futures as futures\n"
        "jobs, results = queue.Queue(8), queue.Queue()\n"
        "def work():\n"
        "    while (job := jobs.get()) is not None:\n"
        "        results.put(job * job)\n"
        "threads = [threading.Thread(target=work) for _ in range(8)]\n"
        "[t.start() for t in threads]\n"
        "[jobs.put(i) for i in range(2000)]\n"
        "[jobs.put(None) for _ in threads]\n"
        "[t.join() for t in threads]\n"
        "print(sum(results.get() for _ in range(2000)))\n"
        "event = threading.Event()\n"
        "print(event.wait(0.05))\n"
        "with futures.ThreadPoolExecutor(4) as pool:\n"
        "    print(sum(pool.map(lambda n: n % 7, range(500))))\n"
        "print(subprocess.run([sys.executable, '-c', 'print(6 * 7)'], "
        "capture_output=True).stdout)\n"
        "try:\n"
        "    queue.Queue().get(timeout=0.05)\n"
        "except queue.Empty:\n"
        "    print('empty')\n"
        "sys.exit(5)\n";
    (void)state;
    need(PYTHON);
    assert_same_behaviour(LIST(PYTHON, "-I", "-c", script), NULL);
}

static void python_thread_on_an_empty_queue__is_found(void **state)
{
    static const char script[] = "import queue, sys, threading, time\n"
                                 "threading.Thread(target=queue.Queue().get, daemon=True).start()\n"
                                 "print('ready', flush=True)\n"
                                 "import select\n"
                                 "while not select.select([0], [], [], 0.05)[0]: pass\n";
    const struct expected_group parked = {
        .verdict = "stuck", .kind = "thread", .op = "sem wait", .count = 1};
    (void)state;
    need(PYTHON);
    struct target *target = target_start(true, LIST(PYTHON, "-I", "-c", script), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "300ms", NULL, &parked);
    assert_group(json, &parked);
    json_decref(json);
    target_end(target);
}

/* ---- the HTTP server of Go's library ---- */

#ifdef LEAKSPY_HAVE_GCCGO
static void assert_nothing_lost(const struct target *target)
{
    json_t *json = report(target->recording, "1s", LIST("--all"));
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    assert_true(json_integer_value(json_at(json, "totals.spawned")) > 1);
    json_decref(json);
}

static void serve_http(bool preload)
{
    char port[16];
    long before, after;
    struct target *server = target_start(preload, LIST(LEAKSPY_SAMPLES "/server_go"), NULL);
    const char *line = target_wait_line(server, "listening on 127.0.0.1:");
    snprintf(port, sizeof port, "%s", strrchr(line, ':') + 1);
    struct target *loads[4];
    for (int i = 0; i < 4; i++) /* at once */
        loads[i] = target_start(false, LIST(LEAKSPY_SAMPLES "/load", port, "500"), NULL);
    for (int i = 0; i < 4; i++) {
        struct outcome outcome = target_wait(loads[i]);
        assert_int_equal(outcome.status, 0);
        outcome_deinit(&outcome);
    }
    struct outcome last = run_program(false, LIST(LEAKSPY_SAMPLES "/load", port, "0"), NULL);
    assert_int_equal(sscanf(last.out, "tasks: %ld before, %ld after 0 requests", &before, &after),
                     2);
    assert_in_range(after, 2000, 2010); /* each request leaves one; the server has a few */
    outcome_deinit(&last);
    if (preload)
        assert_nothing_lost(server);
    assert_int_equal(kill(server->pid, SIGTERM), 0);
    struct outcome end = target_wait(server);
    assert_true(WIFSIGNALED(end.status) || WIFEXITED(end.status));
    assert_string_equal(end.err, "");
    outcome_deinit(&end);
    target_end(server);
}

static void go_http_server__serves_without_the_preload(void **state)
{
    (void)state;
    serve_http(false);
}

static void go_http_server__serves_the_same_with_the_preload(void **state)
{
    (void)state;
    serve_http(true);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(python_threads_and_queues__compute_the_same, end_all_targets),
        cmocka_unit_test_teardown(python_thread_on_an_empty_queue__is_found, end_all_targets),
#ifdef LEAKSPY_HAVE_GCCGO
        cmocka_unit_test_teardown(go_http_server__serves_without_the_preload, end_all_targets),
        cmocka_unit_test_teardown(go_http_server__serves_the_same_with_the_preload,
                                  end_all_targets),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
