#include "tests/e2e/go_recorded.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct expected_group parked = {
    .verdict = "stuck",
    .kind = "goroutine",
    .op = "chan receive",
    .count = 3,
    .wait_function = "main.parkHere",
    .spawn_function = "main.spawnHere",
    .deadline = NO_DEADLINE,
};

const struct way ways[] = {
    {"preloaded", DYNAMIC, false},
    {"from outside", STATIC, true},
};

struct target *start(const struct way *way, const char *program, const char *const words[],
                     const char *environment)
{
    static unsigned number;
    const char *argv[16] = {LEAKSPY_COMMAND, "run", "-o", NULL, "--", program};
    char recording[80];
    size_t count = 6;
    snprintf(recording, sizeof recording, "%s/%u.rec", scratch_folder(), ++number);
    argv[3] = recording;
    for (size_t i = 0; words[i] && count < LENGTH(argv) - 1; i++)
        argv[count++] = words[i];
    if (!way->outside)
        return target_start(true, argv + 5, environment ? LIST(environment) : NULL);
    struct target *target = target_start(false, argv, LIST(LIBRARY, FAST, environment));
    snprintf(target->recording, sizeof target->recording, "%s", recording);
    return target;
}

void wait_ready(struct target *target)
{
    target_wait_line(target, "ready");
    target_wait_walks(target, 1, 0);
}

void remove_recordings(const char *file)
{
    char pattern[128];
    glob_t found;
    unlink(file);
    snprintf(pattern, sizeof pattern, "%s.*-*", file);
    if (glob(pattern, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            unlink(found.gl_pathv[i]);
        globfree(&found);
    }
}

void end(const struct way *way, struct target *target)
{
    char recording[96];
    snprintf(recording, sizeof recording, "%s", target->recording);
    target_end(target);
    if (way->outside)
        remove_recordings(recording);
}

void assert_string_at(const json_t *json, const char *path, const char *expected)
{
    const json_t *at = json_at(json, path);
    if (!expected)
        assert_true(json_is_null(at));
    else
        assert_string_equal(json_string_value(at), expected);
}
