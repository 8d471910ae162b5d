/* Goroutines of gccgo's libgo: every way to park, what each waits on, and programs that are hard on
 * whoever watches them. */
#include "tests/e2e/harness.h"
#include "tests/e2e/libgo_rows.h"

#include <stdio.h>
#include <stdlib.h>

#define STRESS_SOURCE "tests/e2e/libgo_stress.go"

static struct target *waits;
static json_t *waits_report; /* the last on it */

static int start_waits(void **state)
{
    (void)state;
    waits = libgo_start(true);
    target_wait_walks(waits, 3, 0);
    return 0;
}

static int end_waits(void **state)
{
    json_decref(waits_report);
    target_end(waits);
    return end_all_targets(state);
}

static void parked__is_reported(void **state)
{
    struct expected_group expected = libgo_group(*state);
    if (waits_report == NULL || find_group(waits_report, &expected) == NULL) {
        json_decref(waits_report);
        waits_report = wait_for_group(waits, "0", LIST("--all"), &expected);
    }
    const json_t *group = assert_libgo_row(waits_report, *state);
    /* The name is the goid, as the runtime counts them. */
    const json_t *task = json_array_get(json_at(group, "tasks"), 0);
    assert_true(atoi(json_string_value(json_object_get(task, "name"))) > 0);
}

/* The cases of the one task of the group that parks `where`. */
static json_t *cases_of(json_t *json, const char *where)
{
    char function[32];
    snprintf(function, sizeof function, "main.%s", where);
    struct expected_group expected = {
        .op = "select",
        .wait_function = function,
        .wait_file = "libgo_waits.go",
        .wait_line = libgo_line("parks in", where),
    };
    const json_t *group = find_group(json, &expected);
    assert_non_null(group);
    return json_object_get(json_array_get(json_at(group, "tasks"), 0), "cases");
}

static void select__its_cases__are_reported(void **state)
{
    (void)state;
    target_wait_walks(waits, 2, 0);
    json_t *json = report(waits->recording, "0", LIST("--all"));
    const json_t *many = cases_of(json, "selectMany");
    assert_int_equal(json_array_size(many), 3);
    assert_case(many, 0, "chan send", false);
    assert_case(many, 1, "chan receive", false);
    assert_case(many, 2, "chan receive", true);
    const json_t *nil = cases_of(json, "selectNil");
    assert_int_equal(json_array_size(nil), 2);
    assert_case(nil, 0, "chan send", true);
    assert_case(nil, 1, "chan receive", true);
    json_decref(json);
}

/* Nothing but the goroutines that the program parked is a finding: not the runtime's goroutines,
 * nor its threads. */
static void runtime__its_own__is_no_finding(void **state)
{
    static const char *const idle[] = {"force gc (idle)", "finalizer wait", "GC sweep wait",
                                       "GC scavenge wait"};
    (void)state;
    json_t *json = report(waits->recording, "0", LIST("--all"));
    assert_int_equal(count_findings(json), libgo_findings());
    for (size_t i = 0; i < LENGTH(idle); i++)
        assert_group(json, &(struct expected_group){.verdict = "waiting",
                                                    .kind = "goroutine",
                                                    .op = idle[i],
                                                    .count = 1,
                                                    .object_kind = "none"});
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
}

static void spawned_after_many__is_reported(void **state)
{
    (void)state;
    struct expected_group leak = {
        .verdict = "stuck",
        .kind = "goroutine",
        .op = "chan send",
        .count = 50,
        .wait_file = "libgo_stress.go",
        .wait_function = "main.leak.func2",
        .wait_line = line_of(STRESS_SOURCE, "leak parks here"),
        .spawn_file = "libgo_stress.go",
        .spawn_function = "main.leak",
        .spawn_line = line_of(STRESS_SOURCE, "leak spawns here") - 2,
        .deadline = NO_DEADLINE,
    };
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/libgo_stress", "leak"), NULL);
    target_wait_line(target, "leak");
    json_t *json = wait_for_group(target, "0", NULL, &leak);
    assert_group(json, &leak);
    assert_int_equal(count_findings(json), 1);
    assert_true(json_integer_value(json_at(json, "totals.finished")) >= 5000);
    json_decref(json);
    target_end(target);
}

static void loaded_late__is_reported(void **state)
{
    (void)state;
    struct expected_group leak = {
        .verdict = "stuck",
        .kind = "goroutine",
        .op = "chan send",
        .count = 5,
        .wait_file = "libgo_late.go",
        .wait_function = "main.leak",
        .wait_line = line_of("tests/e2e/libgo_late.go", "late parks here"),
        .spawn_file = "libgo_late.go",
        .spawn_function = "main.init.0",
        .spawn_line = line_of("tests/e2e/libgo_late.go", "late spawns here"),
        .deadline = NO_DEADLINE,
    };
    struct target *target = target_start(
        true, LIST(LEAKSPY_TARGETS "/libgo_late", LEAKSPY_TARGETS "/liblibgo_late.so"), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "0", NULL, &leak);
    assert_group(json, &leak);
    json_decref(json);
    target_end(target);
}

static void main_goroutine__parked__is_reported(void **state)
{
    (void)state;
    struct expected_group expected = {
        .verdict = "stuck",
        .kind = "goroutine",
        .op = "chan receive",
        .object_kind = "channel",
        .count = 1,
        .wait_file = "libgo_stress.go",
        .wait_function = "main.mainParks",
        .wait_line = line_of(STRESS_SOURCE, "main parks here"),
    };
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/libgo_stress", "main"), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "0", NULL, &expected);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

static void finalizer__parked__is_reported(void **state)
{
    (void)state;
    struct expected_group expected = {
        .verdict = "stuck",
        .kind = "goroutine",
        .op = "chan receive",
        .count = 1,
        .wait_file = "libgo_stress.go",
        .wait_function = "main.finalizer.func1",
        .wait_line = line_of(STRESS_SOURCE, "a finalizer parks here"),
    };
    struct target *target =
        target_start(true, LIST(LEAKSPY_TARGETS "/libgo_stress", "finalizer"), NULL);
    target_wait_line(target, "finalizer");
    json_t *json = wait_for_group(target, "0", NULL, &expected);
    assert_group(json, &expected);
    json_decref(json);
    target_end(target);
}

static void many__come_and_go__are_counted(void **state)
{
    (void)state;
    struct target *target =
        target_start(true, LIST(LEAKSPY_TARGETS "/libgo_stress", "spawn"), NULL);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "spawn 49950000\n");
    json_t *json = report(target->recording, "0", NULL);
    json_int_t spawned = json_integer_value(json_at(json, "totals.spawned"));
    json_int_t finished = json_integer_value(json_at(json, "totals.finished"));
    assert_in_range(spawned, 100000, 100100);
    assert_in_range(finished, 100000, spawned);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    outcome_deinit(&outcome);
    target_end(target);
}

static void more_than_fit__are_counted_as_lost(void **state)
{
    (void)state;
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/libgo_stress", "leak"),
                                         LIST("LEAKSPY_MAX_TASKS=64"));
    target_wait_line(target, "leak");
    target_wait_walks(target, 2, 0);
    json_t *json = report(target->recording, "0", NULL);
    json_int_t lost = json_integer_value(json_at(json, "totals.lost"));
    json_int_t spawned = json_integer_value(json_at(json, "totals.spawned"));
    assert_in_range(lost, 1, spawned - 1);
    json_decref(json);
    target_end(target);
}

static void select_ops__leave_out_the_rest(void **state)
{
    (void)state;
    struct target *target =
        target_start(true, LIST(LEAKSPY_TARGETS "/libgo_waits"), LIST("LEAKSPY_OPS=chan"));
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "0", LIST("--all"),
                                  &(struct expected_group){.op = "select", .count = 1});
    assert_null(find_group(json, &(struct expected_group){.op = "semacquire"}));
    assert_null(find_group(json, &(struct expected_group){.op = "IO wait"}));
    assert_null(find_group(json, &(struct expected_group){.op = "sleep"}));
    json_decref(json);
    target_end(target);
}

/* What they print to stderr differs by itself: addresses and numbers of goroutines. */
static void assert_same_output(const char *mode, const char *setting)
{
    const char *const *argv = LIST(LEAKSPY_TARGETS "/libgo_stress", mode);
    const char *const *env = setting != NULL ? LIST(setting) : NULL;
    struct outcome bare = run_program(false, argv, env);
    struct outcome recorded = run_program(true, argv, env);
    assert_string_equal(recorded.out, bare.out);
    assert_int_equal(recorded.status, bare.status);
    outcome_deinit(&bare);
    outcome_deinit(&recorded);
}

static void stressed__behaves_the_same(void **state)
{
    const char *mode = *state;
    assert_same_output(mode, NULL);
    assert_same_output(mode, "GOGC=1");
    assert_same_output(mode, "GOMAXPROCS=1");
}

int main(void)
{
    static const char *const modes[] = {"spawn",   "panics",  "goexit", "locked", "deep",
                                        "collect", "execute", "serve",  "throw",  "deadlock",
                                        "exit",    "return",  "replace"};
    static struct CMUnitTest tests[LIBGO_ROWS + LENGTH(modes) + 9];
    static char names[LENGTH(tests)][96];
    size_t count = 0;
    for (size_t i = 0; i < LIBGO_ROWS; i++, count++) {
        snprintf(names[count], sizeof *names, "%s__parked__is_reported", libgo_rows[i].where);
        tests[count] = (struct CMUnitTest){names[count], parked__is_reported, NULL, NULL,
                                           (void *)(uintptr_t)&libgo_rows[i]};
    }
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(select__its_cases__are_reported);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(runtime__its_own__is_no_finding);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(spawned_after_many__is_reported);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(loaded_late__is_reported);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(main_goroutine__parked__is_reported);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(finalizer__parked__is_reported);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(many__come_and_go__are_counted);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(more_than_fit__are_counted_as_lost);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(select_ops__leave_out_the_rest);
    for (size_t i = 0; i < LENGTH(modes); i++, count++) {
        snprintf(names[count], sizeof *names, "%s__behaves_the_same", modes[i]);
        tests[count] = (struct CMUnitTest){names[count], stressed__behaves_the_same, NULL, NULL,
                                           (void *)(uintptr_t)modes[i]};
    }
    return _cmocka_run_group_tests("libgo", tests, count, start_waits, end_waits);
}
