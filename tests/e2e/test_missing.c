/* The command, and programs under the preload, where something is missing that is usually there:
 * /dev/shm, /proc, the right to look at processes, the right to be preloaded; or where a stack is
 * longer than what is kept. Each has an outcome that is said. */
#include "tests/e2e/harness.h"
#include "tests/e2e/limits_program.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINKED LEAKSPY_TARGETS "/limits_linked" /* with the library */
#define LIBRARY "LEAKSPY_LIBRARY=" LEAKSPY_PRELOAD
#define PRELOAD "LD_PRELOAD=" LEAKSPY_PRELOAD
#define AS_COMMAND LIST("LIMITS_PROGRAM=" LEAKSPY_COMMAND, LIBRARY)
#define OWNER "64997" /* of programs that others start */
#define CALLER "64996"
#define AS_CALLER "/usr/bin/setpriv", "--reuid=" CALLER, "--regid=" CALLER, "--clear-groups"
#define FOLDER_OF(user) "/dev/shm/leakspy-" user

enum { NOT_TO_BE_TRIED = 77 };

static const struct expected_group parked = {.op = "sem wait", .count = 1, .wait_function = "park"};

static char dir[64];

static void remove_all(const char *what)
{
    struct outcome outcome = run_program(false, LIST("/bin/rm", "-rf", what), NULL);
    outcome_deinit(&outcome);
}

static int make_scratch(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/leakspy-missing.XXXXXX");
    return mkdtemp(dir) && chmod(dir, 0777) == 0 ? 0 : -1;
}

static int remove_scratch(void **state)
{
    remove_all(dir);
    if (getuid() == 0) {
        remove_all(FOLDER_OF(OWNER));
        remove_all(FOLDER_OF(CALLER));
    }
    return end_all_targets(state);
}

/* Runs PREPARED with the words of both lists; skips where that is not permitted. */
static struct outcome run_prepared(const char *const preparation[], const char *const argv[])
{
    const char *words[16] = {PREPARED};
    size_t count = 1;
    for (size_t i = 0; preparation[i]; i++)
        words[count++] = preparation[i];
    for (size_t i = 0; argv[i]; i++)
        words[count++] = argv[i];
    struct outcome outcome = run_program(false, words, AS_COMMAND);
    if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == NOT_TO_BE_TRIED) {
        outcome_deinit(&outcome);
        skip();
    }
    return outcome;
}

/* Runs the command with a file system in the place of `where`. */
static struct outcome run_over(const char *where, const char *options, const char *const argv[])
{
    return run_prepared(LIST("over", where, options), argv);
}

static void assert_outcome(struct outcome outcome, int status, const char *out, const char *err)
{
    if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != status ||
        !strstr(outcome.out, out) || !strstr(outcome.err, err))
        fail_msg("not status %d, \"%s\", \"%s\", but 0x%x:\n%s%s", status, out, err, outcome.status,
                 outcome.out, outcome.err);
    outcome_deinit(&outcome);
}

/* ---- the command ---- */

static void no_room_where_recordings_are__is_said(void **state)
{
    static const char *const ways[][2] = {{"/dev", ""}, {"/dev/shm", "nr_inodes=1"}};
    (void)state;
    for (size_t i = 0; i < LENGTH(ways); i++) {
        const char *where = ways[i][0], *options = ways[i][1];
        assert_outcome(run_over(where, options, LIST("run", "--", LIMITS, "threads")), 0, "done\n",
                       "left no recording: the library was not loaded, /dev/shm is full");
        assert_outcome(run_over(where, options, LIST("list")), 0, "", "");
        /* Where nobody else is, who may be recording elsewhere. */
        assert_outcome(run_prepared(LIST("container", "over", where, options), LIST("report")), 2,
                       "", "there is no recording");
    }
}

static void without_proc__what_was_recorded_is_read(void **state)
{
    (void)state;
    struct target *target = target_start(true, LIST(LIMITS, "stay"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "0", NULL, &parked));
    const char *const report_it[] = {"report", "--format=json", "--threshold=0", target->recording,
                                     NULL};
    struct outcome outcome = run_over("/proc", "", report_it);
    assert_int_equal(outcome.status, 0);
    json_t *json = json_loads(outcome.out, 0, NULL);
    assert_group(json, &parked);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "running");
    json_decref(json);
    outcome_deinit(&outcome);
    assert_outcome(run_over("/proc", "", LIST("report", target->pid_text)), 2, "",
                   "/proc does not show it");

    target_kill(target, SIGKILL);
    outcome = run_over("/proc", "", report_it);
    json = json_loads(outcome.out, 0, NULL);
    assert_string_equal(json_string_value(json_at(json, "source.end")), "vanished");
    json_decref(json);
    outcome_deinit(&outcome);
    target_end(target);
}

/* As root in a container is: a process with more rights than it has is not to be looked at. */
static void without_the_right_to_trace__is_said_and_the_process_goes_on(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    struct target *target = target_start(false, LIST(LIMITS, "stay"), NULL);
    target_wait_line(target, "ready");
    assert_outcome(
        run_program(false, LIST(PREPARED, "no-ptrace", "report", target->pid_text), AS_COMMAND), 2,
        "", "not permitted, even to root: leakspy needs CAP_SYS_PTRACE");
    assert_outcome(target_wait(target), 0, "ready\ndone\n", "");
    target_end(target);

    /* One in the same container has no more. */
    target =
        target_start(false, LIST(PREPARED, "no-ptrace", "stay"), LIST("LIMITS_PROGRAM=" LIMITS));
    target_wait_line(target, "ready");
    assert_outcome(
        run_program(false, LIST(PREPARED, "no-ptrace", "report", "--threshold=0", target->pid_text),
                    AS_COMMAND),
        0, "sem wait", "");
    assert_outcome(target_wait(target), 0, "ready\ndone\n", "");
    target_end(target);
}

/* ---- programs with more rights than who starts them ---- */

static bool is_anything_recorded(void)
{
    struct outcome outcome =
        run_program(false,
                    LIST("/bin/sh", "-c", "find \"$@\" -name '*.rec*' 2>/dev/null", "sh", dir,
                         FOLDER_OF(OWNER), FOLDER_OF(CALLER)),
                    NULL);
    bool any = outcome.out[0] != '\0';
    outcome_deinit(&outcome);
    return any;
}

/* A file that the caller names. */
static const char *stolen(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/stolen.rec", dir);
    return path;
}

/* Runs a program as the caller, with all that is set for a recording in `dir`. */
static struct outcome run_as_caller(const char *program)
{
    char out[160];
    snprintf(out, sizeof out, "LEAKSPY_OUT=%s", stolen());
    return run_program(
        false,
        LIST(AS_CALLER, "/usr/bin/env", PRELOAD, out, "LEAKSPY_VERBOSE=1", program, "threads"),
        NULL);
}

/* The one is given the library by the preload, which is ignored. The other has it in any case, and
 * what the caller has set would name the file that is written with those rights. */
static void program_that_gains_rights__is_not_recorded(void **state)
{
    static const char *const programs[] = {LIMITS, LINKED};
    static const char *const gains[] = {
        "chown " OWNER " \"$1\"; chmod 4755 \"$1\"", "chgrp " OWNER " \"$1\"; chmod 2755 \"$1\"",
        "PATH=$PATH:/usr/sbin; command -v setcap || exit 77; setcap cap_net_raw+ep \"$1\"",
        "chmod 755 \"$1\"", /* none: else nothing would be shown */
    };
    char program[128];
    (void)state;
    if (geteuid() != 0)
        skip();
    snprintf(program, sizeof program, "%s/program", dir);
    for (size_t i = 0; i < LENGTH(programs) * LENGTH(gains); i++) {
        const char *gain = gains[i % LENGTH(gains)];
        bool none = i % LENGTH(gains) == LENGTH(gains) - 1;
        struct outcome outcome = run_program(false,
                                             LIST("/bin/sh", "-ec", "cp \"$2\" \"$1\"; eval \"$3\"",
                                                  "sh", program, programs[i / LENGTH(gains)], gain),
                                             NULL);
        if (WIFEXITED(outcome.status) && WEXITSTATUS(outcome.status) == NOT_TO_BE_TRIED)
            fprintf(stderr, "not to be tried here: %s\n", gain);
        else if (outcome.status != 0)
            fail_msg("%s: %s", gain, outcome.err);
        if (outcome.status != 0)
            continue;
        outcome_deinit(&outcome);
        outcome = run_as_caller(program);
        bool recorded = is_anything_recorded();
        if (outcome.status != 0 || strcmp(outcome.out, "done\n") != 0 ||
            (outcome.err[0] != '\0') != none || recorded != none)
            fail_msg("%s: status 0x%x, %srecorded: %s%s", gain, outcome.status,
                     recorded ? "" : "not ", outcome.out, outcome.err);
        outcome_deinit(&outcome);
        assert_int_equal(unlink(program), 0);
        remove_all(stolen());
    }
}

/* ---- long stacks ---- */

static void check_long_stack(const json_t *json, const char *end, bool spawned)
{
    const struct expected_group deep = {
        .op = "sem wait", .count = 1, .wait_function = "spawn_below"};
    const struct expected_group of_deep = {
        .op = "sem wait", .count = 1, .spawn_function = "spawn_below"};
    const json_t *group = find_group(json, spawned ? &of_deep : &deep);
    if (!group) {
        char *text = json_dumps(json, JSON_INDENT(1));
        fail_msg("no group: %s", text);
    }
    char stack[32], cut[32];
    snprintf(stack, sizeof stack, "%s_stack", end);
    snprintf(cut, sizeof cut, "%s_stack_cut", end);
    assert_true(json_array_size(json_object_get(group, stack)) >= 60);
    assert_true(json_is_true(json_object_get(group, cut)));
}

/* As far as it is kept, innermost first, and that it goes on is said. */
static void stack_of_4000_frames__is_told_and_said_to_be_longer(void **state)
{
    (void)state;
    struct target *target = target_start(true, LIST(LIMITS, "deep-stay", "4000"), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(
        target, "0", NULL,
        &(struct expected_group){.op = "sem wait", .count = 1, .wait_function = "spawn_below"});
    check_long_stack(json, "wait", false);
    check_long_stack(json, "spawn", true);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    assert_outcome(target_wait(target), 0, "ready\n4001 frames\n", "");
    target_end(target);

    target = target_start(false, LIST(LIMITS, "deep-stay", "4000"), NULL);
    target_wait_line(target, "ready");
    const json_t *group = NULL;
    for (int64_t deadline_ms = now_ms() + PATIENCE_MS; !group; sleep_ms(20)) {
        assert_true(now_ms() < deadline_ms); /* it is on its way down */
        json = report(target->pid_text, "0", NULL);
        group = find_group(json, &(struct expected_group){
                                     .op = "sem wait", .count = 1, .wait_function = "spawn_below"});
        if (group)
            check_long_stack(json, "wait", false);
        json_decref(json);
    }
    assert_outcome(target_wait(target), 0, "ready\n4001 frames\n", "");
    target_end(target);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_room_where_recordings_are__is_said),
        TEST(without_proc__what_was_recorded_is_read),
        TEST(without_the_right_to_trace__is_said_and_the_process_goes_on),
        TEST(program_that_gains_rights__is_not_recorded),
        TEST(stack_of_4000_frames__is_told_and_said_to_be_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
