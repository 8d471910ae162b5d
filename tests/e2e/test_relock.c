/* Who is woken from a condition and cannot have its mutex again waits for the mutex, not for the
 * condition: as a thread by what the kernel says, as a task by what its runtime does. */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PROGRAM LEAKSPY_TARGETS "/relock"

static const struct way {
    const char *name, *kind, *call, *function;
    const char *mark; /* of the line */
} ways[] = {
    {"cond_wait", "thread", "pthread_cond_wait", "in_cond_wait", "waits here: cond_wait"},
    {"cond_timedwait", "thread", "pthread_cond_timedwait", "in_cond_timedwait",
     "waits here: cond_timedwait"},
    {"priorities", "thread", "pthread_cond_wait", "in_cond_wait", "waits here: cond_wait"},
    {"cnd_wait", "thread", "cnd_wait", "in_cnd_wait", "waits here: cnd_wait"},
    {"taskrt_cond_wait", "task", "taskrt_cond_wait", "in_task_cond_wait",
     "waits here: taskrt_cond_wait"},
};

static struct expected_group expected_of(const struct way *way)
{
    return (struct expected_group){
        .verdict = "stuck",
        .kind = way->kind,
        .op = "mutex lock",
        .call = way->call,
        .object_kind = "mutex",
        .count = 1,
        .wait_function = way->function,
        .wait_file = "relock.c",
        .wait_line = line_of("tests/e2e/relock.c", way->mark),
        .deadline = NO_DEADLINE,
    };
}

static struct target *start(const char *way)
{
    struct target *target = target_start(true, LIST(PROGRAM, way), NULL);
    target_wait_line(target, "woken");
    return target;
}

static void woken_one_without_its_mutex__waits_for_that_until_it_has_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(ways); i++) {
        const struct expected_group group = expected_of(&ways[i]);
        const struct expected_group cond = {.op = "cond wait"};
        struct target *target = start(ways[i].name);
        json_t *json = wait_for_group(target, "100ms", NULL, &group);
        assert_null(find_group(json, &cond));
        json_decref(json);

        assert_int_equal(write(target->stdin_fd, "x", 1), 1);
        target_wait_line(target, "over");
        target_wait_walks(target, 2, 100);
        json = report(target->recording, "0", LIST("--all"));
        assert_null(find_group(json, &group));
        json_decref(json);
        target_finish(target);
    }
}

static void woken_one_without_its_mutex__is_told_after_kill(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(ways); i++) {
        const struct expected_group group = expected_of(&ways[i]);
        struct target *target = start(ways[i].name);
        json_decref(wait_for_group(target, "100ms", NULL, &group));
        target_kill(target, SIGKILL);
        json_t *json = report(target->recording, "0", NULL);
        assert_group(json, &group);
        json_decref(json);
        target_end(target);
    }
}

static void woken_one_whose_waker_waits_for_it__is_deadlocked(void **state)
{
    const struct expected_group woken = {.verdict = "deadlocked",
                                         .op = "mutex lock",
                                         .call = "pthread_cond_wait",
                                         .count = 1,
                                         .wait_function = "in_cond_wait_with_another"};
    const struct expected_group waker = {.verdict = "deadlocked",
                                         .op = "mutex lock",
                                         .call = "pthread_mutex_lock",
                                         .count = 1,
                                         .wait_function = "wake_and_lock"};
    (void)state;
    struct target *target = start("deadlock");
    json_t *json = wait_for_group(target, "100ms", NULL, &woken);
    assert_group(json, &waker);
    json_decref(json);
    target_end(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(woken_one_without_its_mutex__waits_for_that_until_it_has_it,
                                  end_all_targets),
        cmocka_unit_test_teardown(woken_one_without_its_mutex__is_told_after_kill, end_all_targets),
        cmocka_unit_test_teardown(woken_one_whose_waker_waits_for_it__is_deadlocked,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
