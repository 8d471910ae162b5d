/* What is intercepted gives the same results with the preload and without: compares, line by line,
 * what the program `conformance` prints of each family of rows. Besides the plain preload it is run
 * where a call passes through: waits of other classes recorded alone, and no room for any task.
 *
 * Usage: test_conformance FAMILY     (of conform.c; or `table`: every function has rows)
 * With LEAKSPY_CONFORMANCE=all in the environment, in all those ways, and with the rows that take
 * long; else in the first two, or the first. =alone: the same, with a process for each row.
 */
#include "tests/conformance/complete.h"
#include "tests/e2e/harness.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const families[] = {"life",  "locks",    "shared", "pointers",
                                       "calls", "contexts", "errors"};

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status, (void)type, (void)ftw;
    return remove(path);
}

/* Hundreds of recordings are made, which are to be where they are by default: in memory. A whole
 * family may take longer than what the harness waits for the end of a program. */
static struct outcome run(bool preload, const char *family, const char *setting)
{
    char dir[] = "/dev/shm/leakspy-conformance.XXXXXX", out[64];
    assert_non_null(mkdtemp(dir));
    snprintf(out, sizeof out, "LEAKSPY_OUT=%s/rec", dir);
    struct target *target =
        target_start(preload, LIST(CONFORMANCE, family), preload ? LIST(out, setting) : NULL);
    target_close_stdin(target);
    for (int64_t deadline_ms = now_ms() + 240000; now_ms() < deadline_ms; sleep_ms(5)) {
        siginfo_t info = {0};
        if (waitid(P_PID, (id_t)target->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid != 0)
            break;
    }
    struct outcome outcome = target_wait(target);
    target_end(target);
    assert_int_equal(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.err, "");
    return outcome;
}

/* Cuts the first line off. */
static const char *next_line(char **text)
{
    char *line = *text, *end = strchr(line, '\n');
    if (end == NULL)
        return NULL;
    *end = '\0';
    *text = end + 1;
    return line;
}

static size_t count_differences(char *bare, char *preloaded)
{
    size_t count = 0, lines = 0;
    for (;; lines++) {
        const char *a = next_line(&bare), *b = next_line(&preloaded);
        if (a == NULL && b == NULL)
            break;
        if (a != NULL && b != NULL && strcmp(a, b) == 0)
            continue;
        fprintf(stderr, "without the preload: %s\n   with the preload: %s\n", a ? a : "nothing",
                b ? b : "nothing");
        count++;
    }
    assert_true(lines > 0);
    return count;
}

static const char *family;

static struct outcome bare; /* of the family */

static void family__says_something_and_ends(void **state)
{
    (void)state;
    bare = run(false, family, NULL);
    for (const char *line = bare.out; *line != '\0'; line = strchr(line, '\n') + 1)
        if (strncmp(strchr(line, ':'), ":\n", 2) == 0)
            fail_msg("a row says nothing: %.60s", line);
    assert_null(strstr(bare.out, " hung\n"));
}

static void family__is_the_same(void **state)
{
    assert_non_null(bare.out);
    struct outcome preloaded = run(true, family, *state);
    char *expected = strdup(bare.out);
    assert_int_equal(count_differences(expected, preloaded.out), 0);
    free(expected);
    outcome_deinit(&preloaded);
}

static void every_intercepted_function__has_rows(void **state)
{
    struct outcome list = run_program(false, LIST(CONFORMANCE, "--list"), NULL);
    (void)state;
    assert_int_equal(count_without_rows(list.out), 0);
    outcome_deinit(&list);
}

static void every_function_that_waits__is_interrupted_and_cancelled(void **state)
{
    struct outcome list = run_program(false, LIST(CONFORMANCE, "--list"), NULL);
    (void)state;
    assert_int_equal(count_without_scenarios(list.out), 0);
    outcome_deinit(&list);
}

static void every_intercepted_function__is_called_from_everywhere(void **state)
{
    (void)state;
    assert_int_equal(count_not_called(bare.out), 0);
}

static void every_documented_error__is_provoked_or_explained(void **state)
{
    (void)state;
    assert_int_equal(count_not_provoked(bare.out), 0);
}

int main(int argc, char **argv)
{
    /* As it is shipped; nothing of the C library recorded; no room for any task; the rest. */
    static const char *const settings[] = {
        "LEAKSPY_SAMPLE=100ms", "LEAKSPY_OPS=chan", "LEAKSPY_MAX_TASKS=1", "LEAKSPY_OPS=lock",
        "LEAKSPY_OPS=join",     "LEAKSPY_OPS=io",   "LEAKSPY_OPS=sleep",   "LEAKSPY_SAMPLE=5ms"};
    static struct CMUnitTest tests[LENGTH(settings) + 2] = {
        cmocka_unit_test_teardown(family__says_something_and_ends, end_all_targets)};
    const struct CMUnitTest table[] = {
        cmocka_unit_test(every_intercepted_function__has_rows),
        cmocka_unit_test(every_function_that_waits__is_interrupted_and_cancelled)};
    if (argc == 2 && strcmp(argv[1], "table") == 0)
        return cmocka_run_group_tests(table, NULL, NULL);
    for (size_t i = 0; argc == 2 && i < LENGTH(families); i++)
        if (strcmp(argv[1], families[i]) == 0)
            family = families[i];
    if (family == NULL) {
        fprintf(stderr, "usage: test_conformance FAMILY\n");
        return 64;
    }
    bool all = getenv("LEAKSPY_CONFORMANCE") != NULL;
    bool is_long = strcmp(family, "life") != 0 && strcmp(family, "locks") != 0 &&
                   strcmp(family, "shared") != 0;
    size_t count = all ? LENGTH(settings) : is_long ? 1 : 2;
    for (size_t i = 0; i < count; i++)
        tests[1 + i] = (struct CMUnitTest){settings[i], family__is_the_same, NULL, end_all_targets,
                                           (void *)(uintptr_t)settings[i]};
    count++;
    if (strcmp(family, "contexts") == 0)
        tests[count++] = (struct CMUnitTest)cmocka_unit_test(
            every_intercepted_function__is_called_from_everywhere);
    if (strcmp(family, "errors") == 0)
        tests[count++] =
            (struct CMUnitTest)cmocka_unit_test(every_documented_error__is_provoked_or_explained);
    return _cmocka_run_group_tests(family, tests, count, NULL, NULL);
}
