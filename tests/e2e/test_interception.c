/* Every intercepted function (the rows of parked.def): a task that is parked in it is reported with
 * op, object, wait site and spawn site; where the same call has not parked, or no longer does,
 * nothing is reported; and where LEAKSPY_OPS leaves it out, it is not recorded.
 *
 * Usage: test_interception GROUP      (of parked.def, or `table`: parked.def has them all)
 */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "preload/recording.h"
#include "tests/e2e/parked_rows.h"

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

/* What starts the one that parks, as the report names it. */
static const char *spawn_function_of(const struct group *group)
{
    static char function[64];
    snprintf(function, sizeof function, "%sspawn_parked", group->prefix);
    return function;
}

/* `setting`: of the library's, or NULL. */
static struct target *start(const struct row *row, const char *how, const char *setting)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", LEAKSPY_TARGETS, group_of(row->group)->program);
    return target_start(true, LIST(path, row->name, how), setting ? LIST(setting) : NULL);
}

static void assert_reported(const struct row *row, const char *setting)
{
    const struct group *group = group_of(row->group);
    bool go = group->prefix[0] != '\0';
    char wait_function[96];
    snprintf(wait_function, sizeof wait_function, "%spark_in_%s", group->prefix, row->name);
    struct expected_group expected = {
        .kind = group->kind,
        .op = row->op,
        .call = row->call,
        .count = 1,
        .wait_function = wait_function,
        .spawn_function = spawn_function_of(group),
        .task_name = go ? NULL : "parked",
        .deadline = row->deadline ? WITH_DEADLINE : NO_DEADLINE,
    };
    if (strcmp(row->object, "any") != 0)
        expected.object_kind = row->object;
    if (row->deadline)
        expected.verdict = "waiting"; /* it ends by itself */

    struct target *target = start(row, "park", setting);
    char address[64];
    snprintf(address, sizeof address, "%s",
             target_wait_line(target, "object ") + strlen("object "));
    if (strcmp(address, "none") != 0)
        expected.object_address = address;
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "0", LIST("--all"), &expected);
    assert_group(json, &expected);
    if (strcmp(row->object, "fd") == 0)
        assert_non_null(
            json_string_value(json_at(find_group(json, &expected), "object.description")));
    json_decref(json);
    target_end(target);
}

static void parked__is_reported_with_op_object_and_sites(void **state)
{
    assert_reported(*state, NULL);
}

/* Who made the call lives on, and no wait is told of it, on whatever and wherever: one that the
 * wrapper had not taken back would be told with the stack of what is done now. */
static void not_parked__is_not_reported(void **state)
{
    const struct row *row = *state;
    const struct group *group = group_of(row->group);
    struct target *target = start(row, "pass", NULL);
    target_wait_line(target, "ready");
    assert_silent(target);
    json_t *json = report(target->recording, "0", LIST("--all"));
    const struct expected_group any_wait = {.kind = group->kind,
                                            .spawn_function = spawn_function_of(group)};
    assert_null(find_group(json, &any_wait));
    json_decref(json);
    target_finish(target);
}

/* ---- LEAKSPY_OPS ---- */

/* The class of what the row parks in; 0: its op is the wait reason of a Go runtime. */
static unsigned class_of(const struct row *row)
{
    static const struct {
        const char *op;
        enum rec_class class;
    } ops[] = {
#define X(name, number, text, object, class) {text, REC_CLASS_##class},
        REC_OPS(X)
#undef X
    };
    for (size_t i = 0; row->call && i < LENGTH(ops); i++)
        if (strcmp(ops[i].op, row->op) == 0)
            return ops[i].class;
    return 0;
}

static const char *setting_of(unsigned classes)
{
    static const struct {
        const char *text;
        enum rec_class class;
    } all[] = {
#define X(name, bit, text) {text, REC_CLASS_##name},
        REC_CLASSES(X)
#undef X
    };
    static char setting[64];
    snprintf(setting, sizeof setting, "LEAKSPY_OPS");
    const char *between = "=";
    for (size_t i = 0; i < LENGTH(all); i++)
        if (classes & all[i].class) {
            size_t bytes = strlen(setting);
            snprintf(setting + bytes, sizeof setting - bytes, "%s%s", between, all[i].text);
            between = ",";
        }
    return setting;
}

static void its_class_alone__is_reported(void **state)
{
    assert_reported(*state, setting_of(class_of(*state)));
}

static void all_other_classes__are_recorded_without_it(void **state)
{
    const struct row *row = *state;
    char wait_function[96];
    snprintf(wait_function, sizeof wait_function, "park_in_%s", row->name);
    struct target *target = start(row, "park", setting_of(REC_CLASS_ALL & ~class_of(row)));
    target_wait_line(target, "ready");
    target_wait_walks(target, 3, 0);
    json_t *json = report(target->recording, "0", LIST("--all"));
    assert_null(find_group(json, &(struct expected_group){.wait_function = wait_function}));
    assert_true(json_integer_value(json_at(json, "totals.spawned")) > 1);
    json_decref(json);
    target_end(target);
}

/* Is it the first row of its group with its class? One of each is tried with the class alone. */
static bool is_first_of_its_class(const struct row *row)
{
    for (const struct row *before = rows; before < row; before++)
        if (strcmp(before->group, row->group) == 0 && class_of(before) == class_of(row))
            return false;
    return true;
}

/* ---- the table itself ---- */

static const struct intercepted {
    const char *name;
    const char *row; /* of parked.def, where another function has the same name; NULL: any */
    enum rec_op op;
} intercepted[] = {
#define WAIT(result, name, parameters, arguments, op, ...) {#name, NULL, REC_OP_##op},
#define TASK(result, name, parameters, arguments, op, ...) {#name, NULL, REC_OP_##op},
#define HAND(result, name, symbol, parameters, arguments, op, version) {symbol, NULL, REC_OP_##op},
#define OLD(result, name, symbol, parameters, arguments, op, version) {symbol, #name, REC_OP_##op},
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
            (function->row == NULL || strcmp(rows[i].name, function->row) == 0) &&
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
        fprintf(stderr, "no row %s for %s in %s\n", intercepted[i].row ? intercepted[i].row : "",
                intercepted[i].name, text_of(intercepted[i].op));
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

static struct CMUnitTest tests[4 * LENGTH(rows)];
static size_t test_count;

static void add_test(const struct row *row, const char *what, CMUnitTestFunction function)
{
    static char names[LENGTH(tests)][96];
    char *name = names[test_count];
    snprintf(name, sizeof *names, "%s__%s", row->name, what);
    tests[test_count++] =
        (struct CMUnitTest){name, function, NULL, end_all_targets, (void *)(uintptr_t)row};
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "table") == 0)
        return test_table();
    if (argc != 2 || !group_of(argv[1])) {
        fprintf(stderr, "usage: test_interception GROUP\n");
        return 64;
    }
    for (const struct row *row = rows; row < rows + LENGTH(rows); row++) {
        if (strcmp(row->group, argv[1]) != 0)
            continue;
        add_test(row, "parked__is_reported", parked__is_reported_with_op_object_and_sites);
        add_test(row, "not_parked__is_silent", not_parked__is_not_reported);
        if (class_of(row) == 0)
            continue;
        add_test(row, "class_left_out__is_not_recorded",
                 all_other_classes__are_recorded_without_it);
        if (is_first_of_its_class(row))
            add_test(row, "class_alone__is_reported", its_class_alone__is_reported);
    }
    return _cmocka_run_group_tests(argv[1], tests, test_count, NULL, NULL);
}
