/* What a stopping runtime leaves behind is never taken for proof: see slow_stop.c. */
#include "tests/e2e/harness.h"

#include <string.h>
#include <unistd.h>

static const struct expected_group leaked = {.verdict = "leaked"};
static const struct expected_group selects = {.kind = "task", .op = "select", .count = 20};

/* A stack of a send holds the function that sends, or was not recorded: the zeroes that are there
 * now are none. */
static void assert_no_false_stack(const json_t *json)
{
    size_t i, frame, sends = 0;
    const json_t *group, *at;
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        const json_t *stack = json_object_get(group, "wait_stack");
        bool found = json_array_size(stack) == 0;
        if (strcmp(json_string_value(json_object_get(group, "op")), "chan send") != 0)
            continue;
        sends += (size_t)json_integer_value(json_object_get(group, "count"));
        json_array_foreach(stack, frame, at)
        {
            const char *function = json_string_value(json_object_get(at, "function"));
            found |= function && strcmp(function, "send_late") == 0;
        }
        assert_true(found);
    }
    assert_int_equal(sends, 20);
}

/* A program that stands in the middle of its stop. */
static struct target *start(bool preload)
{
    struct target *target = target_start(preload, LIST(LEAKSPY_TARGETS "/slow_stop"), NULL);
    target_wait_line(target, "ready");
    if (preload)
        json_decref(wait_for_group(target, "60ms", NULL, &selects));
    assert_int_equal(write(target->stdin_fd, "\n", 1), 1);
    target_wait_line(target, "given back");
    return target;
}

static void end(struct target *target)
{
    assert_int_equal(write(target->stdin_fd, "\n", 1), 1);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
}

static void recording_of_a_runtime_that_stops__proves_nothing(void **state)
{
    (void)state;
    struct target *target = start(true);
    target_wait_walks(target, 4, 200);
    json_t *json = report(target->recording, "0", LIST("--all"));
    assert_null(find_group(json, &leaked));
    assert_no_false_stack(json);
    json_decref(json);
    end(target);
    json = report(target->recording, "0", LIST("--all"));
    assert_null(find_group(json, &leaked));
    assert_no_false_stack(json);
    json_decref(json);
    target_end(target);
}

static void process_of_a_runtime_that_stops__proves_nothing(void **state)
{
    (void)state;
    struct target *target = start(false);
    json_t *json = report(target->pid_text, "0", LIST("--all"));
    assert_null(find_group(json, &leaked));
    json_decref(json);
    end(target);
    target_end(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(recording_of_a_runtime_that_stops__proves_nothing,
                                  end_all_targets),
        cmocka_unit_test_teardown(process_of_a_runtime_that_stops__proves_nothing, end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
