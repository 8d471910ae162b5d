/* A program that counts its threads finds those that it made, and what it waits for afterwards is
 * told all the same: see counts_threads.c. */
#include "tests/e2e/harness.h"

#include <string.h>

#define PROGRAM LEAKSPY_TARGETS "/counts_threads"

static const char *const often[] = {"LEAKSPY_SAMPLE=5ms", NULL};

static void program_that_counts_its_threads__finds_its_own(void **state)
{
    static const char *const ends[] = {"reads", "joins", "exits"};
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_same_behaviour(LIST(PROGRAM, ends[i]), often);
    struct outcome outcome = run_program(true, LIST(PROGRAM, "reads"), often);
    assert_non_null(strstr(outcome.out, "program: fstatat64: 1\n"));
    assert_non_null(strstr(outcome.out, "child: fopen: 1\n"));
    outcome_deinit(&outcome);
}

/* How it ends, and the groups that there are then. */
static void is_told(const char *end, size_t groups, const struct expected_group *expected)
{
    struct target *target = target_start(true, LIST(PROGRAM, end), often);
    target_wait_line(target, "in the end: 1");
    json_decref(wait_for_group(target, "60ms", NULL, expected));
    json_t *json = report(target->recording, "60ms", LIST("--all"));
    assert_int_equal(json_array_size(json_at(json, "groups")), groups);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    target_finish(target);
}

static const struct expected_group parked = {.kind = "thread",
                                             .op = "io wait",
                                             .call = "read",
                                             .count = 1,
                                             .wait_function = "park",
                                             .wait_file = "counts_threads.c"};

static void wait_after_it_counted__is_told(void **state)
{
    (void)state;
    is_told("reads", 1, &parked);
}

static void thread_that_it_started_then__is_told(void **state)
{
    (void)state;
    is_told("joins", 2, &parked);
}

static void first_thread_that_ended_then__is_told_no_more(void **state)
{
    (void)state;
    is_told("exits", 1, &parked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_that_counts_its_threads__finds_its_own),
        cmocka_unit_test(wait_after_it_counted__is_told),
        cmocka_unit_test(thread_that_it_started_then__is_told),
        cmocka_unit_test(first_thread_that_ended_then__is_told_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, end_all_targets);
}
