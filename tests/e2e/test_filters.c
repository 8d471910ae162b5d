/* Programs under a system call filter: that of any call changes nothing, and what is parked under
 * one is told. Rows of test_at_limits say what is recorded under which. With LIMITS_FULL in the
 * environment, also what takes minutes.
 *
 * Usage: test_filters [PATTERN]      (only what has a name like it) */
#include "tests/e2e/harness.h"
#include "tests/e2e/limits_program.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- any call ---- */

enum { CALLS = 460, WAYS = 4 };                          /* more than Linux 6.1 has */
#define PATIENTLY "/usr/bin/timeout", "-s", "KILL", "20" /* some cannot even end */

/* What the loader says of a library that it cannot load it says of ours as well. */
static bool is_said_by_the_loader(const struct outcome *bare)
{
    return WIFEXITED(bare->status) && WEXITSTATUS(bare->status) == 127;
}

/* From before the start. Of clone in a container it is a known fault: see the README. */
static void filter_of_any_call__changes_nothing(void **state)
{
    static const struct {
        const char *arguments[2];
        int known; /* 0: none (`read` kills every program) */
    } modes[] = {
        {.arguments = {"none"}},
        {.arguments = {"alone"}},
        {.arguments = {"threads"}},
        {.arguments = {"churn", "40"}},
        {.arguments = {"container", "alone"}, .known = SYS_clone},
        {.arguments = {"container", "threads"}},
    };
    char number[16];
    (void)state;
    if (!getenv("LIMITS_FULL"))
        skip();
    for (int i = 0; i < CALLS * 2 * (int)LENGTH(modes); i++) {
        int call = i / 2 / (int)LENGTH(modes), mode = i / 2 % (int)LENGTH(modes);
        const char *const *arguments = modes[mode].arguments;
        snprintf(number, sizeof number, "%d", call);
        const char *const *argv =
            i % 2 ? LIST(PATIENTLY, PREPARED, "kill", number, arguments[0], arguments[1])
                  : LIST(PATIENTLY, PREPARED, "errno", number, TEXT_OF(EPERM), arguments[0],
                         arguments[1]);
        const char *const *env = LIST("LIMITS_PROGRAM=" LIMITS);
        struct outcome bare = run_program(false, argv, env);
        if (!(i % 2 && call == modes[mode].known) && !is_said_by_the_loader(&bare))
            assert_same_behaviour(argv, env);
        outcome_deinit(&bare);
    }
}

/* Set by the program itself, for its thread or for all of them, while others wait. */
static void filter_of_any_call_that_is_set_later__changes_nothing(void **state)
{
    static const char *const ways[WAYS] = {"kill", "errno", "all-kill", "all-errno"};
    char way[32];
    (void)state;
    if (!getenv("LIMITS_FULL"))
        skip();
    for (int i = 0; i < CALLS * WAYS; i++) {
        snprintf(way, sizeof way, "%s %d", ways[i % WAYS], i / WAYS);
        assert_same_behaviour(LIST(PATIENTLY, LIMITS, "later", way), LIST("LEAKSPY_SAMPLE=5ms"));
    }
}

/* ---- while it runs ---- */

#define UNDER_A_FILTER(...) LIST(PREPARED, "kill", NO_CALL, __VA_ARGS__)

/* The one of its program: its first thread is told as any other. */
static void thread_under_a_filter__is_told_with_both_stacks(void **state)
{
    (void)state;
    struct target *target =
        target_start(true, UNDER_A_FILTER("stay"), LIST("LIMITS_PROGRAM=" LIMITS));
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL,
                               &(struct expected_group){.verdict = "stuck",
                                                        .op = "sem wait",
                                                        .count = 1,
                                                        .wait_function = "park",
                                                        .wait_file = "limits.c",
                                                        .spawn_function = "stay",
                                                        .spawn_file = "limits.c"}));
    target_end(target);
}

/* Who is not recorded is looked at from outside. It says that it is ready before it waits. */
static void program_without_threads_under_a_filter__is_told_by_its_number(void **state)
{
    static const struct expected_group waits = {.op = "io wait", .count = 1};
    (void)state;
    struct target *target =
        target_start(true, UNDER_A_FILTER("alone"), LIST("LIMITS_PROGRAM=" LIMITS));
    target_wait_line(target, "ready");
    assert_int_equal(access(target->recording, F_OK), -1);
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &waits);
    assert_string_equal(json_string_value(json_at(json, "source.kind")), "process");
    json_decref(json);
    target_end(target);
}

static int count_recordings(const struct target *target)
{
    const char *name = strrchr(target->recording, '/') + 1;
    DIR *folder = opendir(target->dir);
    int count = 0;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        count += strstr(entry->d_name, name) == entry->d_name;
    closedir(folder);
    return count;
}

/* Not in its parent's place, which may have one later. */
static void fork_child_under_a_filter__has_a_recording_beside(void **state)
{
    static const char *const children[] = {"LEAKSPY_CHILDREN=yes", "LEAKSPY_CHILDREN=no"};
    (void)state;
    assert_same_behaviour(UNDER_A_FILTER("forked"), LIST("LIMITS_PROGRAM=" LIMITS));
    for (int i = 0; i < 2; i++) {
        struct target *target = target_start(true, UNDER_A_FILTER("forked"),
                                             LIST("LIMITS_PROGRAM=" LIMITS, children[i]));
        struct outcome outcome = target_wait(target);
        assert_int_equal(outcome.status, 0);
        outcome_deinit(&outcome);
        assert_int_equal(access(target->recording, F_OK), -1);
        assert_int_equal(count_recordings(target), i == 0);
        target_end(target);
    }
}

/* A filter does not let the library start its thread: what is parked is seen, and that nobody knows
 * for how long is said, and is no "nothing found" for a gate. */
static void sampler_that_may_not_start__is_said(void **state)
{
    const struct expected_group parked = {.op = "sem wait", .count = 1};
    (void)state;
    struct target *target =
        target_start(true, LIST(PREPARED, "errno", TEXT_OF(SYS_clone), TEXT_OF(EPERM), "stay"),
                     LIST("LIMITS_PROGRAM=" LIMITS));
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "0", LIST("--all"), &parked));
    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "report", "--exit-code", target->recording), NULL);
    assert_int_equal(WEXITSTATUS(outcome.status), 2);
    assert_non_null(strstr(outcome.out, "nobody has looked at its tasks yet"));
    outcome_deinit(&outcome);
    target_end(target);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(filter_of_any_call__changes_nothing, end_all_targets),
        cmocka_unit_test_teardown(filter_of_any_call_that_is_set_later__changes_nothing,
                                  end_all_targets),
        cmocka_unit_test_teardown(thread_under_a_filter__is_told_with_both_stacks, end_all_targets),
        cmocka_unit_test_teardown(program_without_threads_under_a_filter__is_told_by_its_number,
                                  end_all_targets),
        cmocka_unit_test_teardown(fork_child_under_a_filter__has_a_recording_beside,
                                  end_all_targets),
        cmocka_unit_test_teardown(sampler_that_may_not_start__is_said, end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
