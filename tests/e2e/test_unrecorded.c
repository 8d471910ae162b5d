/* Threads that sleep, and that the library does not know: a report on their recording says so, and
 * how to see them. */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM LEAKSPY_TARGETS "/unrecorded"

/* The kernel has to say since when a thread sleeps. */
static struct target *start(const char *const argv[])
{
    if (access("/proc/self/sched", R_OK) != 0)
        skip();
    struct target *target = target_start(true, argv, NULL);
    target_wait_line(target, "ready");
    wait_for_recording(target->recording);
    return target;
}

/* The report in which something that the notes say stands. */
static json_t *wait_for_note(struct target *target, const char *part)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (;;) {
        json_t *json = report(target->recording, "0", LIST("--all"));
        if (has_note(json, part))
            return json;
        if (now_ms() > deadline_ms)
            fail_msg("no note of \"%s\"", part);
        json_decref(json);
        sleep_ms(20);
    }
}

static void thread_that_is_not_known__is_noted_with_what_tells_of_it(void **state)
{
    const struct expected_group reads = {
        .op = "io wait", .call = "read", .count = 1, .wait_function = "in_bare_thread"};
    char remedy[64];
    (void)state;
    struct target *target = start(LIST(PROGRAM, "bare_thread"));
    json_t *json = wait_for_note(target, "1 thread is not told, asleep in a call that is not");
    assert_true(has_note(json, " in read"));
    snprintf(remedy, sizeof remedy, "'leakspy report --no-recording %s' tells of it",
             target->pid_text);
    assert_true(has_note(json, remedy));
    assert_null(find_group(json, &reads));
    json_decref(json);

    json = report(target->pid_text, "0", LIST("--no-recording", "--all"));
    assert_group(json, &reads);
    assert_false(has_note(json, "not told"));
    json_decref(json);

    /* Of a process that is gone nobody knows. */
    kill(target->pid, SIGKILL);
    struct outcome outcome = target_wait(target);
    outcome_deinit(&outcome);
    json = report(target->recording, "0", LIST("--all"));
    assert_false(has_note(json, "not told"));
    json_decref(json);
    target_end(target);
}

static void many_threads__are_counted(void **state)
{
    (void)state;
    struct target *target = start(LIST(PROGRAM, "bare_thread", "bare_thread", "bare_thread",
                                       "bare_thread", "bare_thread", "bare_read", "read"));
    json_t *json = wait_for_note(target, "5 threads are not told, asleep in calls that are not");
    assert_true(has_note(json, ", 2 more): 'leakspy report"));
    json_decref(json);
    target_end(target);
}

/* *state: how it waits, in a call that a wrapper sees, or in one that the kernel tells of. */
static void thread_that_the_library_tells_of__is_not_noted(void **state)
{
    char function[32];
    snprintf(function, sizeof function, "in_%s", (const char *)*state);
    const struct expected_group reads = {.op = "io wait", .wait_function = function};
    struct target *target = start(LIST(PROGRAM, *state));
    json_decref(wait_for_group(target, "0", LIST("--all"), &reads));
    for (int i = 0; i < 3; i++) {
        json_t *json = report(target->recording, "0", LIST("--all"));
        assert_false(has_note(json, "not told"));
        json_decref(json);
    }
    target_end(target);
}

static void thread_that_sleeps_for_less_than_the_threshold__is_not_noted(void **state)
{
    (void)state;
    struct target *target = start(LIST(PROGRAM, "bare_thread"));
    json_decref(wait_for_note(target, "not told"));
    json_t *json = report(target->recording, "1h", LIST("--all"));
    assert_false(has_note(json, "not told"));
    json_decref(json);
    target_end(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(thread_that_is_not_known__is_noted_with_what_tells_of_it,
                                  end_all_targets),
        cmocka_unit_test_teardown(many_threads__are_counted, end_all_targets),
        {"thread_in_a_call_that_a_wrapper_sees__is_not_noted",
         thread_that_the_library_tells_of__is_not_noted, NULL, end_all_targets,
         (void *)(uintptr_t) "read"},
        {"thread_in_a_call_that_no_wrapper_sees__is_not_noted",
         thread_that_the_library_tells_of__is_not_noted, NULL, end_all_targets,
         (void *)(uintptr_t) "bare_read"},
        cmocka_unit_test_teardown(thread_that_sleeps_for_less_than_the_threshold__is_not_noted,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
