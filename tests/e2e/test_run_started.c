/* Which recordings are meant after `leakspy run`: those of programs that the command started, and
 * the newest one, where none is named. */
#include "tests/e2e/harness.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/run_command.h"
#include "tests/e2e/scratch.h"

#define SOMEBODY "61234" /* a user with no other recordings */
#define AS_SOMEBODY "/usr/bin/setpriv", "--reuid=" SOMEBODY, "--regid=" SOMEBODY, "--clear-groups"

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
        json_decref(wait_for_group_in(found, "60ms", NULL, &run_leak));
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
        snprintf(file, sizeof file, "%s/shell-%zu", scratch_dir, i);
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
        if (json && find_group(json, &run_leak))
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
    assert_int_equal(chmod(scratch_dir, 0777), 0);
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
    return cmocka_run_group_tests(tests, run_make_scratch, run_remove_scratch);
}
