#include "tests/e2e/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/e2e/harness.h"

char scratch_dir[64];

void scratch_make(mode_t mode)
{
    strcpy(scratch_dir, "/tmp/leakspy-test.XXXXXX");
    assert_non_null(mkdtemp(scratch_dir));
    assert_int_equal(chmod(scratch_dir, mode), 0);
}

void scratch_remove(void)
{
    remove_all(scratch_dir);
}

const char *in_scratch(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", scratch_dir, name);
    return path;
}

void remove_all(const char *path)
{
    struct outcome outcome = run_program(false, LIST("/bin/rm", "-rf", path), NULL);
    outcome_deinit(&outcome);
}
