#include "tests/e2e/run_command.h"

#include "tests/e2e/scratch.h"

const struct expected_group run_leak = {
    .verdict = "stuck", .op = "thread join", .count = 1, .wait_function = "supervise"};

int run_make_scratch(void **state)
{
    (void)state;
    scratch_make(0755);
    return 0;
}

int run_remove_scratch(void **state)
{
    (void)state;
    scratch_remove();
    return 0;
}
