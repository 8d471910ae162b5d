/* The leaking servers, untouched, after 50 requests: one group of 50, with the lines where they are
 * parked and where they were started, while the server runs and after it was ended either way. */
#include "tests/e2e/servers.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The same group, by the function that was asked for the sum. */
static struct expected_group leak_by_handler(const struct server *server)
{
    struct expected_group leak = server_leak(server);
    leak.spawn_function = server->handler;
    leak.spawn_file = server->handler_file;
    leak.spawn_line = server->handler_mark ? line_of(server->source, server->handler_mark) : 0;
    return leak;
}

static char port[16]; /* of the server that was started last */

/* Starts the server, with a setting of the library's or NULL, and sends it 50 requests; checks that
 * it counted them all. */
static struct target *start_and_load(bool preload, const struct server *server, const char *setting)
{
    struct target *target = server_start(preload, server, setting ? LIST(setting) : NULL, port);
    load_server(port, 50);
    return target;
}

static void fifty_requests__leave_one_group_of_fifty(const struct server *server, int signal)
{
    struct expected_group leak = server_leak(server), by_handler = leak_by_handler(server);
    struct target *target = start_and_load(true, server, NULL);
    json_t *json = wait_for_group(target, "200ms", NULL, &leak);
    assert_group(json, &leak);
    assert_group(json, &by_handler);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "running");
    json_decref(json);

    target_wait_walks(target, 2, 0); /* ages of a dead process are those of the last walk */
    target_kill(target, signal);
    json = report(target->recording, "200ms", NULL);
    assert_group(json, &leak);
    assert_group(json, &by_handler);
    assert_string_not_equal(json_string_value(json_at(json, "source.end")), "running");
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    target_end(target);
}

/* What the server says of its own tasks is what there is to be found: with the preload and without.
 */
static void tells_of_fifty_tasks_itself(const struct server *server, bool preload)
{
    static const char script[] = "exec 3<>/dev/tcp/127.0.0.1/$0 && "
                                 "printf 'GET /_stack HTTP/1.0\\r\\n\\r\\n' >&3 && cat <&3";
    struct target *target = start_and_load(preload, server, NULL);
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    size_t count = 0;
    while (count != 50) { /* some may be on their way to where they park */
        struct outcome outcome = run_program(false, LIST("/bin/bash", "-c", script, port), NULL);
        assert_int_equal(outcome.status, 0);
        count = 0;
        for (const char *at = outcome.out; (at = strstr(at, server->own_words)) != NULL; at++)
            count++;
        if (count != 50 && now_ms() > deadline_ms)
            fail_msg("%zu of 50:\n%s", count, outcome.out);
        outcome_deinit(&outcome);
    }
    target_end(target);
}

static void c_server__tells_of_its_tasks_itself(void **state)
{
    (void)state;
    tells_of_fifty_tasks_itself(&servers[SERVER_TASKRT], false);
    tells_of_fifty_tasks_itself(&servers[SERVER_TASKRT], true);
}

static void c_server__is_found_alive_and_after_sigterm(void **state)
{
    (void)state;
    fifty_requests__leave_one_group_of_fifty(&servers[SERVER_TASKRT], SIGTERM);
}

static void c_server__is_found_alive_and_after_sigkill(void **state)
{
    (void)state;
    fifty_requests__leave_one_group_of_fifty(&servers[SERVER_TASKRT], SIGKILL);
}

/* How often the sampler walks. */
struct walks {
    const struct target *target;
    int count;
    bool over;
};

static void *count_walks(void *arg)
{
    struct walks *walks = arg;
    uint64_t seen_ns = target_last_walk_ns(walks->target);
    while (!__atomic_load_n(&walks->over, __ATOMIC_ACQUIRE)) {
        uint64_t walk_ns = target_last_walk_ns(walks->target);
        walks->count += walk_ns != seen_ns;
        seen_ns = walk_ns;
        sleep_ms(5);
    }
    return NULL;
}

/* The sampler has seen none of the waits twice when the report begins: its walks are farther apart
 * than it takes to count the tasks. The report waits for the next ones, and in vain where the
 * machine is too busy for them. */
static void c_server__is_found_by_one_report_right_after_the_load(void **state)
{
    enum { TRIES = 5, LOOKS = 3 };
    bool found = false;
    (void)state;
    struct expected_group leak = server_leak(&servers[SERVER_TASKRT]);
    for (int i = 0; !found && i < TRIES; i++) {
        pthread_t thread;
        struct target *target = start_and_load(true, &servers[SERVER_TASKRT], "LEAKSPY_SAMPLE=1s");
        struct walks walks = {.target = target};
        assert_int_equal(pthread_create(&thread, NULL, count_walks, &walks), 0);
        json_t *json = report(target->recording, "0", NULL);
        __atomic_store_n(&walks.over, true, __ATOMIC_RELEASE);
        pthread_join(thread, NULL);
        found = find_group(json, &leak) != NULL;
        if (found || walks.count >= LOOKS || i == TRIES - 1)
            assert_group(json, &leak);
        json_decref(json);
        target_end(target);
    }
}

static void c_server__has_no_other_finding(void **state)
{
    (void)state;
    struct expected_group leak = server_leak(&servers[SERVER_TASKRT]);
    struct target *target = start_and_load(true, &servers[SERVER_TASKRT], NULL);
    /* On a busy machine the sampler may be late to see that a worker waits as expected: a finding
     * that goes away was none. */
    size_t findings = 0;
    for (int tries = 0; tries < 50 && findings != 1; tries++) {
        json_t *json = wait_for_group(target, "200ms", NULL, &leak);
        findings = count_findings(json);
        if (findings != 1) {
            char *text = json_dumps(json_object_get(json, "groups"), JSON_INDENT(1));
            print_message("%s\n", text);
            free(text);
            sleep_ms(100);
        }
        json_decref(json);
    }
    assert_int_equal(findings, 1);
    target_end(target);
}

static void c_server__counts_the_same_without_the_preload(void **state)
{
    (void)state;
    target_end(start_and_load(false, &servers[SERVER_TASKRT], NULL));
}

#ifdef LEAKSPY_HAVE_GCCGO
static void go_server__is_found_alive_and_after_sigterm(void **state)
{
    (void)state;
    fifty_requests__leave_one_group_of_fifty(&servers[SERVER_LIBGO], SIGTERM);
}

static void go_server__is_found_alive_and_after_sigkill(void **state)
{
    (void)state;
    fifty_requests__leave_one_group_of_fifty(&servers[SERVER_LIBGO], SIGKILL);
}

static void go_server__tells_of_its_goroutines_itself(void **state)
{
    (void)state;
    tells_of_fifty_tasks_itself(&servers[SERVER_LIBGO], false);
    tells_of_fifty_tasks_itself(&servers[SERVER_LIBGO], true);
}

static void go_server__counts_the_same_without_the_preload(void **state)
{
    (void)state;
    target_end(start_and_load(false, &servers[SERVER_LIBGO], NULL));
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(c_server__is_found_alive_and_after_sigterm, end_all_targets),
        cmocka_unit_test_teardown(c_server__is_found_alive_and_after_sigkill, end_all_targets),
        cmocka_unit_test_teardown(c_server__is_found_by_one_report_right_after_the_load,
                                  end_all_targets),
        cmocka_unit_test_teardown(c_server__has_no_other_finding, end_all_targets),
        cmocka_unit_test_teardown(c_server__counts_the_same_without_the_preload, end_all_targets),
        cmocka_unit_test_teardown(c_server__tells_of_its_tasks_itself, end_all_targets),
#ifdef LEAKSPY_HAVE_GCCGO
        cmocka_unit_test_teardown(go_server__is_found_alive_and_after_sigterm, end_all_targets),
        cmocka_unit_test_teardown(go_server__is_found_alive_and_after_sigkill, end_all_targets),
        cmocka_unit_test_teardown(go_server__counts_the_same_without_the_preload, end_all_targets),
        cmocka_unit_test_teardown(go_server__tells_of_its_goroutines_itself, end_all_targets),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
