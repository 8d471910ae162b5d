#include "tests/e2e/run_command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char run_folder[64];

const struct expected_group run_leak = {
    .verdict = "stuck", .op = "thread join", .count = 1, .wait_function = "supervise"};

const char *in_scratch(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", run_folder, name);
    return path;
}

int run_make_scratch(void **state)
{
    (void)state;
    strcpy(run_folder, "/tmp/leakspy-run.XXXXXX");
    assert_non_null(mkdtemp(run_folder));
    return chmod(run_folder, 0755);
}

int run_remove_scratch(void **state)
{
    (void)state;
    struct outcome outcome = run_program(false, LIST("/bin/rm", "-rf", run_folder), NULL);
    outcome_deinit(&outcome);
    return 0;
}
