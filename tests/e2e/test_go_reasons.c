/* The table of Go's wait reasons (go_reasons.def) against the list in the source of the runtime:
 * each reason of this version of Go is in it, with what shows that it is told or why nothing can,
 * and has its rule in the scanner.
 *
 * Usage: test_go_reasons RUNTIME2.GO MINOR */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/goscan/reasons.h"

static const struct reason_row {
    const char *reason;
    int from, to; /* versions of Go */
} rows[] = {
#define WAITS(reason, from, to, where) {reason, from, to},
#define STATE(reason, from, to, what, godebug, function) {reason, from, to},
#define NEVER(reason, from, to, why) {reason, from, to},
#include "tests/e2e/go_reasons.def"
};

static char *source; /* the text of runtime2.go */
static int minor;
static char reasons[100][64]; /* of the runtime */
static size_t reason_count;

/* What is in quotes in the initial value of waitReasonStrings. */
static int read_reasons(void **state)
{
    char *at = strstr(source, "\nvar waitReasonStrings");
    (void)state;
    char *end = at ? strstr(at, "\n}") : NULL;
    assert_non_null(end);
    *end = '\0';
    while ((at = strchr(at, '"'))) {
        size_t bytes = strcspn(++at, "\"");
        assert_true(reason_count < LENGTH(reasons) && bytes < sizeof reasons[0]);
        if (bytes > 0) /* the first: none is known */
            snprintf(reasons[reason_count++], sizeof reasons[0], "%.*s", (int)bytes, at);
        at += bytes + 1;
    }
    assert_true(reason_count >= 26); /* as many as Go 1.19 has */
    return 0;
}

static bool is_of_this_version(const struct reason_row *row)
{
    return minor >= row->from && minor <= row->to;
}

static void reason_of_the_runtime__has_a_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < reason_count; i++) {
        bool found = false;
        for (size_t j = 0; j < LENGTH(rows); j++)
            found |= is_of_this_version(&rows[j]) && strcmp(rows[j].reason, reasons[i]) == 0;
        if (!found)
            fail_msg("\"%s\" of Go 1.%d has no row", reasons[i], minor);
    }
}

static void row__is_a_reason_of_the_runtime(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        bool found = false;
        for (size_t j = 0; j < reason_count; j++)
            found |= strcmp(rows[i].reason, reasons[j]) == 0;
        if (is_of_this_version(&rows[i]) && !found)
            fail_msg("\"%s\" is no reason of Go 1.%d", rows[i].reason, minor);
    }
}

static void reason__has_a_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++)
        assert_string_equal(go_reason_rule(rows[i].reason)->text, rows[i].reason);
    for (size_t i = 0; i < reason_count; i++)
        assert_string_equal(go_reason_rule(reasons[i])->text, reasons[i]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reason_of_the_runtime__has_a_row),
        cmocka_unit_test(row__is_a_reason_of_the_runtime),
        cmocka_unit_test(reason__has_a_rule),
    };
    if (argc != 3)
        return 64;
    source = read_file(argv[1]);
    if (!source)
        return 77;
    minor = atoi(argv[2]);
    int failed = cmocka_run_group_tests(tests, read_reasons, NULL);
    free(source);
    return failed;
}
