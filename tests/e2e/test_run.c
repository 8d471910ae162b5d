/* `leakspy run`: the command behaves as it does alone and is recorded to its end, or, where the
 * recording cannot be made, that is said before it starts. */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/run_command.h"
#include "tests/e2e/scratch.h"

/* Starts the leaking sample with `leakspy run -o`; its recording is the target's. */
static struct target *start_recorded(const char *name)
{
    struct target *target =
        target_start(false, LIST(LEAKSPY_COMMAND, "run", "-o", in_scratch(name), "--", LEAK),
                     LIST(LIBRARY, FAST));
    snprintf(target->recording, sizeof target->recording, "%.90s", in_scratch(name));
    target_wait_line(target, "ready");
    return target;
}

/* All that `leakspy run` adds to what the command says, at its end. */
static void assert_one_line_about_the_recording(const struct outcome *outcome)
{
    static const char begin[] = "leakspy: recorded in /";
    assert_memory_equal(outcome->err, begin, sizeof begin - 1);
    assert_string_equal(strchr(outcome->err, '\n'), "\n");
}

static void command__is_recorded_to_its_end(void **state)
{
    (void)state;
    struct target *target = start_recorded("ended");
    json_decref(wait_for_group(target, "60ms", NULL, &run_leak));
    target_wait_walks(target, 2, 0);
    struct outcome outcome = target_wait(target); /* its stdin ends, and so does it */
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "ready\n");
    assert_one_line_about_the_recording(&outcome);
    json_t *json = report(target->recording, "60ms", NULL);
    assert_group(json, &run_leak);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "exited");
    assert_int_equal(json_integer_value(json_at(json, "source.exit_code")), 0);
    json_decref(json);
    outcome_deinit(&outcome);
    target_end(target);
}

static void command_that_is_killed__is_recorded_as_such(void **state)
{
    char pid[16];
    (void)state;
    struct target *target = start_recorded("killed");
    json_t *json = wait_for_group(target, "60ms", NULL, &run_leak);
    snprintf(pid, sizeof pid, "%d", (int)json_integer_value(json_at(json, "source.pid")));
    json_decref(json);
    assert_int_equal(kill(atoi(pid), SIGKILL), 0);
    struct outcome outcome = target_wait(target);
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), 128 + SIGKILL);
    json = report(target->recording, "0", NULL);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "signalled");
    json_decref(json);
    outcome_deinit(&outcome);
    target_end(target);
}

/* As a service manager does that knows the number of `leakspy run` alone. */
static void signal__sent_to_run_alone__is_passed_on(void **state)
{
    static const char script[] =
        "for n in 1 2 3 10 12 14 15 28 29 34 64; do trap \"exit $((n + 100))\" $n; "
        "done; echo ready; while :; do sleep 0.02; done";
    static const int numbers[] = {1, 2, 3, 10, 12, 14, 15, 28, 29, 34, 64};
    (void)state;
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        struct target *target =
            target_start(false,
                         LIST(LEAKSPY_COMMAND, "run", "-o", in_scratch("signals"), "--",
                              "/bin/bash", "-c", script),
                         LIST(LIBRARY, FAST));
        target_wait_line(target, "ready");
        assert_int_equal(kill(target->pid, numbers[i]), 0);
        struct outcome outcome = target_wait(target);
        assert_true(WIFEXITED(outcome.status));
        assert_int_equal(WEXITSTATUS(outcome.status), 100 + numbers[i]);
        outcome_deinit(&outcome);
        target_end(target);
    }
}

/* By then it has said that it exits. */
static void command_that_is_killed_by_its_last_flush__is_recorded_as_such(void **state)
{
    (void)state;
    struct outcome outcome = run_program(false,
                                         LIST(LEAKSPY_COMMAND, "run", "-o", in_scratch("broken"),
                                              "--", LEAKSPY_TARGETS "/late_end", "broken"),
                                         LIST(LIBRARY));
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), 128 + SIGPIPE);
    assert_one_line_about_the_recording(&outcome);
    json_t *json = report(in_scratch("broken"), "0", NULL);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "signalled");
    assert_int_equal(json_integer_value(json_at(json, "source.signal")), SIGPIPE);
    json_decref(json);
    outcome_deinit(&outcome);
}

/* The list of what a process has mapped writes a line's end in its own way. */
static void recording_with_a_newline_in_its_name__is_found_by_pid(void **state)
{
    char pid[16];
    (void)state;
    struct target *target = start_recorded("two\nlines");
    json_t *json = wait_for_group(target, "60ms", NULL, &run_leak);
    snprintf(pid, sizeof pid, "%d", (int)json_integer_value(json_at(json, "source.pid")));
    json_decref(json);
    json = report(pid, "60ms", NULL);
    assert_string_equal(json_string_value(json_at(json, "source.path")), target->recording);
    json_decref(json);
    target_end(target);
}

static void write_script(char script[128], const char *name, const char *text)
{
    strcpy(script, in_scratch(name));
    FILE *file = fopen(script, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(script, 0755), 0);
}

static void script__is_recorded_as_its_interpreter(void **state)
{
    char script[128];
    (void)state;
    write_script(script, "script", "#!/bin/sh\necho from a script\nexit 13\n");
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "run", "-o", in_scratch("script.rec"), script), LIST(LIBRARY));
    assert_int_equal(WEXITSTATUS(outcome.status), 13);
    assert_string_equal(outcome.out, "from a script\n");
    assert_one_line_about_the_recording(&outcome);
    json_t *json = report(in_scratch("script.rec"), "0", NULL);
    assert_int_equal(json_integer_value(json_at(json, "source.exit_code")), 13);
    json_decref(json);
    outcome_deinit(&outcome);
}

static void text_that_the_shell_runs__is_said_to_be_recorded_as_that(void **state)
{
    char script[128], line[512];
    (void)state;
    write_script(script, "text", "echo from the shell\nexit 14\n");
    snprintf(line, sizeof line,
             "leakspy: can record only the shell that runs %s: it is not an ELF program, nor a "
             "script with a #! line\nleakspy: recorded in %s\n",
             script, in_scratch("text.rec"));
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "run", "-o", in_scratch("text.rec"), script), LIST(LIBRARY));
    assert_int_equal(WEXITSTATUS(outcome.status), 14);
    assert_string_equal(outcome.out, "from the shell\n");
    assert_string_equal(outcome.err, line);
    outcome_deinit(&outcome);
}

/* The kernel does not know what it is either. */
static void damaged_program_that_the_shell_runs__is_said_to_be_recorded_as_that(void **state)
{
    char program[128], line[512];
    (void)state;
    write_script(program, "damaged", "\177ELF garbage\n");
    snprintf(line, sizeof line,
             "leakspy: can record only the shell that runs %s: its ELF header cannot be read\n",
             program);
    struct outcome bare = run_program(false, LIST("/usr/bin/env", program), NULL);
    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "run", "-o", in_scratch("damaged.rec"), program),
                    LIST(LIBRARY));
    assert_int_equal(outcome.status, bare.status);
    if (strncmp(outcome.err, line, strlen(line)) != 0)
        fail_msg("not at first \"%s\":\n%s", line, outcome.err);
    outcome_deinit(&bare);
    outcome_deinit(&outcome);
}

static void assert_said_that_it_cannot_be_made(const char *output, int error)
{
    char lines[512];
    const char *const *argv = LIST(AS_ROOT_THAT_MAY_NOT_READ_ALL, LEAKSPY_COMMAND, "run", "-o",
                                   output, "/bin/sh", "-c", "echo started >&2; exit 3");
    snprintf(lines, sizeof lines,
             "leakspy: %s: cannot be made (%s): nothing is recorded\nstarted\n", output,
             strerror(error));
    struct outcome outcome = run_program(false, argv + (geteuid() == 0 ? 0 : 2), LIST(LIBRARY));
    assert_int_equal(WEXITSTATUS(outcome.status), 3);
    assert_string_equal(outcome.err, lines);
    outcome_deinit(&outcome);
}

static void recording_in_a_folder_that_cannot_hold_it__is_said_beforehand(void **state)
{
    char file[128];
    (void)state;
    assert_said_that_it_cannot_be_made("/nonexistent/x.rec", ENOENT);
    write_script(file, "file", "");
    strcat(file, "/x.rec");
    assert_said_that_it_cannot_be_made(file, ENOTDIR);
    assert_int_equal(mkdir(in_scratch("locked"), 0555), 0);
    assert_said_that_it_cannot_be_made(in_scratch("locked/x.rec"), EACCES);
}

/* It is heeded by the library, so the command has to look there, and to write there how it ended.
 */
static void recording_named_by_the_environment__is_found(void **state)
{
    char setting[160];
    (void)state;
    snprintf(setting, sizeof setting, "LEAKSPY_OUT=%s", in_scratch("named.rec"));
    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "run", "/bin/sh", "-c", "kill -KILL $$"),
                    LIST(LIBRARY, setting));
    assert_int_equal(WEXITSTATUS(outcome.status), 128 + SIGKILL);
    assert_one_line_about_the_recording(&outcome);
    assert_non_null(strstr(outcome.err, in_scratch("named.rec")));
    json_t *json = report(in_scratch("named.rec"), "0", NULL);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "signalled");
    json_decref(json);
    outcome_deinit(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(command__is_recorded_to_its_end, end_all_targets),
        cmocka_unit_test_teardown(command_that_is_killed__is_recorded_as_such, end_all_targets),
        cmocka_unit_test_teardown(signal__sent_to_run_alone__is_passed_on, end_all_targets),
        cmocka_unit_test_teardown(command_that_is_killed_by_its_last_flush__is_recorded_as_such,
                                  end_all_targets),
        cmocka_unit_test_teardown(recording_with_a_newline_in_its_name__is_found_by_pid,
                                  end_all_targets),
        cmocka_unit_test_teardown(script__is_recorded_as_its_interpreter, end_all_targets),
        cmocka_unit_test_teardown(text_that_the_shell_runs__is_said_to_be_recorded_as_that,
                                  end_all_targets),
        cmocka_unit_test_teardown(
            damaged_program_that_the_shell_runs__is_said_to_be_recorded_as_that, end_all_targets),
        cmocka_unit_test_teardown(recording_in_a_folder_that_cannot_hold_it__is_said_beforehand,
                                  end_all_targets),
        cmocka_unit_test_teardown(recording_named_by_the_environment__is_found, end_all_targets),
    };
    return cmocka_run_group_tests(tests, run_make_scratch, run_remove_scratch);
}
