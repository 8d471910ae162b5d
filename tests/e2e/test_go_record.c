/* Recordings of programs of Go's own compiler: preloaded where they load libraries, else from
 * outside by `leakspy run`. What both tell. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/e2e/go_recorded.h"

static void source__of_a_go_program__says_which_go(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("park", "3"), NULL);
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    assert_true(go_minor(json) >= 18);
    assert_string_at(json, "source.kind", "recording");
    assert_string_at(json, "source.end", "running");
    assert_string_at(json, "source.exe", way->program);
    assert_string_equal(json_string_value(json_array_get(json_at(json, "source.cmdline"), 1)),
                        "park");
    /* What came and went between two looks was not counted. */
    assert_true(json_is_null(json_at(json, "totals.spawned")));
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    end(way, target);
}

/* It is known by the process's number, and in the list, whoever writes it. */
static void process__that_is_recorded__gives_its_recording(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("park", "3"), NULL);
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)json_integer_value(json_at(json, "source.pid")));
    json_decref(json);
    json = report(pid, "60ms", NULL);
    assert_string_at(json, "source.kind", "recording");
    assert_string_at(json, "source.path", target->recording);
    assert_group(json, &parked);
    json_decref(json);

    struct outcome list = run_program(false, LIST(LEAKSPY_COMMAND, "list", "--format=json"), NULL);
    assert_int_equal(list.status, 0);
    json = json_loads(list.out, 0, NULL);
    const json_t *row, *found = NULL;
    size_t i;
    json_array_foreach(json_object_get(json, "recordings"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "path")), target->recording) == 0)
            found = row;
    }
    assert_non_null(found);
    assert_string_at(found, "state", "running");
    assert_int_equal(json_integer_value(json_object_get(found, "pid")), atoi(pid));
    json_decref(json);
    outcome_deinit(&list);
    end(way, target);
}

/* Threads on which goroutines run are not told beside them, unless they wait in C. */
static void threads__that_run_goroutines__are_not_told(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("park", "3"), NULL);
    wait_ready(target);
    target_wait_walks(target, 3, 0);
    json_decref(wait_for_group(target, "60ms", NULL, &parked));
    json_t *json = report(target->recording, "0", LIST("--all"));
    const struct expected_group threads = {.kind = "thread"};
    assert_null(find_group(json, &threads));
    assert_int_equal(json_integer_value(json_at(json, "totals.tasks")),
                     json_integer_value(json_at(json, "totals.parked")) +
                         json_integer_value(json_at(json, "totals.running")));
    json_decref(json);
    end(way, target);
}

static void thread__that_waits_in_c__is_told(void **state)
{
    const struct way *way = &ways[0];
    const struct expected_group lock = {
        .verdict = "stuck",
        .kind = "thread",
        .op = "mutex lock",
        .count = 1,
        .wait_function = "lock_in_c",
    };
    (void)state;
    struct target *target = start(way, way->program, LIST("mutex"), NULL);
    wait_ready(target);
    json_decref(wait_for_group(target, "60ms", NULL, &lock));
    target_wait_walks(target, 2, 0);
    json_t *json = report(target->recording, "60ms", NULL);
    assert_group(json, &lock); /* not deadlocked, though the lock was taken on its own thread */
    json_decref(json);
    end(way, target);

    target = target_start(false, LIST(DYNAMIC, "mutex"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group_in(target->pid_text, "60ms", NULL, &lock));
    target_end(target);
}

static void deadlock__of_goroutines_that_keep_their_threads__is_told(void **state)
{
    const struct expected_group deadlocked = {
        .verdict = "deadlocked",
        .kind = "thread",
        .op = "mutex lock",
        .wait_function = "lock_in_c",
    };
    (void)state;
    for (int preload = 0; preload < 2; preload++) {
        struct target *target = target_start(preload, LIST(DYNAMIC, "mutex", "locked"), NULL);
        target_wait_line(target, "ready");
        json_decref(preload ? wait_for_group(target, "60ms", NULL, &deadlocked)
                            : wait_for_group_in(target->pid_text, "60ms", NULL, &deadlocked));
        target_end(target);
    }
}

static size_t count_labels(const json_t *json, const char *key, const char *value)
{
    const json_t *group = find_group(json, &(struct expected_group){.op = "chan receive"});
    size_t count = 0, i;
    const json_t *task;
    json_array_foreach(json_object_get(group, "tasks"), i, task)
    {
        const json_t *labels = json_object_get(task, "labels");
        const char *found = json_string_value(json_object_get(labels, key));
        count += key ? found && strcmp(found, value) == 0 : json_object_size(labels) == 0;
    }
    return count;
}

static void labels__of_goroutines__are_recorded(void **state)
{
    const struct way *way = *state;
    struct expected_group four = parked;
    four.count = 4;
    struct target *target = start(way, way->program, LIST("labels"), NULL);
    wait_ready(target);
    json_decref(wait_for_group(target, "60ms", NULL, &four));
    target_wait_walks(target, 2, 0);
    json_t *json = report(target->recording, "60ms", NULL);
    assert_int_equal(count_labels(json, "request", "42"), 2);
    assert_int_equal(count_labels(json, "user", "somebody"), 2);
    assert_int_equal(count_labels(json, "empty", ""), 1);
    assert_int_equal(count_labels(json, NULL, NULL), 1);
    json_decref(json);
    end(way, target);
}

static void goroutines__that_the_collector_found__are_leaked(void **state)
{
    const struct way *way = *state;
    struct expected_group leaked = parked;
    leaked.verdict = "leaked";
    struct target *target = start(way, way->program, LIST("leak", "3"), NULL);
    wait_ready(target);
    json_t *json = report(target->recording, "60ms", NULL);
    bool finds_leaks = go_minor(json) >= 27;
    json_decref(json);
    if (finds_leaks)
        json_decref(wait_for_group(target, "60ms", NULL, &leaked));
    end(way, target);
    if (!finds_leaks)
        skip();
}

static void assert_timers(struct target *target, bool first, bool second)
{
    const struct expected_group groups[] = {
        {.op = "chan receive",
         .wait_function = "main.waitForFirst",
         .deadline = first ? WITH_DEADLINE : NO_DEADLINE},
        {.op = "chan receive",
         .wait_function = "main.waitForSecond",
         .deadline = second ? WITH_DEADLINE : NO_DEADLINE},
    };
    for (size_t i = 0; i < LENGTH(groups); i++)
        json_decref(wait_for_group(target, "60ms", LIST("--all"), &groups[i]));
}

/* Of waits that last. */
static void deadlines__set_and_stopped_meanwhile__are_recorded(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("timers"), NULL);
    target_wait_line(target, "parked");
    assert_timers(target, false, true);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "ready");
    assert_timers(target, true, false);
    end(way, target);
}

/* Until the lock that a function waits for is said to have a value. */
static void wait_for_value(struct target *target, const char *function, const char *key, int value)
{
    const struct expected_group waits = {.verdict = "stuck", .wait_function = function};
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS;;) {
        json_t *json = wait_for_group(target, "60ms", NULL, &waits);
        const json_t *found =
            json_object_get(json_object_get(find_group(json, &waits), "object"), key);
        bool holds = json_is_integer(found) && json_integer_value(found) == value;
        json_decref(json);
        if (holds)
            return;
        if (now_ms() > deadline_ms)
            fail_msg("the lock in %s has no %s of %d", function, key, value);
    }
}

/* As long as goroutines wait for them, and of the next ones. */
static void locks__changed_meanwhile__are_told_as_they_are(void **state)
{
    const struct way *way = *state;
    struct target *target = start(way, way->program, LIST("locks"), NULL);
    target_wait_line(target, "parked");
    wait_for_value(target, "main.waitForDone", "counter", 2);
    wait_for_value(target, "main.takeToRead", "readers", 2);
    wait_for_value(target, "main.takeToWrite", "readers", 2);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "changed");
    wait_for_value(target, "main.waitForDone", "counter", 1);
    wait_for_value(target, "main.takeToRead", "readers", 1);
    wait_for_value(target, "main.takeToWrite", "readers", 1);
    assert_int_equal(write(target->stdin_fd, "x", 1), 1);
    target_wait_line(target, "ready");
    wait_for_value(target, "main.waitForDone", "counter", 5);
    wait_for_value(target, "main.takeToRead", "readers", 0);
    end(way, target);
}

/* With GODEBUG, the runtime keeps the stacks of those that created goroutines. */
static void ancestors__where_they_are_kept__are_the_spawn_stack(void **state)
{
    const struct way *way = *state;
    struct target *target =
        start(way, way->program, LIST("park", "3"), "GODEBUG=tracebackancestors=2");
    wait_ready(target);
    json_t *json = wait_for_group(target, "60ms", NULL, &parked);
    const struct expected_group with_creator = {
        .op = "chan receive",
        .spawn_function = "main.park",
    };
    assert_group(json, &with_creator);
    json_decref(json);
    end(way, target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(source__of_a_go_program__says_which_go),
        EACH(process__that_is_recorded__gives_its_recording),
        EACH(threads__that_run_goroutines__are_not_told),
        ONCE(thread__that_waits_in_c__is_told),
        ONCE(deadlock__of_goroutines_that_keep_their_threads__is_told),
        EACH(labels__of_goroutines__are_recorded),
        EACH(goroutines__that_the_collector_found__are_leaked),
        EACH(deadlines__set_and_stopped_meanwhile__are_recorded),
        EACH(locks__changed_meanwhile__are_told_as_they_are),
        EACH(ancestors__where_they_are_kept__are_the_spawn_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
