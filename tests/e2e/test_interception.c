/* Every intercepted function (the rows of parked.def): a task that is parked in it is reported with
 * op, object, wait site and spawn site; and where the same call does not park, nothing is reported.
 *
 * Usage: test_interception GROUP      (of parked.def, or `table`: parked.def has them all)
 */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/recording.h"

struct row {
    const char *group, *name, *call, *op, *object;
    bool deadline;
};

#define ROW(group, name, call, op, object, deadline) {#group, #name, call, op, object, deadline},
static const struct row rows[] = {
#include "tests/e2e/parked.def"
};
#undef ROW

static const struct group {
    const char *name, *program, *kind, *prefix; /* prefix: of the functions' names */
} groups[] = {
    {"lock", "parked", "thread", ""},          {"io", "parked", "thread", ""},
    {"other", "parked", "thread", ""},         {"task", "parked_task", "task", ""},
    {"go", "parked_go", "goroutine", "main."},
};

static const struct group *group_of(const char *name)
{
    for (size_t i = 0; i < LENGTH(groups); i++)
        if (strcmp(groups[i].name, name) == 0)
            return &groups[i];
    return NULL;
}

static struct target *start(const struct row *row, const char *how)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", LEAKSPY_TARGETS, group_of(row->group)->program);
    return target_start(true, LIST(path, row->name, how), NULL);
}

static void parked__is_reported_with_op_object_and_sites(void **state)
{
    const struct row *row = *state;
    const struct group *group = group_of(row->group);
    bool go = group->prefix[0] != '\0';
    char wait_function[96], spawn_function[64];
    snprintf(wait_function, sizeof wait_function, "%spark_in_%s", group->prefix, row->name);
    snprintf(spawn_function, sizeof spawn_function, "%sspawn_parked", group->prefix);
    struct expected_group expected = {
        .kind = group->kind,
        .op = row->op,
        .call = row->call,
        .count = 1,
        .wait_function = wait_function,
        .spawn_function = spawn_function,
        .task_name = go ? NULL : "parked",
        .deadline = row->deadline ? WITH_DEADLINE : NO_DEADLINE,
    };
    if (strcmp(row->object, "any") != 0)
        expected.object_kind = row->object;
    if (row->deadline)
        expected.verdict = "waiting"; /* it ends by itself */

    struct target *target = start(row, "park");
    char address[64];
    snprintf(address, sizeof address, "%s",
             target_wait_line(target, "object ") + strlen("object "));
    if (strcmp(address, "none") != 0)
        expected.object_address = address;
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

static void not_parked__is_not_reported(void **state)
{
    struct target *target = start(*state, "pass");
    target_wait_line(target, "ready");
    assert_silent(target);
    target_end(target);
}

/* ---- the table itself ---- */

static const struct intercepted {
    const char *name;
    enum rec_op op;
} intercepted[] = {
#define WAIT(result, name, parameters, arguments, op, ...) {#name, REC_OP_##op},
#define TASK(result, name, parameters, arguments, op, ...) {#name, REC_OP_##op},
#define HAND(result, name, symbol, parameters, arguments, op, version) {symbol, REC_OP_##op},
#include "preload/hooks.def"
};

static const char *text_of(enum rec_op op)
{
    static const char *const texts[] = {
#define X(name, number, text, object, class) [number] = text,
        REC_OPS(X)
#undef X
    };
    return texts[op];
}

static bool has_row(const struct intercepted *function)
{
    for (size_t i = 0; i < LENGTH(rows); i++)
        if (rows[i].call && strcmp(rows[i].call, function->name) == 0 &&
            strcmp(rows[i].op, text_of(function->op)) == 0)
            return true;
    return false;
}

static void every_intercepted_function_that_parks__has_a_row(void **state)
{
    size_t missing = 0;
    (void)state;
    for (size_t i = 0; i < LENGTH(intercepted); i++) {
        if (intercepted[i].op == REC_OP_NONE || has_row(&intercepted[i]) ||
            strcmp(intercepted[i].name, "pthread_tryjoin_np") == 0) /* which never waits */
            continue;
        fprintf(stderr, "no row for %s in %s\n", intercepted[i].name, text_of(intercepted[i].op));
        missing++;
    }
    assert_int_equal(missing, 0);
}

static int test_table(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_intercepted_function_that_parks__has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(int argc, char **argv)
{
    static struct CMUnitTest tests[2 * LENGTH(rows)];
    static char names[2 * LENGTH(rows)][96];
    size_t count = 0;
    if (argc == 2 && strcmp(argv[1], "table") == 0)
        return test_table();
    if (argc != 2 || !group_of(argv[1])) {
        fprintf(stderr, "usage: test_interception GROUP\n");
        return 64;
    }
    for (size_t i = 0; i < LENGTH(rows); i++) {
        if (strcmp(rows[i].group, argv[1]) != 0)
            continue;
        void *row = (void *)(uintptr_t)&rows[i];
        snprintf(names[count], sizeof *names, "%s__parked__is_reported", rows[i].name);
        tests[count] = (struct CMUnitTest){
            names[count], parked__is_reported_with_op_object_and_sites, NULL, end_all_targets, row};
        count++;
        snprintf(names[count], sizeof *names, "%s__not_parked__is_silent", rows[i].name);
        tests[count] = (struct CMUnitTest){names[count], not_parked__is_not_reported, NULL,
                                           end_all_targets, row};
        count++;
    }
    return _cmocka_run_group_tests(argv[1], tests, count, NULL, NULL);
}
