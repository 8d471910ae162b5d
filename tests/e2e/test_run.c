/* `leakspy run`: the command behaves as it does alone, is recorded where that can be, and where it
 * cannot that is said before it starts. */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY "LEAKSPY_LIBRARY=" LEAKSPY_PRELOAD
#define LEAK LEAKSPY_SAMPLES "/join_parked_thread"
#define FAST "LEAKSPY_SAMPLE=20ms"
#define SOMEBODY "61234" /* a user with no other recordings */
#define AS_SOMEBODY "/usr/bin/setpriv", "--reuid=" SOMEBODY, "--regid=" SOMEBODY, "--clear-groups"
#define AS_ROOT_THAT_MAY_NOT_READ_ALL                                                              \
    "/usr/bin/setpriv", "--bounding-set=-dac_override,-dac_read_search"

static char dir[64], path[128];

static const char *in_scratch(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int make_scratch(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/leakspy-run.XXXXXX");
    assert_non_null(mkdtemp(dir));
    return chmod(dir, 0755);
}

static int remove_scratch(void **state)
{
    (void)state;
    struct outcome outcome = run_program(false, LIST("/bin/rm", "-rf", dir), NULL);
    outcome_deinit(&outcome);
    return 0;
}

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

static const struct expected_group leak = {
    .verdict = "stuck", .op = "thread join", .count = 1, .wait_function = "supervise"};

static void command__is_recorded_to_its_end(void **state)
{
    (void)state;
    struct target *target = start_recorded("ended");
    json_decref(wait_for_group(target, "60ms", NULL, &leak));
    target_wait_walks(target, 2, 0);
    struct outcome outcome = target_wait(target); /* its stdin ends, and so does it */
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "ready\n");
    assert_one_line_about_the_recording(&outcome);
    json_t *json = report(target->recording, "60ms", NULL);
    assert_group(json, &leak);
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
    json_t *json = wait_for_group(target, "60ms", NULL, &leak);
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
    json_t *json = wait_for_group(target, "60ms", NULL, &leak);
    snprintf(pid, sizeof pid, "%d", (int)json_integer_value(json_at(json, "source.pid")));
    json_decref(json);
    json = report(pid, "60ms", NULL);
    assert_string_equal(json_string_value(json_at(json, "source.path")), target->recording);
    json_decref(json);
    target_end(target);
}

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

/* ---- programs that the command starts ---- */

/* Runs the sample by a shell that outlives it, until the wait of it is recorded that leaks, or, of
 * its twin, to its end. Returns the pattern's only file: the recording of the sample. */
static const char *record_by_a_shell(const char *output, const char *sample, const char *pattern)
{
    static char found[128];
    glob_t files;
    struct target *target = target_start(
        false, LIST(LEAKSPY_COMMAND, "run", "-o", output, "/bin/sh", "-c", "\"$0\"; true", sample),
        LIST(LIBRARY, FAST));
    target_wait_line(target, "ready");
    assert_int_equal(glob(pattern, 0, NULL, &files), 0);
    assert_int_equal(files.gl_pathc, 1);
    snprintf(found, sizeof found, "%s", files.gl_pathv[0]);
    globfree(&files);
    if (strcmp(sample, LEAK) == 0)
        json_decref(wait_for_group_in(found, "60ms", NULL, &leak));
    struct outcome outcome = target_wait(target);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    target_end(target);
    return found;
}

static void assert_gate(const char *file, int status, const char *note, const char *err)
{
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--exit-code", "--threshold", "60ms", file), NULL);
    if (WEXITSTATUS(outcome.status) != status || !strstr(outcome.out, "nothing found: 1 task, ") ||
        !strstr(outcome.out, note) || strcmp(outcome.err, err) != 0)
        fail_msg("%s: status %d\n%s%s", file, WEXITSTATUS(outcome.status), outcome.out,
                 outcome.err);
    outcome_deinit(&outcome);
}

static void assert_gate_reads_what_was_started(const char *file, const char *child, bool leaks)
{
    char note[256], err[512] = "";
    snprintf(note, sizeof note, "note: a program that it started was recorded, too: %s\n", child);
    if (leaks)
        snprintf(err, sizeof err,
                 "leakspy: %s: nothing found, but %s, of a program that it started, has findings\n",
                 file, child);
    assert_gate(file, leaks ? 2 : 0, note, err);
}

static void program_that_the_command_starts__is_looked_at_by_a_gate(void **state)
{
    static const char *const samples[] = {LEAK, LEAK "_fixed"};
    (void)state;
    for (size_t i = 0; i < LENGTH(samples); i++) {
        char file[128], pattern[160];
        snprintf(file, sizeof file, "%s/shell-%zu", dir, i);
        snprintf(pattern, sizeof pattern, "%s.*", file);
        assert_gate_reads_what_was_started(file, record_by_a_shell(file, samples[i], pattern),
                                           i == 0);
    }
}

/* ---- the newest recording, of a user whose folder nobody else's recordings are in ---- */

static struct outcome run_as_somebody(const char *script, const char *word)
{
    return run_program(false, LIST(AS_SOMEBODY, "/bin/sh", "-c", script, LEAKSPY_COMMAND, word),
                       LIST(LIBRARY, FAST));
}

static void need_somebody(void)
{
    if (geteuid() != 0)
        skip();
    struct outcome can =
        run_as_somebody("[ -x \"$0\" ] && [ -x \"$1\" ] && [ -r " LEAKSPY_PRELOAD " ]", LEAK);
    bool reachable = can.status == 0;
    outcome_deinit(&can);
    if (!reachable)
        skip();
}

static int forget_somebody(void **state)
{
    struct outcome clean =
        run_program(false, LIST("/bin/rm", "-rf", "/dev/shm/leakspy-" SOMEBODY), NULL);
    outcome_deinit(&clean);
    return end_all_targets(state);
}

/* Until a report without a source is one of the leak; the caller owns it. */
static json_t *wait_for_default_report(void)
{
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; now_ms() < deadline_ms; sleep_ms(50)) {
        struct outcome outcome =
            run_as_somebody("exec \"$0\" report --format json --threshold 60ms", "");
        json_t *json = outcome.status == 0 ? json_loads(outcome.out, 0, NULL) : NULL;
        outcome_deinit(&outcome);
        if (json && find_group(json, &leak))
            return json;
        json_decref(json);
    }
    fail_msg("no report of the leak in %d ms", PATIENCE_MS);
    return NULL;
}

/* By its path; without one, the first program that had a second task is meant. */
static void program_that_the_command_starts__in_the_folder__is_looked_at_by_a_gate(void **state)
{
    (void)state;
    need_somebody();
    struct target *target = target_start(
        false, LIST(AS_SOMEBODY, LEAKSPY_COMMAND, "run", "/bin/sh", "-c", "\"$0\"; true", LEAK),
        LIST(LIBRARY, FAST));
    target_wait_line(target, "ready");
    json_t *json = wait_for_default_report();
    char file[128], child[128];
    snprintf(child, sizeof child, "%s", json_string_value(json_at(json, "source.path")));
    json_decref(json);
    struct outcome outcome = target_wait(target);
    const char *said = strstr(outcome.err, "recorded in ");
    assert_non_null(said);
    assert_int_equal(sscanf(said, "recorded in %127s", file), 1);
    outcome_deinit(&outcome);
    target_end(target);
    assert_gate_reads_what_was_started(file, child, true);
}

static void newest_recording_of_the_user__is_the_default_source(void **state)
{
    (void)state;
    need_somebody();
    struct outcome none = run_as_somebody("exec \"$0\" report", "");
    assert_int_equal(WEXITSTATUS(none.status), 2);
    assert_non_null(
        strstr(none.err, "leakspy: /dev/shm/leakspy-" SOMEBODY ": there is no recording"));
    outcome_deinit(&none);
    struct target *target =
        target_start(false, LIST(AS_SOMEBODY, LEAKSPY_COMMAND, "run", LEAK), LIST(LIBRARY, FAST));
    target_wait_line(target, "ready");
    json_decref(wait_for_default_report());
    struct outcome list = run_as_somebody("exec \"$0\" list", "");
    assert_non_null(strstr(list.out, "join_parked"));
    outcome_deinit(&list);
    target_end(target);
}

/* As `leakspy list` shows it. */
static void newest_recording__written_elsewhere__is_the_default_source(void **state)
{
    char file[128];
    (void)state;
    need_somebody();
    assert_int_equal(chmod(dir, 0777), 0);
    struct outcome before = run_as_somebody("exec \"$0\" run /bin/true", "");
    assert_int_equal(before.status, 0);
    outcome_deinit(&before);
    strcpy(file, in_scratch("elsewhere"));
    struct target *target = target_start(
        false, LIST(AS_SOMEBODY, LEAKSPY_COMMAND, "run", "-o", file, LEAK), LIST(LIBRARY, FAST));
    target_wait_line(target, "ready");
    json_t *json = wait_for_default_report();
    assert_string_equal(json_string_value(json_at(json, "source.path")), file);
    json_decref(json);
    target_end(target);
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
        cmocka_unit_test_teardown(script__is_recorded_as_its_interpreter, end_all_targets),
        cmocka_unit_test_teardown(text_that_the_shell_runs__is_said_to_be_recorded_as_that,
                                  end_all_targets),
        cmocka_unit_test_teardown(
            damaged_program_that_the_shell_runs__is_said_to_be_recorded_as_that, end_all_targets),
        cmocka_unit_test_teardown(recording_in_a_folder_that_cannot_hold_it__is_said_beforehand,
                                  end_all_targets),
        cmocka_unit_test_teardown(recording_named_by_the_environment__is_found, end_all_targets),
        cmocka_unit_test_teardown(program_that_the_command_starts__is_looked_at_by_a_gate,
                                  end_all_targets),
        cmocka_unit_test_teardown(newest_recording_of_the_user__is_the_default_source,
                                  forget_somebody),
        cmocka_unit_test_teardown(
            program_that_the_command_starts__in_the_folder__is_looked_at_by_a_gate,
            forget_somebody),
        cmocka_unit_test_teardown(newest_recording__written_elsewhere__is_the_default_source,
                                  forget_somebody),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
