/* `leakspy run`, and programs that cannot be recorded: that is said before they start, or noted in
 * the report on who started them. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/run_command.h"
#include "tests/e2e/scratch.h"

/* `leakspy run ARGV…` exits as the command alone, prints the same, and says `why` on stderr. */
static void assert_runs_unrecorded(const char *why, const char *program)
{
    struct outcome bare = run_program(false, LIST(program, "argument"), NULL);
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "run", "-o", in_scratch("none"), program, "argument"),
        LIST(LIBRARY));
    if (outcome.status != bare.status || !strstr(outcome.err, why))
        fprintf(stderr, "%s: status 0x%x\n%s\n", program, outcome.status, outcome.err);
    assert_int_equal(outcome.status, bare.status);
    assert_string_equal(outcome.out, bare.out);
    assert_non_null(strstr(outcome.err, why));
    assert_memory_equal(outcome.err, "leakspy: ", 9);
    assert_int_equal(access(in_scratch("none"), F_OK), -1);
    outcome_deinit(&bare);
    outcome_deinit(&outcome);
}

static void static_program__is_said_to_be_out_of_reach_and_runs(void **state)
{
    (void)state;
    assert_runs_unrecorded("static", LEAKSPY_TARGETS "/static_program");
}

/* A recorded shell that became a program which loads no library: the recording is of the shell, and
 * the process is looked at as what it is now. */
static void program_that_becomes_a_static_one__is_not_told_as_its_old_self(void **state)
{
    const struct expected_group io_wait = {.kind = "thread", .op = "io wait", .count = 1};
    (void)state;
    struct target *target = target_start(
        true,
        LIST("/bin/sh", "-c", "/bin/true; exec \"$0\" ready", LEAKSPY_TARGETS "/static_program"),
        NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &io_wait);
    assert_string_equal(json_string_value(json_at(json, "source.kind")), "process");
    assert_non_null(strstr(json_string_value(json_at(json, "source.exe")), "/static_program"));
    assert_group(json, &io_wait);
    json_decref(json);
    json = report(target->recording, "0", LIST("--all"));
    assert_string_equal(json_string_value(json_at(json, "source.end")), "exec");
    json_decref(json);
    assert_no_all_clear(target->recording);
    target_close_stdin(target);
    struct outcome outcome = target_wait(target);
    assert_int_equal(WEXITSTATUS(outcome.status), 17);
    outcome_deinit(&outcome);
    target_end(target);
}

/* What is behind a wrapper that goes on, or becomes it, has no recording: that of the wrapper says
 * so, and says what tells of it. */
static void static_program_behind_a_wrapper__is_noted_while_it_runs(void **state)
{
    const struct {
        const char *const *argv;
        const char *begin; /* of the note, up to the path */
    } rows[] = {
        {LIST("/usr/bin/timeout", "60", LEAKSPY_TARGETS "/static_program", "ready"), "it started "},
        {LIST("/bin/sh", "-c", "/usr/bin/timeout 60 \"$0\" ready; exit $?",
              LEAKSPY_TARGETS "/static_program"),
         "it started "},
        {LIST("/usr/bin/env", LEAKSPY_TARGETS "/static_program", "ready"), "it runs "},
        {LIST("/usr/bin/nice", LEAKSPY_TARGETS "/static_program", "ready"), "it runs "},
        {LIST("/bin/sh", "-c", "exec \"$0\" ready", LEAKSPY_TARGETS "/static_program"), "it runs "},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        char begin[512];
        struct target *target = target_start(true, rows[i].argv, NULL);
        target_wait_line(target, "ready");
        json_t *json = report(target->recording, "0", NULL);
        snprintf(begin, sizeof begin, "%s" LEAKSPY_TARGETS "/static_program", rows[i].begin);
        if (!has_note(json, begin))
            fail_msg("row %zu: no note of \"%s\"", i, begin);
        assert_true(has_note(json, "which is not recorded (it is statically linked): 'leakspy "));
        json_decref(json);
        target_close_stdin(target);
        struct outcome outcome = target_wait(target);
        assert_int_equal(WEXITSTATUS(outcome.status), 17);
        outcome_deinit(&outcome);
        json = report(target->recording, "0", NULL);
        assert_false(has_note(json, "which is not recorded")); /* there is nothing to look at */
        json_decref(json);
        target_end(target);
    }
}

static void more_programs_than_are_looked_at__are_noted(void **state)
{
    (void)state;
    struct target *target = target_start(
        true,
        LIST("/bin/sh", "-c",
             "i=0; while [ $i -lt 101 ]; do sleep 60 & pids=\"$pids $!\"; i=$((i + 1)); done; "
             "echo ready; read line; kill $pids"),
        LIST("LEAKSPY_CHILDREN=no"));
    target_wait_line(target, "ready");
    json_t *json = report(target->recording, "0", NULL);
    assert_true(has_note(json, "it started more than 100 processes"));
    json_decref(json);
    target_close_stdin(target);
    target_end(target);
}

/* The number in "'leakspy report N' tells of it" is one that a report takes. */
static void note_of_a_program_that_is_not_recorded__names_what_tells_of_it(void **state)
{
    const struct expected_group io_wait = {.kind = "thread", .op = "io wait", .count = 1};
    static const char before[] = "'leakspy report ";
    char pid[16] = "";
    size_t i;
    json_t *note;
    (void)state;
    struct target *target = target_start(
        true, LIST("/usr/bin/timeout", "60", LEAKSPY_TARGETS "/static_program", "ready"), NULL);
    target_wait_line(target, "ready");
    json_t *json = report(target->recording, "0", NULL);
    json_array_foreach((json_t *)json_at(json, "notes"), i, note)
    {
        const char *text = json_string_value(json_object_get(note, "note"));
        const char *at = text ? strstr(text, before) : NULL;
        if (at)
            snprintf(pid, sizeof pid, "%d", atoi(at + sizeof before - 1));
    }
    json_decref(json);
    assert_string_not_equal(pid, "");
    assert_string_not_equal(pid, target->pid_text);
    json = wait_for_group_in(pid, "0", LIST("--all"), &io_wait);
    assert_non_null(strstr(json_string_value(json_at(json, "source.exe")), "/static_program"));
    json_decref(json);
    target_end(target);
}

static void many_programs_that_are_not_recorded__are_counted(void **state)
{
    (void)state;
    struct target *target = target_start(
        true,
        LIST("/bin/sh", "-c", "exec 3<&0; for i in 1 2 3 4 5; do \"$0\" ready <&3 & done; wait",
             LEAKSPY_TARGETS "/static_program"),
        NULL);
    for (int i = 0; i < 5; i++)
        target_wait_line(target, "ready");
    json_t *json = report(target->recording, "0", NULL);
    assert_true(has_note(json, "it started 5 programs that are not recorded: "));
    assert_true(has_note(json, ", 2 more; 'leakspy report PID' tells of each"));
    json_decref(json);
    target_finish(target);
}

static void program_that_is_recorded__is_not_noted(void **state)
{
    (void)state;
    struct target *target = target_start(
        true, LIST("/usr/bin/timeout", "60", LEAKSPY_TARGETS "/dynamic_program", "ready"), NULL);
    target_wait_line(target, "ready");
    json_t *json = report(target->recording, "0", NULL);
    assert_false(has_note(json, "not recorded"));
    json_decref(json);
    target_end(target);
}

/* The same behind a wrapper, in the folder of the user: two recordings of the process lie there. */
static void process_that_left_two_recordings__is_looked_at(void **state)
{
    (void)state;
    struct target *target =
        target_start(true,
                     LIST("/usr/bin/env", "-u", "LEAKSPY_OUT", "/usr/bin/env", "/bin/sh", "-c",
                          "/bin/true; exec \"$0\" ready", LEAKSPY_TARGETS "/static_program"),
                     NULL);
    target_wait_line(target, "ready");
    json_t *json = report(target->pid_text, "0", LIST("--all"));
    assert_string_equal(json_string_value(json_at(json, "source.kind")), "process");
    json_decref(json);
    target_end(target);
}

/* A program of another user's, in the scratch folder; only root can make one: else the test is
 * skipped. */
static void copy_for_another_user(char program[128], const char *name, mode_t mode)
{
    if (geteuid() != 0)
        skip();
    strcpy(program, in_scratch(name));
    struct outcome copy =
        run_program(false, LIST("/bin/cp", LEAKSPY_TARGETS "/dynamic_program", program), NULL);
    assert_int_equal(copy.status, 0);
    outcome_deinit(&copy);
    assert_int_equal(chown(program, 61234, 61234), 0);
    assert_int_equal(chmod(program, mode), 0);
}

static void setuid_program__is_said_to_be_out_of_reach_and_runs(void **state)
{
    char program[128];
    (void)state;
    copy_for_another_user(program, "setuid", 04755);
    assert_runs_unrecorded("set", program);
}

/* It may be executed, so a look at it has to do without its content. */
static void setuid_program_that_cannot_be_read__is_said_to_be_out_of_reach(void **state)
{
    char program[128];
    (void)state;
    copy_for_another_user(program, "unreadable", 04711);
    struct outcome outcome = run_program(
        false, LIST(AS_ROOT_THAT_MAY_NOT_READ_ALL, LEAKSPY_COMMAND, "run", program, "argument"),
        LIST(LIBRARY));
    assert_int_equal(WEXITSTATUS(outcome.status), 17);
    assert_memory_equal(outcome.err, "leakspy: cannot record ", 23);
    assert_non_null(strstr(outcome.err, "it is setuid"));
    assert_string_equal(strchr(outcome.err, '\n'), "\n");
    outcome_deinit(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(program_that_becomes_a_static_one__is_not_told_as_its_old_self,
                                  end_all_targets),
        cmocka_unit_test_teardown(static_program_behind_a_wrapper__is_noted_while_it_runs,
                                  end_all_targets),
        cmocka_unit_test_teardown(more_programs_than_are_looked_at__are_noted, end_all_targets),
        cmocka_unit_test_teardown(note_of_a_program_that_is_not_recorded__names_what_tells_of_it,
                                  end_all_targets),
        cmocka_unit_test_teardown(many_programs_that_are_not_recorded__are_counted,
                                  end_all_targets),
        cmocka_unit_test_teardown(program_that_is_recorded__is_not_noted, end_all_targets),
        cmocka_unit_test_teardown(process_that_left_two_recordings__is_looked_at, end_all_targets),
        cmocka_unit_test_teardown(static_program__is_said_to_be_out_of_reach_and_runs,
                                  end_all_targets),
        cmocka_unit_test_teardown(setuid_program__is_said_to_be_out_of_reach_and_runs,
                                  end_all_targets),
        cmocka_unit_test_teardown(setuid_program_that_cannot_be_read__is_said_to_be_out_of_reach,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, run_make_scratch, run_remove_scratch);
}
