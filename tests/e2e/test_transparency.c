/* Programs that do what is hard to record must not notice that they are: the same output and the
 * same end with and without the preload; and the recording says what happened. */
#include "tests/e2e/harness.h"

#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define TRANSPARENT LEAKSPY_TARGETS "/transparent"

static const char *const scenarios[] = {
#define SCENARIO(name) #name,
#include "tests/e2e/transparent.def"
#undef SCENARIO
};

static void scenario__behaves_the_same(void **state)
{
    assert_same_behaviour(LIST(TRANSPARENT, (const char *)*state), LIST("LEAKSPY_SAMPLE=5ms"));
}

/* As fast as it can be asked to, when what is looked for are the sampler's own traces. */
static void scenario__behaves_the_same_when_sampled_fast(void **state)
{
    assert_same_behaviour(LIST(TRANSPARENT, (const char *)*state), LIST("LEAKSPY_SAMPLE=1ms"));
}

static void exceptions__behave_the_same(void **state)
{
    (void)state;
    assert_same_behaviour(LIST(LEAKSPY_TARGETS "/exceptions"), LIST("LEAKSPY_SAMPLE=5ms"));
}

static void exceptions_with_indirect_libgcc__behave_the_same(void **state)
{
    (void)state;
    assert_same_behaviour(LIST(LEAKSPY_TARGETS "/uses_thrower"), LIST("LEAKSPY_SAMPLE=5ms"));
}

static void old_versions__behave_the_same(void **state)
{
    (void)state;
    assert_same_behaviour(LIST(LEAKSPY_TARGETS "/old_versions"), LIST("LEAKSPY_SAMPLE=5ms"));
    assert_same_behaviour(LIST(LEAKSPY_TARGETS "/old_versions"), LIST("LEAKSPY_OPS=io"));
}

/* A library between us and libc that has a function without a version has it for every call. */
static void functions_without_a_version__are_called_all_the_same(void **state)
{
    (void)state;
    assert_same_behaviour(LIST(LEAKSPY_TARGETS "/conditions"), LIST("LEAKSPY_SAMPLE=5ms"));
}

static void old_quick_exit__is_recorded_with_its_status(void **state)
{
    (void)state;
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/old_versions"), NULL);
    struct outcome outcome = target_wait(target);
    json_t *json = report(target->recording, "0", NULL);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "exited");
    assert_int_equal(json_integer_value(json_at(json, "source.exit_code")), 17);
    json_decref(json);
    outcome_deinit(&outcome);
    target_end(target);
}

/* What goes wrong only for some layouts of the address space is to be seen in many starts. */
static void many_starts__all_end_well(void **state)
{
    static const char *const programs[] = {
        LEAKSPY_SAMPLES "/unjoined_threads",
        LEAKSPY_SAMPLES "/receive_without_sender",
        LEAKSPY_TARGETS "/uses_thrower",
#ifdef LEAKSPY_HAVE_GCCGO
        LEAKSPY_SAMPLES "/select_no_case_go",
#endif
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(programs); i++)
        for (int start = 0; start < 40; start++) {
            struct outcome outcome = run_program(true, LIST(programs[i]), NULL);
            if (outcome.status != 0)
                fprintf(stderr, "%s, start %d\n", programs[i], start);
            assert_int_equal(outcome.status, 0);
            outcome_deinit(&outcome);
        }
}

/* ---- what the recording says ---- */

/* Runs a scenario to its end, and reports on its recording. */
static json_t *report_of(const char *scenario, struct target **ret)
{
    struct target *target = target_start(true, LIST(TRANSPARENT, scenario), NULL);
    struct outcome outcome = target_wait(target);
    outcome_deinit(&outcome);
    json_t *json = report(target->recording, "0", LIST("--all"));
    *ret = target;
    return json;
}

static void assert_end(const char *scenario, const char *end, int exit_code)
{
    struct target *target;
    json_t *json = report_of(scenario, &target);
    assert_string_equal(json_string_value(json_at(json, "source.end")), end);
    if (exit_code >= 0)
        assert_int_equal(json_integer_value(json_at(json, "source.exit_code")), exit_code);
    json_decref(json);
    target_end(target);
}

static void ends__are_recorded(void **state)
{
    (void)state;
    assert_end("exit_status", "exited", 3);
    assert_end("exit_at_once", "exited", 8);
    assert_end("exit_quickly", "exited", 9);
    assert_end("exit_handlers_use_threads", "exited", 12);
    assert_end("exit_from_a_thread", "exited", 23);
    assert_end("main_thread_exits_first", "exited", 0);
}

static void violent_ends__leave_a_readable_recording(void **state)
{
    static const char *const names[] = {"exit_by_abort", "exit_by_fault"};
    (void)state;
    for (size_t i = 0; i < LENGTH(names); i++) {
        struct target *target;
        json_t *json = report_of(names[i], &target);
        assert_string_not_equal(json_string_value(json_at(json, "source.end")), "running");
        assert_string_not_equal(json_string_value(json_at(json, "source.end")), "exited");
        json_decref(json);
        target_end(target);
    }
}

/* Counts the recordings in the target's folder whose end is `end`. */
static size_t count_recordings(const struct target *target, const char *end)
{
    char pattern[128];
    size_t count = 0;
    glob_t files;
    snprintf(pattern, sizeof pattern, "%s*", target->recording);
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        json_t *json = report(files.gl_pathv[i], "0", NULL);
        count += strcmp(json_string_value(json_at(json, "source.end")), end) == 0;
        json_decref(json);
    }
    globfree(&files);
    return count;
}

static void assert_recordings(const char *scenario, size_t exited, size_t executed)
{
    struct target *target;
    json_t *json = report_of(scenario, &target);
    json_decref(json);
    assert_int_equal(count_recordings(target, "exited"), exited);
    assert_int_equal(count_recordings(target, "exec"), executed);
    target_end(target);
}

static void forked_children__have_recordings_of_their_own(void **state)
{
    (void)state;
    assert_recordings("fork_and_park", 2, 0);
    assert_recordings("fork_nested", 5, 0);
    assert_recordings("fork_from_a_thread", 3, 0);
    assert_recordings("fork_after_environment_overwritten", 2, 0);
}

static void relative_path__stays_where_the_program_started(void **state)
{
    char folder[] = "/tmp/leakspy-cwd.XXXXXX", pattern[64], preload[PATH_MAX];
    glob_t files;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", library_under_test());
    struct outcome outcome =
        run_program(false,
                    LIST("/usr/bin/env", "-C", folder, preload, "LEAKSPY_OUT=relative.rec",
                         TRANSPARENT, "fork_after_chdir"),
                    NULL);
    assert_int_equal(WEXITSTATUS(outcome.status), 4);
    outcome_deinit(&outcome);
    snprintf(pattern, sizeof pattern, "%s/relative.rec*", folder);
    size_t count = glob(pattern, 0, NULL, &files) == 0 ? files.gl_pathc : 0;
    globfree(&files);
    outcome =
        run_program(false, LIST("/bin/sh", "-c", "rm -rf \"$0\" /relative.rec*", folder), NULL);
    outcome_deinit(&outcome);
    assert_int_equal(count, 2);
}

static void executed_programs__have_recordings_of_their_own(void **state)
{
    (void)state;
    assert_recordings("exec_chain", 1, 3);
    assert_recordings("exec_from_a_thread", 1, 1);
    assert_recordings("exec_where_the_first_recording_is_gone", 1, 1);
}

static void failed_exec__keeps_its_recording(void **state)
{
    (void)state;
    assert_recordings("exec_that_fails", 1, 0);
}

static void children__are_not_recorded_when_not_wanted(void **state)
{
    (void)state;
    struct target *target =
        target_start(true, LIST(TRANSPARENT, "fork_nested"), LIST("LEAKSPY_CHILDREN=no"));
    struct outcome outcome = target_wait(target);
    outcome_deinit(&outcome);
    assert_int_equal(count_recordings(target, "exited"), 1);
    target_end(target);
}

static void threads_that_came_and_went__are_counted_and_gone(void **state)
{
    (void)state;
    struct target *target;
    json_t *json = report_of("threads_come_and_go", &target);
    assert_no_findings(json);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    /* the main thread and four that started 200 each */
    assert_int_equal(json_integer_value(json_at(json, "totals.spawned")), 805);
    json_decref(json);
    target_end(target);
}

static void handler_that_parks__is_what_the_thread_waits_in(void **state)
{
    (void)state;
    struct expected_group inner = {
        .op = "sem wait", .count = 1, .wait_function = "park_in_handler"};
    struct target *target = target_start(true, LIST(TRANSPARENT, "handler_parks", "stay"), NULL);
    target_wait_line(target, "parked");
    json_t *json = wait_for_group(target, "60ms", NULL, &inner);
    const struct expected_group outer = {.op = "sem wait", .wait_function = "wait_once"};
    const json_t *group = find_group(json, &inner);
    /* The frames below the handler's are those of the wait that it interrupted. */
    assert_ptr_equal(find_group(json, &outer), group);
    json_decref(json);
    target_end(target);
}

static void waiter_that_main_left__has_its_stack(void **state)
{
    (void)state;
    const struct expected_group waiter = {
        .op = "sem wait", .count = 1, .wait_function = "wait_once"};
    struct target *target =
        target_start(true, LIST(TRANSPARENT, "main_leaves_a_waiter", "stay"), NULL);
    target_wait_line(target, "parked");
    json_decref(wait_for_group(target, "60ms", NULL, &waiter));
    target_end(target);
}

static void handler_that_jumps_out__leaves_no_wait_behind(void **state)
{
    (void)state;
    struct target *target =
        target_start(true, LIST(TRANSPARENT, "handler_jumps_out", "stay"), NULL);
    target_wait_line(target, "parked");
    assert_silent(target);
    target_end(target);
}

static void threads_that_freed_their_handles__are_recorded(void **state)
{
    (void)state;
    assert_same_behaviour(LIST(LEAKSPY_TARGETS "/freed_handle"), LIST("LEAKSPY_SAMPLE=5ms"));
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/freed_handle"), NULL);
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    json_t *json = report(target->recording, "0", NULL);
    assert_no_findings(json); /* none is unjoined */
    assert_int_equal(json_integer_value(json_at(json, "totals.spawned")), 6);
    json_decref(json);
    target_end(target);
}

/* The sampler does not come to the one that is gone: its slot is there, and has that handle, too.
 */
static void thread_with_the_handle_of_one_that_is_gone__is_joined(void **state)
{
    static const char *const modes[] = {"by its spawner", "another"};
    (void)state;
    for (size_t i = 0; i < LENGTH(modes); i++) {
        const char *const argv[] = {LEAKSPY_TARGETS "/same_handle", modes[i], NULL};
        assert_same_behaviour(argv, LIST("LEAKSPY_SAMPLE=1h"));
        struct target *target = target_start(true, argv, LIST("LEAKSPY_SAMPLE=1h"));
        struct outcome outcome = target_wait(target);
        assert_int_equal(outcome.status, 0);
        outcome_deinit(&outcome);
        json_t *json = report(target->recording, "0", LIST("--all"));
        assert_int_equal(json_integer_value(json_at(json, "totals.unjoined")), 0);
        assert_int_equal(json_integer_value(json_at(json, "totals.spawned")), 4);
        assert_no_findings(json);
        json_decref(json);
        target_end(target);
    }
}

static void run_that_is_refused__leaves_the_tasks_of_the_other(void **state)
{
    const char *const argv[] = {LEAKSPY_TARGETS "/refused_run", NULL};
    const struct expected_group parked = {
        .verdict = "stuck", .op = "chan receive", .count = 3, .wait_function = "park"};
    (void)state;
    assert_same_behaviour(argv, LIST("TASKRT_THREADS=2"));
    struct target *target = target_start(true, argv, LIST("TASKRT_THREADS=2"));
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "0", NULL, &parked);
    assert_int_equal(json_integer_value(json_at(json, "totals.spawned")), 6); /* two threads */
    assert_int_equal(json_integer_value(json_at(json, "totals.finished")), 0);
    char *text = json_dumps(find_group(json, &parked), 0);
    assert_null(strstr(text, "runtime has stopped"));
    free(text);
    json_decref(json);
    target_end(target);
}

static void runtime_that_was_closed__is_looked_into_no_more(void **state)
{
    (void)state;
    assert_same_behaviour(
        LIST(LEAKSPY_TARGETS "/closed_runtime", LEAKSPY_TARGETS "/libruntime_plugin.so"),
        LIST("TASKRT_THREADS=1"));
}

static void program_that_closed_everything__is_recorded_on(void **state)
{
    (void)state;
    struct target *target;
    json_t *json = report_of("close_all", &target);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "exited");
    assert_int_equal(json_integer_value(json_at(json, "totals.spawned")), 4);
    json_decref(json);
    target_end(target);
}

/* The thread starts after that, and there is a sampler again. */
static void filters_that_are_refused__leave_the_program_recorded(void **state)
{
    (void)state;
    struct target *target =
        target_start(true, LIST(TRANSPARENT, "filters_that_are_refused", "stay"), NULL);
    target_wait_line(target, "refused");
    json_decref(wait_for_group(target, "60ms", NULL,
                               &(struct expected_group){.op = "io wait",
                                                        .count = 1,
                                                        .wait_function = "park",
                                                        .spawn_function = "start_thread"}));
    target_end(target);
}

static size_t add(struct CMUnitTest *tests, size_t count, const char *name, const char *what,
                  CMUnitTestFunction function)
{
    char *full = malloc(128);
    if (!full)
        abort();
    snprintf(full, 128, "%s__%s", name, what);
    tests[count] =
        (struct CMUnitTest){full, function, NULL, end_all_targets, (void *)(uintptr_t)name};
    return count + 1;
}

int main(void)
{
    static struct CMUnitTest same[LENGTH(scenarios) + 8];
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(scenarios); i++)
        count = add(same, count, scenarios[i], "behaves_the_same", scenario__behaves_the_same);
    static const char *const fast[] = {"descriptors_come_lowest_first",
                                       "standard_descriptors_reused", "load_while_spawning",
                                       "threads_come_and_go", "small_stacks"};
    for (size_t i = 0; i < LENGTH(fast); i++)
        count = add(same, count, fast[i], "behaves_the_same_when_sampled_fast",
                    scenario__behaves_the_same_when_sampled_fast);
    const struct CMUnitTest said[] = {
        cmocka_unit_test_teardown(exceptions__behave_the_same, end_all_targets),
        cmocka_unit_test_teardown(exceptions_with_indirect_libgcc__behave_the_same,
                                  end_all_targets),
        cmocka_unit_test_teardown(old_versions__behave_the_same, end_all_targets),
        cmocka_unit_test_teardown(functions_without_a_version__are_called_all_the_same,
                                  end_all_targets),
        cmocka_unit_test_teardown(old_quick_exit__is_recorded_with_its_status, end_all_targets),
        cmocka_unit_test_teardown(many_starts__all_end_well, end_all_targets),
        cmocka_unit_test_teardown(ends__are_recorded, end_all_targets),
        cmocka_unit_test_teardown(violent_ends__leave_a_readable_recording, end_all_targets),
        cmocka_unit_test_teardown(forked_children__have_recordings_of_their_own, end_all_targets),
        cmocka_unit_test_teardown(relative_path__stays_where_the_program_started, end_all_targets),
        cmocka_unit_test_teardown(executed_programs__have_recordings_of_their_own, end_all_targets),
        cmocka_unit_test_teardown(failed_exec__keeps_its_recording, end_all_targets),
        cmocka_unit_test_teardown(children__are_not_recorded_when_not_wanted, end_all_targets),
        cmocka_unit_test_teardown(threads_that_came_and_went__are_counted_and_gone,
                                  end_all_targets),
        cmocka_unit_test_teardown(handler_that_parks__is_what_the_thread_waits_in, end_all_targets),
        cmocka_unit_test_teardown(waiter_that_main_left__has_its_stack, end_all_targets),
        cmocka_unit_test_teardown(handler_that_jumps_out__leaves_no_wait_behind, end_all_targets),
        cmocka_unit_test_teardown(threads_that_freed_their_handles__are_recorded, end_all_targets),
        cmocka_unit_test_teardown(run_that_is_refused__leaves_the_tasks_of_the_other,
                                  end_all_targets),
        cmocka_unit_test_teardown(runtime_that_was_closed__is_looked_into_no_more, end_all_targets),
        cmocka_unit_test_teardown(thread_with_the_handle_of_one_that_is_gone__is_joined,
                                  end_all_targets),
        cmocka_unit_test_teardown(program_that_closed_everything__is_recorded_on, end_all_targets),
        cmocka_unit_test_teardown(filters_that_are_refused__leave_the_program_recorded,
                                  end_all_targets),
    };
    int failed = _cmocka_run_group_tests("behaviour", same, count, NULL, NULL);
    failed += cmocka_run_group_tests(said, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)same[i].name);
    return failed;
}
