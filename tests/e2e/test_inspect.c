/* Tasks of runtimes that nobody preloaded, libtaskrt's and gccgo's: by the process, by a core of
 * it, and watched.
 *
 * Usage: test_inspect GROUP     (server, samples, fixed, waits, timers, watch)
 */
#include "tests/e2e/harness.h"
#include "tests/e2e/libgo_rows.h"
#include "tests/e2e/servers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* gdb 13 does not copy memory with guards of the kind that libtaskrt sets where it can. */
#define READABLE LIST("TASKRT_GUARD=mprotect")

static const char *source_kind(const json_t *json)
{
    return json_string_value(json_at(json, "source.kind"));
}

static bool has_runtime(const json_t *json, const char *name)
{
    const json_t *runtimes = json_at(json, "source.runtimes");
    for (size_t i = 0; i < json_array_size(runtimes); i++)
        if (strcmp(json_string_value(json_array_get(runtimes, i)), name) == 0)
            return true;
    return false;
}

/* Reports on a process until it has the group, and one finding: one that goes away was none. */
static json_t *wait_for_one_finding(const struct target *target, const char *const options[],
                                    const struct expected_group *expected)
{
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;; sleep_ms(20)) {
        json_t *json = wait_for_group_in(target->pid_text, "0", options, expected);
        if (count_findings(json) == 1 || now_ms() > deadline_ms)
            return json;
        json_decref(json);
    }
}

/* ---- The leaking servers ---- */

/* Nobody recorded where libtaskrt's tasks were spawned: the function that they began in is told,
 * which is where they wait, and said to be that. libgo keeps the go statement. */
static struct expected_group leak_of(const struct server *server)
{
    struct expected_group leak = server_leak(server);
    if (server == &servers[SERVER_TASKRT]) {
        leak.spawn_function = leak.wait_function;
        leak.spawn_line = 0;
    }
    return leak;
}

static char port[16];

static void assert_leak(const json_t *json, const struct server *server, const char *kind)
{
    struct expected_group leak = leak_of(server);
    assert_group(json, &leak);
    assert_int_equal(count_findings(json), 1);
    assert_string_equal(source_kind(json), kind);
    assert_true(has_runtime(json, server->runtime));
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    const json_t *group = find_group(json, &leak);
    const json_t *start = json_object_get(group, "spawn_is_start");
    assert_int_equal(json_is_true(start), server == &servers[SERVER_TASKRT]);
}

static void server__leaves_one_group_of_fifty(void **state)
{
    const struct server *server = *state;
    struct expected_group leak = leak_of(server);
    struct target *target = server_start(false, server, READABLE, port);
    load_server(port, 50);
    json_t *json = wait_for_one_finding(target, NULL, &leak);
    assert_leak(json, server, "process");
    json_decref(json);
    json = report(target_write_core(target, target->dir), "0", NULL);
    assert_leak(json, server, "core");
    json_decref(json);
    target_end(target);
}

/* ---- Samples ---- */

static const struct sample {
    const char *name, *source;
    struct expected_group group;
} samples[] = {
#define TASK(name, verdict_, op_, count_, wait)                                                    \
    {                                                                                              \
        name, "samples/" name ".c",                                                                \
        {                                                                                          \
            .verdict = verdict_, .kind = "task", .op = op_, .count = count_, .wait_function = wait \
        }                                                                                          \
    }
#define GO(name, verdict_, op_, count_, wait, spawn)                                               \
    {                                                                                              \
        name "_go", "samples/" name ".go",                                                         \
        {                                                                                          \
            .verdict = verdict_, .kind = "goroutine", .op = op_, .count = count_,                  \
            .wait_function = wait, .spawn_function = spawn                                         \
        }                                                                                          \
    }
    TASK("receive_without_sender", "stuck", "chan receive", 1, "await_result"),
    TASK("send_after_early_return", "stuck", "chan send", 1, "compute"),
    TASK("timeout_leak", "stuck", "chan send", 1, "slow_query"),
    TASK("double_send", "stuck", "chan send", 1, "fetch"),
    TASK("never_closed_range", "stuck", "chan receive", 3, "consume"),
    TASK("select_no_live_case", "stuck", "select", 1, "serve"),
    TASK("waitgroup_never_done", "stuck", "waitgroup wait", 1, "collect"),
    TASK("dead_peer_task", "stuck", "io wait", 1, "client"),
    TASK("task_lock_order_deadlock", "deadlocked", "mutex lock", 2, "lock_both"),
#ifdef LEAKSPY_HAVE_GCCGO
    GO("chan_send_early_return", "stuck", "chan send", 1, "main.compute", "main.process"),
    GO("timeout_leak", "stuck", "chan send", 1, "main.slowQuery", "main.queryWithTimeout"),
    GO("select_no_case", "leaked", "select (no cases)", 1, "main.keepAlive", "main.start"),
    GO("mutex_deadlock", "stuck", "semacquire", 2, "main.transfer", "main.startTransfers"),
    GO("waitgroup_never_done", "stuck", "semacquire", 1, "main.collect", "main.start"),
#endif
};

static struct target *start_sample(const char *name, const char *suffix)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", LEAKSPY_SAMPLES, name, suffix);
    struct target *target = target_start(false, LIST(path), READABLE);
    target_wait_line(target, "ready");
    return target;
}

static void sample__its_leak_is_found(void **state)
{
    const struct sample *sample = *state;
    bool go = strcmp(sample->group.kind, "goroutine") == 0;
    struct expected_group expected = sample->group;
    expected.wait_line = line_of(sample->source, go ? "// parks here" : "/* parks here");
    expected.wait_file = strrchr(sample->source, '/') + 1;
    if (go) {
        expected.spawn_line = line_of(sample->source, "// spawned here");
        expected.spawn_file = expected.wait_file;
    }
    struct target *target = start_sample(sample->name, "");
    json_t *json = wait_for_group_in(target->pid_text, "0", NULL, &expected);
    assert_group(json, &expected);
    json_decref(json);
    json = report(target_write_core(target, target->dir), "0", NULL);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

/* What is parked in it for a moment is no finding to who watches. */
static void fixed__is_silent_to_who_watches(void **state)
{
    struct target *target = start_sample(*state, "_fixed");
    size_t findings = 1;
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; findings && now_ms() < deadline_ms;) {
        json_t *json = report(target->pid_text, "300ms", LIST("--watch", "300ms"));
        findings = count_findings(json);
        json_decref(json);
    }
    assert_int_equal(findings, 0);
    target_end(target);
}

/* ---- Every way to park a goroutine of libgo ---- */

static struct target *waits;
static json_t *told; /* of it */

static int start_waits(void **state)
{
    (void)state;
    waits = libgo_start(false);
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;; sleep_ms(20)) {
        size_t found = 0;
        told = report(waits->pid_text, "0", LIST("--all"));
        for (size_t i = 0; i < LIBGO_ROWS; i++) {
            struct expected_group expected = libgo_group(&libgo_rows[i]);
            found += find_group(told, &expected) != NULL;
        }
        if (found == LIBGO_ROWS || now_ms() > deadline_ms)
            return 0;
        json_decref(told);
    }
}

static int end_waits(void **state)
{
    json_decref(told);
    target_end(waits);
    return end_all_targets(state);
}

static void parked__is_told(void **state)
{
    assert_libgo_row(told, *state);
}

static void select__its_channels__are_told(void **state)
{
    (void)state;
    struct expected_group expected = {.op = "select", .wait_function = "main.selectMany"};
    const json_t *group = find_group(told, &expected);
    const json_t *cases =
        json_object_get(json_array_get(json_object_get(group, "tasks"), 0), "cases");
    size_t sends = 0;
    assert_int_equal(json_array_size(cases), 2); /* the runtime keeps nothing of the nil channel */
    for (size_t i = 0; i < 2; i++)
        sends +=
            strcmp(json_string_value(json_at(json_array_get(cases, i), "op")), "chan send") == 0;
    assert_int_equal(sends, 1);
}

static void locks__what_they_say__is_told(void **state)
{
    static const struct {
        const char *function, *said;
    } locks[] = {
        {"main.waitGroup", ": 1 task waiting; counter 1: Done is missing once"},
        {"main.rwmutexRead", ": held for writing (by whom is not known); 1 waiting for it"},
        {"main.rwmutexWrite", ": held for reading once (by whom is not known); 1 waiting for it"},
        {"main.mutexLock", ": who holds it is not known; 1 waiting for it"},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(locks); i++) {
        struct expected_group expected = {.wait_function = locks[i].function};
        const json_t *group = find_group(told, &expected);
        assert_non_null(group);
        const json_t *evidence = json_array_get(json_object_get(group, "evidence"), 0);
        assert_non_null(strstr(json_string_value(evidence), locks[i].said));
    }
}

static void runtime__its_own__is_no_finding(void **state)
{
    (void)state;
    assert_int_equal(count_findings(told), libgo_findings());
}

/* ---- Timers of libgo ---- */

static void assert_timers(bool preload)
{
    static const struct {
        const char *function, *where, *verdict;
    } kinds[] = {
        {"main.after", "after", "waiting"},
        {"main.ticks", "ticks", "waiting"},
        {"main.selects", "selects", "waiting"},
        {"main.stopped", "stopped", "stuck"},
    };
    struct target *target = target_start(preload, LIST(LEAKSPY_TARGETS "/libgo_timers"), NULL);
    target_wait_line(target, "ready");
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        char mark[64];
        snprintf(mark, sizeof mark, "parks in %s.", kinds[i].where);
        bool stuck = strcmp(kinds[i].verdict, "stuck") == 0;
        struct expected_group expected = {
            .verdict = kinds[i].verdict,
            .kind = "goroutine",
            .count = 1,
            .wait_function = kinds[i].function,
            .wait_file = "libgo_timers.go",
            .wait_line = line_of("tests/e2e/libgo_timers.go", mark),
            .deadline = stuck ? NO_DEADLINE : WITH_DEADLINE,
        };
        json_t *json = wait_for_one_finding(target, LIST("--all"), &expected);
        assert_group(json, &expected);
        assert_int_equal(count_findings(json), 1);
        json_decref(json);
    }
    target_end(target);
}

static void timer__is_a_deadline_unless_it_was_stopped(void **state)
{
    (void)state;
    assert_timers(false);
}

static void timer__recorded__is_a_deadline_unless_it_was_stopped(void **state)
{
    (void)state;
    assert_timers(true);
}

/* ---- Watching ---- */

/* clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, …): between two looks. Naps within one are not of
 * this kind. */
#define CALL_NAP "230 0x1 0x1 "

/* Waits until the watcher naps between two looks, for another time than the one with `before`
 * switches. Returns the number of its switches. */
static long wait_for_nap(const struct target *watcher, long before)
{
    char path[64];
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; now_ms() < deadline_ms; sleep_ms(5)) {
        snprintf(path, sizeof path, "/proc/%d/syscall", (int)watcher->pid);
        char *call = read_file(path);
        snprintf(path, sizeof path, "/proc/%d/status", (int)watcher->pid);
        char *status = read_file(path);
        const char *line = status ? strstr(status, "\nvoluntary_ctxt_switches:") : NULL;
        long switches = line ? atol(strchr(line, ':') + 1) : 0;
        bool naps = call && strncmp(call, CALL_NAP, strlen(CALL_NAP)) == 0;
        free(call);
        free(status);
        if (naps && switches > before)
            return switches;
    }
    fail_msg("the watcher does not look");
    return 0;
}

static void watched__what_stays_and_what_grows__is_told(void **state)
{
    const struct server *server = *state;
    struct expected_group leak = leak_of(server);
    leak.count = 20;
    struct target *target = server_start(false, server, READABLE, port);
    load_server(port, 20);
    json_t *json = wait_for_group_in(target->pid_text, "0", NULL, &leak);
    json_decref(json);

    json = report(target->pid_text, "200ms", LIST("--watch", "200ms"));
    assert_group(json, &leak);
    const json_t *group = find_group(json, &leak);
    assert_int_equal(json_integer_value(json_at(group, "watch.first_count")), 20);
    assert_int_equal(json_integer_value(json_at(group, "watch.stayed")), 20);
    assert_int_equal(json_integer_value(json_at(group, "past_threshold")), 20);
    assert_true(json_integer_value(json_at(group, "oldest_ns")) >= 200000000);
    assert_true(json_integer_value(json_at(json, "source.looks")) >= 2);
    json_decref(json);

    struct target *watcher = target_start(
        false,
        LIST(LEAKSPY_COMMAND, "report", "--watch", "1m", "--format", "json", target->pid_text),
        NULL);
    long naps = wait_for_nap(watcher, 0);
    load_server(port, 30);
    naps = wait_for_nap(watcher, naps); /* that look may have begun before the load had ended */
    wait_for_nap(watcher, naps);
    kill(watcher->pid, SIGINT);
    struct outcome outcome = target_wait(watcher);
    assert_int_equal(outcome.status, 0);
    json = json_loads(outcome.out, 0, NULL);
    assert_non_null(json);
    outcome_deinit(&outcome);
    leak.count = 50;
    assert_group(json, &leak);
    group = find_group(json, &leak);
    assert_int_equal(json_integer_value(json_at(group, "watch.first_count")), 20);
    assert_int_equal(json_integer_value(json_at(group, "watch.stayed")), 20);
    assert_true(has_note(json, "interrupted"));
    json_decref(json);
    target_end(watcher);
    target_end(target);
}

/* ---- */

struct suite {
    struct CMUnitTest tests[64];
    size_t count;
};

static void add(struct suite *suite, const char *what, const char *name, CMUnitTestFunction test,
                const void *row)
{
    char *whole = malloc(128);
    if (!whole)
        abort();
    snprintf(whole, 128, "%s__%s", name, what);
    suite->tests[suite->count++] =
        (struct CMUnitTest){whole, test, NULL, end_all_targets, (void *)(uintptr_t)row};
}

static void add_waits(struct suite *suite)
{
    for (size_t i = 0; i < LIBGO_ROWS; i++)
        add(suite, "is_told", libgo_rows[i].where, parked__is_told, &libgo_rows[i]);
    add(suite, "are_told", "select_its_channels", select__its_channels__are_told, NULL);
    add(suite, "is_told", "locks_what_they_say", locks__what_they_say__is_told, NULL);
    add(suite, "is_no_finding", "runtime_its_own", runtime__its_own__is_no_finding, NULL);
    /* These share one program, which end_waits ends. */
    for (size_t i = 0; i < suite->count; i++)
        suite->tests[i].teardown_func = NULL;
}

int main(int argc, char **argv)
{
    static struct suite suite;
    const char *group = argc > 1 ? argv[1] : "";
    size_t server_count = 1;
#ifdef LEAKSPY_HAVE_GCCGO
    server_count = SERVERS;
#endif
    if (strcmp(group, "waits") == 0)
        add_waits(&suite);
    if (strcmp(group, "timers") == 0) {
        add(&suite, "is_a_deadline_unless_it_was_stopped", "timer",
            timer__is_a_deadline_unless_it_was_stopped, NULL);
        add(&suite, "is_a_deadline_unless_it_was_stopped", "timer__recorded",
            timer__recorded__is_a_deadline_unless_it_was_stopped, NULL);
    }
    for (size_t i = 0; i < server_count; i++) {
        if (strcmp(group, "server") == 0)
            add(&suite, "leaves_one_group_of_fifty", servers[i].program,
                server__leaves_one_group_of_fifty, &servers[i]);
        if (strcmp(group, "watch") == 0)
            add(&suite, "what_stays_and_what_grows_is_told", servers[i].program,
                watched__what_stays_and_what_grows__is_told, &servers[i]);
    }
    for (size_t i = 0; i < LENGTH(samples); i++) {
        if (strcmp(group, "samples") == 0)
            add(&suite, "its_leak_is_found", samples[i].name, sample__its_leak_is_found,
                &samples[i]);
        if (strcmp(group, "fixed") == 0)
            add(&suite, "is_silent_to_who_watches", samples[i].name,
                fixed__is_silent_to_who_watches, samples[i].name);
    }
    if (suite.count == 0) {
        fprintf(stderr, "usage: test_inspect server|samples|fixed|waits|timers|watch\n");
        return 2;
    }
    bool shared = strcmp(group, "waits") == 0;
    int failed = _cmocka_run_group_tests(group, suite.tests, suite.count,
                                         shared ? start_waits : NULL, shared ? end_waits : NULL);
    for (size_t i = 0; i < suite.count; i++)
        free((char *)(uintptr_t)suite.tests[i].name);
    return failed;
}
