/* A program whose threads always get on is never told to be deadlocked, and one that is, at once.
 */
#include "tests/e2e/harness.h"

#include <stdio.h>

#define REPORTS 100

static void threads_that_keep_an_order__are_never_deadlocked(void **state)
{
    char path[512];
    size_t waits = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/ordered_locks", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    for (int i = 0; i < REPORTS; i++) {
        json_t *json = report(target->pid_text, i % 2 ? "0" : "10s", LIST("--all"));
        const struct expected_group lock = {.op = "mutex lock"};
        const struct expected_group deadlocked = {.verdict = "deadlocked"};
        waits += find_group(json, &lock) != NULL;
        if (find_group(json, &deadlocked)) {
            char *text = json_dumps(find_group(json, &deadlocked), JSON_INDENT(1));
            fail_msg("report %d: %s", i, text);
        }
        json_decref(json);
    }
    /* There was something to be wrong about. */
    assert_true(waits > REPORTS / 2);
    target_end(target);
}

static void threads_that_do_not__are_deadlocked_by_one_report(void **state)
{
    const struct expected_group deadlocked = {
        .verdict = "deadlocked", .kind = "thread", .op = "mutex lock", .count = 2};
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/lock_order_deadlock", LEAKSPY_SAMPLES);
    for (int i = 0; i < 5; i++) {
        struct target *target = target_start(false, LIST(path), NULL);
        target_wait_line(target, "ready");
        sleep_ms(300);
        for (int again = 0; again < 3; again++) {
            json_t *json = report(target->pid_text, "0", NULL);
            assert_group(json, &deadlocked);
            json_decref(json);
        }
        target_end(target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(threads_that_keep_an_order__are_never_deadlocked,
                                  end_all_targets),
        cmocka_unit_test_teardown(threads_that_do_not__are_deadlocked_by_one_report,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
