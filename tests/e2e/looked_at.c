#include "tests/e2e/looked_at.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/e2e/scratch.h"

const struct expected_group deadlock = {
    .verdict = "deadlocked",
    .kind = "thread",
    .op = "mutex lock",
    .count = 2,
    .wait_function = "transfer",
    .wait_file = "lock_order_deadlock.c",
};

int looked_set_up(void **state)
{
    (void)state;
    scratch_make(0700);
    return 0;
}

int looked_tear_down(void **state)
{
    end_all_targets(state);
    scratch_remove();
    return 0;
}

struct target *start(bool preload, const char *program)
{
    struct target *target = target_start(preload, LIST(program), NULL);
    target_wait_line(target, "ready");
    return target;
}

void assert_text(const json_t *json, const char *at, const char *expected)
{
    assert_non_null(json_string_value(json_at(json, at)));
    assert_string_equal(json_string_value(json_at(json, at)), expected);
}

void assert_refused(int status, const char *why, const char *const argv[])
{
    struct outcome outcome = run_program(false, argv, NULL);
    if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != status ||
        !strstr(outcome.err, why))
        fprintf(stderr, "status 0x%x, looked for \"%s\"\n%s\n", outcome.status, why, outcome.err);
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), status);
    assert_non_null(strstr(outcome.err, why));
    outcome_deinit(&outcome);
}

void copy_file(const char *from, const char *to)
{
    struct outcome outcome = run_program(false, LIST("/bin/cp", from, to), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
}
