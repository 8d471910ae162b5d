/* `leakspy report CORE`: what the report says of it, and which executable it takes. */
#include "tests/e2e/harness.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/looked_at.h"
#include "tests/e2e/scratch.h"

/* The one note that depends on the machine: Debian has libc's debug information in a package of its
 * own. */
static void assert_no_note_but_of_debug_information(const json_t *json)
{
    size_t i;
    json_t *note;
    json_array_foreach(json_object_get(json, "notes"), i, note)
        assert_text(note, "note", "no debug information");
}

static void core_of_gcore__is_read(void **state)
{
    (void)state;
    struct target *target = start(false, DEADLOCK);
    json_decref(wait_for_group_in(target->pid_text, "1ms", NULL, &deadlock));
    const char *core = target_write_core(target, scratch_dir);
    pid_t pid = target->pid;
    target_end(target);
    json_t *json = report(core, "0", NULL);
    assert_group(json, &deadlock);
    assert_text(json, "source.kind", "core");
    assert_text(json, "source.path", core);
    assert_text(json, "source.exe", DEADLOCK);
    assert_text(json, "source.end", "running");
    assert_int_equal(json_integer_value(json_at(json, "source.pid")), pid);
    assert_no_note_but_of_debug_information(json);
    json_decref(json);

    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "report", "--threshold", "0", core), NULL);
    assert_non_null(strstr(outcome.out, "dumped while it ran; core "));
    outcome_deinit(&outcome);
    assert_refused(64, "--watch: nothing moves in a core",
                   LIST(LEAKSPY_COMMAND, "report", "--watch", "1s", core));
}

/* Has the kernel write a core of a program; NULL: it hands cores to another program here. */
static const char *crash(const char *program)
{
    static char path[160];
    char command[512], pattern[256] = "|";
    FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
    if (file && !fgets(pattern, sizeof pattern, file))
        pattern[0] = '|';
    if (file)
        fclose(file);
    if (strchr(pattern, '|') || strchr(pattern, '/'))
        return NULL;
    snprintf(command, sizeof command, "ulimit -c unlimited && cd %s && exec %s", scratch_dir,
             program);
    struct target *target = target_start(false, LIST("/bin/sh", "-c", command), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group_in(target->pid_text, "1ms", NULL, &deadlock));
    target_kill(target, SIGABRT);
    target_end(target);

    glob_t found;
    bool any = glob(in_scratch("core*"), 0, NULL, &found) == 0;
    if (any)
        snprintf(path, sizeof path, "%s", found.gl_pathv[0]);
    if (any)
        globfree(&found);
    return any ? path : NULL;
}

static void core_of_the_kernel__is_read(void **state)
{
    (void)state;
    const char *core = crash(DEADLOCK);
    if (!core)
        skip();
    json_t *json = report(core, "0", NULL);
    assert_group(json, &deadlock);
    assert_text(json, "source.kind", "core");
    assert_text(json, "source.end", "signalled");
    assert_int_equal(json_integer_value(json_at(json, "source.signal")), SIGABRT);
    assert_text(json, "source.exe", DEADLOCK);
    assert_string_equal(json_string_value(json_array_get(json_at(json, "source.cmdline"), 0)),
                        DEADLOCK);
    json_decref(json);
}

static void executable_that_is_gone__is_named_by_exe(void **state)
{
    (void)state;
    char copy[128];
    strcpy(copy, in_scratch("program"));
    copy_file(DEADLOCK, copy);
    struct target *target = start(false, copy);
    json_decref(wait_for_group_in(target->pid_text, "1ms", NULL, &deadlock));
    const char *core = target_write_core(target, scratch_dir);
    target_end(target);
    unlink(copy);

    json_t *json = report(core, "0", NULL);
    assert_true(has_note(json, "name it with --exe"));
    assert_null(find_group(json, &deadlock)); /* there are no lines without it */
    json_decref(json);
    json = report(core, "0", LIST("--exe", DEADLOCK));
    assert_group(json, &deadlock);
    json_decref(json);
    assert_refused(2, "another build",
                   LIST(LEAKSPY_COMMAND, "report", "--exe", DEADLOCK "_fixed", core));
    assert_refused(2, "No such file",
                   LIST(LEAKSPY_COMMAND, "report", "--exe", "/nowhere/program", core));

    /* Another program stands there by now. */
    copy_file(DEADLOCK "_fixed", copy);
    json = report(core, "0", NULL);
    assert_true(has_note(json, "name it with --exe"));
    json_decref(json);
}

static void core_cut_short__is_refused_or_says_so(void **state)
{
    (void)state;
    struct stat status;
    struct target *target = start(false, DEADLOCK);
    json_decref(wait_for_group_in(target->pid_text, "1ms", NULL, &deadlock));
    const char *core = target_write_core(target, scratch_dir);
    target_end(target);
    assert_int_equal(stat(core, &status), 0);
    /* gcore writes what it says of the threads last. */
    assert_int_equal(truncate(core, status.st_size / 2), 0);
    assert_refused(2, "cut short", LIST(LEAKSPY_COMMAND, "report", core));
    assert_int_equal(truncate(core, 0), 0);
    assert_refused(2, "", LIST(LEAKSPY_COMMAND, "report", core));

    unlink(core);
    core = crash(DEADLOCK);
    if (!core)
        skip();
    assert_int_equal(stat(core, &status), 0);
    assert_int_equal(truncate(core, status.st_size / 2), 0);
    json_t *json = report(core, "0", LIST("--all"));
    assert_true(has_note(json, "cut short"));
    /* Whether the cycle lies in the half that is left is for the addresses to decide. */
    bool proved = find_group(json, &(struct expected_group){.verdict = "deadlocked"}) != NULL;
    json_decref(json);
    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "report", "--exit-code", core), NULL);
    assert_int_equal(WEXITSTATUS(outcome.status), proved ? 1 : 2);
    outcome_deinit(&outcome);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, looked_set_up, looked_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(core_of_gcore__is_read),
        TEST(core_of_the_kernel__is_read),
        TEST(executable_that_is_gone__is_named_by_exe),
        TEST(core_cut_short__is_refused_or_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
