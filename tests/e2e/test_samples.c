/* Every sample's leak is found, with the functions and lines of its source; every fixed twin is
 * silent; and each behaves the same with and without the preload. */
#include "tests/e2e/harness.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A leak of a sample. The lines are those that hold the marks. */
struct sample {
    const char *name; /* of the file, without its .c or .go */
    struct expected_group group;
    const char *wait_mark, *spawn_mark;
    bool go;
};

#define LEAK_AT(name, verdict_, kind_, op_, count_, wait, wait_mark, spawn, spawn_mark)            \
    {                                                                                              \
        name,                                                                                      \
            {.verdict = verdict_,                                                                  \
             .kind = kind_,                                                                        \
             .op = op_,                                                                            \
             .count = count_,                                                                      \
             .wait_function = wait,                                                                \
             .spawn_function = spawn},                                                             \
            wait_mark, spawn_mark, false                                                           \
    }
#define LEAK(name, verdict, kind, op, count, wait, spawn)                                          \
    LEAK_AT(name, verdict, kind, op, count, wait, "/* parks here", spawn, "/* spawned here")
#define GO_LEAK(name, verdict_, op_, count_, wait, spawn)                                          \
    {                                                                                              \
        name,                                                                                      \
            {.verdict = verdict_,                                                                  \
             .kind = "goroutine",                                                                  \
             .op = op_,                                                                            \
             .count = count_,                                                                      \
             .wait_function = wait,                                                                \
             .spawn_function = spawn},                                                             \
            "// parks here", "// spawned here", true                                               \
    }

/* clang-format off */
static const struct sample samples[] = {
    LEAK("receive_without_sender", "stuck", "task", "chan receive", 1, "await_result", "submit"),
    LEAK("send_after_early_return", "stuck", "task", "chan send", 1, "compute", "process"),
    LEAK("timeout_leak", "stuck", "task", "chan send", 1, "slow_query", "query_with_timeout"),
    LEAK("double_send", "stuck", "task", "chan send", 1, "fetch", "fetch_or_fail"),
    LEAK("never_closed_range", "stuck", "task", "chan receive", 3, "consume", "produce"),
    LEAK("select_no_live_case", "stuck", "task", "select", 1, "serve", "start_service"),
    LEAK("waitgroup_never_done", "stuck", "task", "waitgroup wait", 1, "collect", "run"),
    LEAK("dead_peer_task", "stuck", "task", "io wait", 1, "client", "call_peer"),
    LEAK("task_lock_order_deadlock", "deadlocked", "task", "mutex lock", 2, "lock_both", "start_both"),
    LEAK_AT("mixed_hand_off", "stuck", "task", "chan receive", 1,
            "work", "/* task parks here", "start", "/* task spawned here"),
    LEAK_AT("mixed_hand_off", "stuck", "thread", "sem wait", 1,
            "await_work", "/* thread parks here", "start", "/* thread spawned here"),
    LEAK("dead_peer_read", "stuck", "thread", "io wait", 1, "client", "call_peer"),
    LEAK("lock_order_deadlock", "deadlocked", "thread", "mutex lock", 2, "transfer", "start_transfers"),
    LEAK("lost_condition_signal", "stuck", "thread", "cond wait", 1, "use_data", "load_and_use"),
    LEAK_AT("join_parked_thread", "stuck", "thread", "sem wait", 1,
            "do_work", "/* parks here", "supervise", "/* worker spawned here"),
    LEAK_AT("join_parked_thread", "stuck", "thread", "thread join", 1,
            "supervise", "/* joins here", "start", "/* spawned here"),
    LEAK("barrier_one_short", "stuck", "thread", "barrier wait", 2, "phase", "start_phases"),
    LEAK("rwlock_reader_keeps", "stuck", "thread", "rwlock wrlock", 1, "update", "start_update"),
    LEAK("c11_mutex_never_unlocked", "stuck", "thread", "mutex lock", 1, "come_next", "start_both"),
    LEAK("c11_condition_never_signalled", "stuck", "thread", "cond wait", 1, "consume", "start_consumer"),
    LEAK("c11_join_parked_thread", "stuck", "thread", "thread join", 1, "shut_down", "start"),
    LEAK("futex_missed_wake", "stuck", "thread", "futex wait", 1, "park", "start"),
    LEAK("unjoined_threads", "unjoined", "thread", NULL, 5, NULL, "start_workers"),
#ifdef LEAKSPY_HAVE_GCCGO
    GO_LEAK("chan_send_early_return", "stuck", "chan send", 1, "main.compute", "main.process"),
    GO_LEAK("timeout_leak", "stuck", "chan send", 1, "main.slowQuery", "main.queryWithTimeout"),
    GO_LEAK("select_no_case", "leaked", "select (no cases)", 1, "main.keepAlive", "main.start"),
    GO_LEAK("mutex_deadlock", "stuck", "semacquire", 2, "main.transfer", "main.startTransfers"),
    GO_LEAK("waitgroup_never_done", "stuck", "semacquire", 1, "main.collect", "main.start"),
#endif
};
/* clang-format on */

static const struct sample *sample_of(void **state)
{
    return *state;
}

static char *binary_of(const struct sample *sample, bool fixed, char path[512])
{
    snprintf(path, 512, "%s/%s%s%s", LEAKSPY_SAMPLES, sample->name, sample->go ? "_go" : "",
             fixed ? "_fixed" : "");
    return path;
}

static struct expected_group expected_of(const struct sample *sample)
{
    static char file[128], path[256];
    struct expected_group group = sample->group;
    snprintf(file, sizeof file, "%s.%s", sample->name, sample->go ? "go" : "c");
    snprintf(path, sizeof path, "samples/%s", file);
    if (group.wait_function) {
        group.wait_file = file;
        group.wait_line = line_of(path, sample->wait_mark);
    }
    group.spawn_file = file;
    group.spawn_line = line_of(path, sample->spawn_mark);
    return group;
}

static void leak__is_found_alive_and_killed(void **state)
{
    const struct sample *sample = sample_of(state);
    struct expected_group expected = expected_of(sample);
    char path[512];
    struct target *target = target_start(true, LIST(binary_of(sample, false, path)), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "100ms", NULL, &expected);
    assert_group(json, &expected);
    json_decref(json);

    target_wait_walks(target, 2, 0); /* ages of a dead process are those of the last walk */
    target_kill(target, SIGKILL);
    json = report(target->recording, "100ms", NULL);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

static void fixed_twin__is_silent(void **state)
{
    char path[512];
    struct target *target = target_start(true, LIST(binary_of(sample_of(state), true, path)), NULL);
    target_wait_line(target, "ready");
    assert_silent(target);
    target_end(target);
}

static void both_twins__behave_the_same_with_and_without(void **state)
{
    char path[512];
    assert_same_behaviour(LIST(binary_of(sample_of(state), false, path)), NULL);
    assert_same_behaviour(LIST(binary_of(sample_of(state), true, path)), NULL);
}

/* The samples hold by waiting for 100 ms at most, again and again: each of these waits is a new
 * one, however long the program has been at it. */
static void timed_wait_in_a_loop__is_a_new_one_each_time(void **state)
{
    const char *function = *state; /* that waits; tasks have one of their own */
    bool task = strcmp(function, "sample_hold_task") == 0;
    const struct expected_group loop = {.verdict = "waiting",
                                        .kind = task ? "task" : "thread",
                                        .count = 1,
                                        .wait_function = function,
                                        .deadline = WITH_DEADLINE};
    char path[512];
    const struct sample sample = {.name = task ? "select_no_live_case" : "lock_order_deadlock"};
    /* Looked at several times while it lasts, also on a busy machine: its stack needs two. */
    struct target *target =
        target_start(true, LIST(binary_of(&sample, false, path)), LIST("LEAKSPY_SAMPLE=10ms"));
    target_wait_line(target, "ready");
    target_wait_walks(target, 2, 1000);
    /* On a busy machine one of them may last longer, but not every one. */
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    json_int_t oldest_ns = INT64_MAX;
    while (oldest_ns > 600 * INT64_C(1000000)) {
        json_t *json = wait_for_group(target, "0", LIST("--all"), &loop);
        oldest_ns = json_integer_value(json_object_get(find_group(json, &loop), "oldest_ns"));
        json_decref(json);
        assert_true(now_ms() < deadline_ms);
    }
    target_end(target);
}

static size_t add_test(struct CMUnitTest *tests, size_t count, const char *what,
                       CMUnitTestFunction function, const struct sample *sample)
{
    char *name = malloc(128);
    if (!name)
        abort();
    snprintf(name, 128, "%s%s__%s", sample->name, sample->go ? "_go" : "", what);
    tests[count] =
        (struct CMUnitTest){name, function, NULL, end_all_targets, (void *)(uintptr_t)sample};
    return count + 1;
}

static bool has_row(const char *file)
{
    static const char *const others[] = {"server.c", "server.go",        "load.c",
                                         "hold.go",  "variant_leaky.go", "variant_fixed.go"};
    char name[128];
    for (size_t i = 0; i < LENGTH(others); i++)
        if (strcmp(others[i], file) == 0)
            return true;
    for (size_t i = 0; i < LENGTH(samples); i++) {
        snprintf(name, sizeof name, "%s.%s", samples[i].name, samples[i].go ? "go" : "c");
        if (strcmp(name, file) == 0)
            return true;
    }
    return false;
}

static void every_sample__has_a_row(void **state)
{
    static const char *const patterns[] = {
        LEAKSPY_SOURCE_DIR "/samples/*.c",
#ifdef LEAKSPY_HAVE_GCCGO
        LEAKSPY_SOURCE_DIR "/samples/*.go",
#endif
    };
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < LENGTH(patterns); i++) {
        glob_t files;
        assert_int_equal(glob(patterns[i], 0, NULL, &files), 0);
        for (size_t j = 0; j < files.gl_pathc; j++)
            if (!has_row(strrchr(files.gl_pathv[j], '/') + 1)) {
                fprintf(stderr, "no row for %s\n", files.gl_pathv[j]);
                missing++;
            }
        globfree(&files);
    }
    assert_int_equal(missing, 0);
}

static const char of_a_thread[] = "sample_hold", of_a_task[] = "sample_hold_task";

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(every_sample__has_a_row),
        {"thread__timed_wait_in_a_loop__is_a_new_one_each_time",
         timed_wait_in_a_loop__is_a_new_one_each_time, NULL, end_all_targets,
         (void *)(uintptr_t)of_a_thread},
        {"task__timed_wait_in_a_loop__is_a_new_one_each_time",
         timed_wait_in_a_loop__is_a_new_one_each_time, NULL, end_all_targets,
         (void *)(uintptr_t)of_a_task},
    };
    static struct CMUnitTest tests[3 * LENGTH(samples)];
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(samples); i++) {
        const struct sample *sample = &samples[i];
        count = add_test(tests, count, "is_found", leak__is_found_alive_and_killed, sample);
        if (i > 0 && strcmp(sample[-1].name, sample->name) == 0)
            continue; /* another leak of the same sample */
        count = add_test(tests, count, "fixed_is_silent", fixed_twin__is_silent, sample);
        count = add_test(tests, count, "behaves_the_same",
                         both_twins__behave_the_same_with_and_without, sample);
    }
    int failed = _cmocka_run_group_tests("samples", tests, count, NULL, NULL);
    failed += cmocka_run_group_tests(others, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)tests[i].name);
    return failed;
}
