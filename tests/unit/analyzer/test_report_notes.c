/* What a report notes of its recording: what was lost, and when nobody looked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <unistd.h>

#include "analyzer/report/report.h"
#include "tests/unit/analyzer/recording_builder.h"
#include "tests/unit/analyzer/reported.h"

static void text__loss_is_shown(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_header(b)->lost_tasks = 7;
    builder_header(b)->unreadable_tasks = 1;
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, ", 8 LOST\n"));
    assert_non_null(strstr(text, "lost: 7 tasks had no room in the recording"));
    assert_non_null(strstr(text, "lost: 1 task could not be read whole"));
    free(text);
}

static void tasks_that_are_unknown__are_told_by_what_was_read(void **state)
{
    static const struct {
        enum snapshot_source source;
        const char *doubt;
    } rows[] = {{SNAPSHOT_RECORDING, "tasks were lost to the recording"},
                {SNAPSHOT_PROCESS, "tasks could not be read"},
                {SNAPSHOT_CORE, "tasks could not be read"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct snapshot snapshot;
        struct report report = {.snapshot = &snapshot};
        snapshot_init(&snapshot);
        snapshot.source = rows[i].source;
        snapshot.loss.unreadable = 1;
        assert_string_equal(report_doubt(&report), rows[i].doubt);
        snapshot_deinit(&snapshot);
    }
}

static void text__nobody_looked_lately__said(void **state)
{
    (void)state;
    char *text = write_report(build_unwatched(40 * SECOND), &usual, 100, report_write_text);
    assert_non_null(
        strstr(text, "nobody has looked at its tasks for 40s (that happens every 100ms"));
    free(text);
    text = write_report(build_unwatched(-1), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "nobody has looked at its tasks yet (that happens every 100ms"));
    free(text);
    text = write_report(build_unwatched(SECOND), &usual, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);

    struct builder *b = build_unwatched(40 * SECOND);
    builder_header(b)->sample_period_ns = 20 * (uint64_t)SECOND;
    text = write_report(b, &usual, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);
}

/* Between two looks a wait may begin and get older than the threshold. */
static void text__looked_at_less_often_than_the_threshold_asks_for__said(void **state)
{
    static const struct report_options short_threshold = {.threshold_ns = SECOND / 2};
    (void)state;
    struct builder *b = build_unwatched(SECOND);
    builder_header(b)->sample_period_ns = 20 * (uint64_t)SECOND;
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "nothing found among what could be read"));
    assert_non_null(strstr(text, "somebody looks at its tasks only every 20s: waits may be that "
                                 "much longer than told, and past 10s"));
    free(text);

    b = build_unwatched(SECOND);
    builder_header(b)->sample_period_ns = 9 * (uint64_t)SECOND;
    text = write_report(b, &usual, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);

    b = build_unwatched(SECOND / 4);
    builder_header(b)->sample_period_ns = (uint64_t)SECOND;
    text = write_report(b, &short_threshold, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);
}

static void text__ended_before_anybody_looked__said(void **state)
{
    (void)state;
    struct builder *b = build_unwatched(-1);
    builder_header(b)->state = REC_STATE_EXITED;
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "it ended before anybody looked at its tasks"));
    free(text);

    /* Its sampler had stopped long before: what began to wait since may be parked for long. */
    b = build_unwatched(60 * SECOND);
    builder_header(b)->state = REC_STATE_EXITED;
    builder_header(b)->ended_ns = builder_header(b)->last_walk_ns + 50 * (uint64_t)SECOND;
    struct rec_task *late = builder_thread(b, "late");
    builder_park(b, late, "read", REC_OP_IO_WAIT, 3, 0, 0);
    late->seen_gen = 0;
    text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "nobody looked at its tasks in the 50s before it ended (that "
                                 "happens every 100ms): waits that began then have no age"));
    assert_non_null(strstr(text, "1 parked task may be so for 10s or longer, nobody knows since "
                                 "when: --threshold 0 shows it"));
    free(text);
}

/* A program of Go's own compiler that ended by itself, 75 ms after it was looked at. */
static struct builder *build_go_that_exited(int64_t parked_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->runtimes |= REC_RUNTIME_GO_PROGRAM;
    header->state = REC_STATE_EXITED;
    header->ended_ns = header->last_walk_ns + 75000000;
    struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, task, "chan receive", REC_OP_CHAN_RECEIVE, 0x500, parked_ns, 0);
    task->flags |= REC_TASK_SCANNED;
    return b;
}

static void text__of_goroutines_that_were_not_looked_at_in_the_end__says_so(void **state)
{
    static const char note[] = "its goroutines were looked at last 75ms before it exited";
    (void)state;
    char *text = write_report(build_go_that_exited(12 * SECOND), &usual, 100, report_write_text);
    assert_non_null(strstr(text, note));
    free(text);
    text = write_report(build_go_that_exited(SECOND), &usual, 100, report_write_text);
    assert_null(strstr(text, note)); /* nothing is said of them */
    free(text);
}

/* A program with one thread has no sampler before its first wait. */
static void text__nothing_parked__nobody_needs_to_look(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = (uint32_t)getpid();
    header->process_start_ticks = 0;
    header->last_walk_ns = 0;
    builder_thread(b, "main");
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, ": 1 task, 1 running, 0 parked,"));
    assert_null(strstr(text, "note:"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__loss_is_shown),
        cmocka_unit_test(tasks_that_are_unknown__are_told_by_what_was_read),
        cmocka_unit_test(text__nobody_looked_lately__said),
        cmocka_unit_test(text__looked_at_less_often_than_the_threshold_asks_for__said),
        cmocka_unit_test(text__ended_before_anybody_looked__said),
        cmocka_unit_test(text__of_goroutines_that_were_not_looked_at_in_the_end__says_so),
        cmocka_unit_test(text__nothing_parked__nobody_needs_to_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
