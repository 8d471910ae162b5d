/* When a watch looks, and how it ends. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/process/process.h"
#include "tests/unit/analyzer/child.h"
#include "tests/unit/analyzer/watched.h"

/* ---- When to look ---- */

static void next_look__is_a_tenth_later_within_bounds(void **state)
{
    const uint64_t soon = START_NS + (uint64_t)MILLISECOND;
    (void)state;
    assert_int_equal(watch_next_look(START_NS, soon, UINT64_MAX, 10 * SECOND),
                     START_NS + (uint64_t)SECOND);
    assert_int_equal(watch_next_look(START_NS, soon, UINT64_MAX, 3600 * SECOND),
                     START_NS + (uint64_t)(2 * SECOND));
    assert_int_equal(watch_next_look(START_NS, soon, UINT64_MAX, 300 * MILLISECOND),
                     START_NS + (uint64_t)(100 * MILLISECOND));
}

static void next_look__rests_as_long_as_a_look_took(void **state)
{
    const uint64_t end = START_NS + (uint64_t)(1500 * MILLISECOND);
    (void)state;
    assert_int_equal(watch_next_look(START_NS, end, UINT64_MAX, 10 * SECOND),
                     START_NS + (uint64_t)(3 * SECOND));
    /* One that would not be over in time for the last is left out. */
    assert_int_equal(watch_next_look(START_NS, end, START_NS + (uint64_t)(5 * SECOND), 10 * SECOND),
                     START_NS + (uint64_t)(5 * SECOND));
}

/* ---- The loop ---- */

struct script {
    int looks, fail_at, end_at;
    const char *second_exe;
    const char *second_recording;
    bool late; /* it is the first one */
    pid_t pid; /* 0: this process */
};

/* A child that executes when it is told to. Without an environment: its stack begins elsewhere then
 * also where the kernel leaves nothing to chance. */
static void execute_when_told(void)
{
    child_ready();
    while (!shared->words[0])
        sleep_ms(1);
    execle("/bin/sleep", "sleep", "100", (char *)NULL, (char *[]){NULL});
}

static void tell_to_execute(pid_t pid)
{
    char *own = process_exe(pid);
    bool executed = false;
    assert_non_null(own);
    shared->words[0] = 1;
    for (int i = 0; i < 10000 && !executed; i++) {
        char *exe = process_exe(pid);
        executed = exe && strcmp(exe, own) != 0 && process_auxv(pid, AT_RANDOM);
        free(exe);
        sleep_ms(1);
    }
    free(own);
    assert_true(executed);
}

static bool read_script(void *arg, struct snapshot *ret, struct err *err)
{
    struct script *script = arg;
    int look = script->looks++;
    if (script->pid && look == 1)
        tell_to_execute(script->pid);
    if (look == script->fail_at)
        return err_set(err, ERR_NO_SUCH_PROCESS, "1", "is gone");
    ret->source = SNAPSHOT_PROCESS;
    ret->pid = (uint32_t)(script->pid ? script->pid : getpid());
    ret->exe = strdup(look && script->second_exe ? script->second_exe : "app");
    if (script->second_recording)
        ret->path = look           ? strdup(script->second_recording)
                    : script->late ? NULL
                                   : strdup("1-0.rec");
    ret->end = look == script->end_at ? SNAPSHOT_VANISHED : SNAPSHOT_RUNNING;
    look_rows = builder_create(ret);
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    builder_destroy(look_rows);
    return true;
}

static bool run(struct script *script, struct err *err)
{
    const struct watch_source source = {read_script, script};
    memset(err, 0, sizeof(*err));
    return watch_run(&source, 150 * MILLISECOND, &last_look, err);
}

static void run__looks_until_the_time_is_over(void **state)
{
    (void)state;
    struct script script = {.fail_at = -1, .end_at = -1};
    struct err err;
    assert_true(run(&script, &err));
    assert_true(script.looks >= 2);
    assert_int_equal(last_look.looks, script.looks);
    assert_true(last_look.watched_ns >= 150 * MILLISECOND);
    assert_true(last_look.tasks[0].parked_ns >= 150 * MILLISECOND);
    assert_int_equal(last_look.note_count, 0);
    snapshot_deinit(&last_look);
}

static void run__ends_with_the_process_and_says_so(void **state)
{
    (void)state;
    static const char exec[] = "it executed another program";
    struct {
        struct script script;
        const char *words;
        bool goes_on; /* so that nothing found is no answer */
    } cases[] = {
        {{.fail_at = 1, .end_at = -1}, "while it was watched", true}, /* its number is this one's */
        {{.fail_at = -1, .end_at = 1}, "it ended while it was watched", false},
        {{.fail_at = -1, .end_at = -1, .second_exe = "other"}, exec, true},
        {{.fail_at = -1, .end_at = -1, .second_recording = "1-1.rec"}, exec, true},
        {{.fail_at = -1, .end_at = -1, .second_recording = "1-0.rec", .late = true},
         "its recording began",
         true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err;
        assert_true(run(&cases[i].script, &err));
        assert_int_equal(cases[i].script.looks, 2);
        assert_int_equal(last_look.note_count, 1);
        assert_non_null(strstr(last_look.notes[0], cases[i].words));
        assert_int_equal(last_look.doubt != NULL, cases[i].goes_on);
        assert_int_equal(err.kind, ERR_NONE);
        snapshot_deinit(&last_look);
    }
}

/* Nothing else may differ when a program executes itself, and its recording begins later. */
static void run__exec_of_the_same_program__said(void **state)
{
    (void)state;
    struct script cases[] = {
        {.fail_at = -1, .end_at = -1},
        {.fail_at = -1, .end_at = -1, .second_recording = "1-0.rec", .late = true},
        {.fail_at = 1, .end_at = -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct err err;
        cases[i].pid = child_start(execute_when_told);
        assert_true(run(&cases[i], &err));
        child_end(cases[i].pid);
        assert_int_equal(cases[i].looks, 2);
        assert_int_equal(last_look.note_count, 1);
        assert_non_null(
            strstr(last_look.notes[0], "it executed another program while it was watched"));
        assert_non_null(last_look.doubt);
        snapshot_deinit(&last_look);
    }
}

/* Its recording, which tells so itself, is the last look. */
static void run__recording_that_ends_with_the_exec__is_told(void **state)
{
    (void)state;
    struct script script = {.fail_at = -1, .end_at = 1, .pid = child_start(execute_when_told)};
    struct err err;
    assert_true(run(&script, &err));
    child_end(script.pid);
    assert_int_equal(last_look.looks, 2);
    assert_non_null(strstr(last_look.notes[0], "it ended while it was watched"));
    snapshot_deinit(&last_look);
}

static void run__refuses_what_does_not_move(void **state)
{
    (void)state;
    struct script dead = {.fail_at = -1, .end_at = 0};
    struct script gone = {.fail_at = 0, .end_at = -1};
    struct err err;
    assert_false(run(&dead, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_non_null(strstr(err.why, "does not run"));
    assert_false(run(&gone, &err));
    assert_int_equal(err.kind, ERR_NO_SUCH_PROCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_look__is_a_tenth_later_within_bounds),
        cmocka_unit_test(next_look__rests_as_long_as_a_look_took),
        cmocka_unit_test(run__looks_until_the_time_is_over),
        cmocka_unit_test(run__ends_with_the_process_and_says_so),
        cmocka_unit_test(run__exec_of_the_same_program__said),
        cmocka_unit_test(run__recording_that_ends_with_the_exec__is_told),
        cmocka_unit_test(run__refuses_what_does_not_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
