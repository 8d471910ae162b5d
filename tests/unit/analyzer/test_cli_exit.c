/* `leakspy report --exit-code`, as a gate uses it: what was found, and what leaves doubt. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/analyzer/command.h"

static void exit_code__says_what_was_found(void **state)
{
    (void)state;
    const char *path = write_recording(12 * SECOND, 0);
    leakspy("report", path, NULL);
    assert_did(0, "1 stuck:", "");
    leakspy("report", "--exit-code", "--max-memory=256M", path, NULL);
    assert_did(1, "1 stuck:", "");
    leakspy("report", path, "--exit-code", "--threshold", "1m", NULL);
    assert_did(0, "nothing found:", "");
    leakspy("report", "--exit-code", "--min-count=2", "--", path, NULL);
    assert_did(0, "not shown: 1 task in 1 group of fewer than 2 (--min-count)", "");
    leakspy("report", "--exit-code", "--all", "--threshold=1m", path, NULL);
    assert_did(0, "WAITING  1 thread in sem wait", "");
    leakspy("report", "--exit-code", "--threshold=0", "--format=json", path, NULL);
    assert_did(1, "\"verdict\":\"stuck\"", "");
}

static void exit_code__tasks_lost__could_not_say(void **state)
{
    (void)state;
    const char *path = write_recording(12 * SECOND, 3);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(1, ", 3 LOST", "");
    leakspy("report", "--exit-code", "--threshold=1m", path, NULL);
    char line[256];
    snprintf(line, sizeof(line),
             "leakspy: %s: nothing found, but tasks were lost to the recording\n", path);
    assert_did(2, ", 3 LOST", line);
    leakspy("report", "--threshold=1m", path, NULL);
    assert_did(0, ", 3 LOST", "");
}

static void exit_code__doubt_names_a_program__without_its_escapes(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->runtimes = REC_RUNTIME_PTHREAD | REC_RUNTIME_GO_PROGRAM;
    header->exe = builder_string(b, "/opt/\033]0;x\a\n1 stuck");
    const char *path = recording_builder_end(b, builder_path("escapes.rec"));
    leakspy("report", "--exit-code", path, NULL);
    assert_did(2, "nothing found among",
               "nothing found, but /opt/\\x1b]0;x\\x07\\x0a1 stuck is a program of Go's");
    assert_null(strchr(did.err, '\033'));
}

static void exit_code__nobody_looked__could_not_say(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 0, 0);
    task->seen_gen = 0;
    builder_header(b)->last_walk_ns = 0;
    const char *path = recording_builder_end(b, builder_path("unwatched.rec"));
    leakspy("report", "--exit-code", path, NULL);
    assert_did(2, "note: it ended before anybody looked at its tasks",
               "unwatched.rec: nothing found, but nobody has looked at its tasks lately\n");
    leakspy("report", path, NULL);
    assert_did(0, "nothing found among what could be read:", "");
    leakspy("report", "--exit-code", "--threshold=0", path, NULL);
    assert_did(1, "1 stuck:", "");
}

/* The recording of a process that began so late, with a semaphore waited for; before an exec, or
 * after it. */
static const char *write_program(const char *name, int64_t started_after_ns, bool executed)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->started_ns += (uint64_t)started_after_ns;
    header->state = executed ? REC_STATE_EXEC : REC_STATE_RUNNING;
    if (!executed)
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND, 0);
    return recording_builder_end(b, builder_path(name));
}

static void exec__report_names_what_followed(void **state)
{
    (void)state;
    const char *path = write_program("gate.rec", 0, true);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(2, "which executed another program",
               "nothing found, but it went on as another program, of which no recording was found");
    assert_null(strstr(did.out, "note:"));

    const char *next = write_program("gate.rec.2147483632-0", SECOND, true);
    const char *last = write_program("gate.rec.2147483632-1", 2 * SECOND, false);
    char note[256];
    snprintf(note, sizeof(note), "the program that it executed is recorded in %s\n", next);
    leakspy("report", path, NULL);
    assert_did(0, note, "");
    snprintf(note, sizeof(note), "the program that it executed is recorded in %s\"", next);
    leakspy("report", "--format=json", path, NULL);
    assert_did(0, note, "");
    snprintf(note, sizeof(note), "the program that it executed is recorded in %s\n", last);
    leakspy("report", "--exit-code", next, NULL);
    assert_did(2, note, "gate.rec.2147483632-0: nothing found, but it went on as another program");
    leakspy("report", "--exit-code", last, NULL);
    assert_did(1, "1 stuck:", "");
    assert_null(strstr(did.out, "note:"));
}

/* The recording of a child, in which a semaphore is waited for. */
static const char *write_child(const char *name, uint32_t pid, int64_t parked_ns, uint64_t lost)
{
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, parked_ns, 0);
    builder_header(b)->pid = pid;
    builder_header(b)->lost_tasks = lost;
    return recording_builder_end(b, builder_path(name));
}

static void exit_code__of_what_was_started__findings_before_doubt(void **state)
{
    (void)state;
    char line[512];
    struct builder *b = recording_builder_create();
    const char *path = recording_builder_end(b, builder_path("family.rec"));
    leakspy("report", "--exit-code", path, NULL);
    assert_did(0, "nothing found:", "");
    assert_null(strstr(did.out, "note:"));

    write_child("family.rec.77-0", 77, SECOND, 0);
    leakspy("report", "--exit-code", path, NULL);
    assert_did(0, "note: a program that it started was recorded, too: ", "");
    const char *lossy = write_child("family.rec.78-0", 78, SECOND, 3);
    leakspy("report", "--exit-code", path, NULL);
    snprintf(line, sizeof(line),
             "leakspy: %s: nothing found, but %s, of a program that it started, leaves doubt: "
             "tasks were lost to the recording\n",
             path, lossy);
    assert_did(2, "note: 2 programs that it started were recorded, too: ", line);
    const char *stuck = write_child("family.rec.79-0", 79, 12 * SECOND, 0);
    leakspy("report", "--exit-code", "--format=json", path, NULL);
    snprintf(line, sizeof(line),
             "leakspy: %s: nothing found, but %s, of a program that it started, has findings\n",
             path, stuck);
    assert_did(2, "3 programs that it started were recorded, too: ", line);
    leakspy("report", "--exit-code", "--threshold=1m", path, NULL);
    assert_did(2, "nothing found:", "leaves doubt");
    leakspy("report", path, NULL);
    assert_did(0, "nothing found:", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exit_code__says_what_was_found),
        cmocka_unit_test(exit_code__tasks_lost__could_not_say),
        cmocka_unit_test(exit_code__doubt_names_a_program__without_its_escapes),
        cmocka_unit_test(exit_code__nobody_looked__could_not_say),
        cmocka_unit_test(exec__report_names_what_followed),
        cmocka_unit_test(exit_code__of_what_was_started__findings_before_doubt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
