#include "tests/unit/analyzer/reported.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/source/recording.h"

const struct report_options usual = {.threshold_ns = 10 * SECOND, .min_count = 1, .frames = 8};

char *write_report(struct builder *b, const struct report_options *options, uint64_t max_tasks,
                   bool (*write)(const struct report *, FILE *))
{
    const struct verdict_options verdict_options = {options->threshold_ns, max_tasks};
    const char *path = builder_path("report.rec");
    struct snapshot snapshot;
    struct waits waits;
    struct verdicts verdicts;
    struct err err = {0};
    builder_write(b, path);
    builder_map(path);
    recording_builder_destroy(b);
    snapshot_init(&snapshot);
    if (!source_recording_read(path, &snapshot, &err))
        fail_msg("%s", err.why);
    assert_true(waits_init(&waits, &snapshot));
    struct stacks *stacks = stacks_create(&snapshot);
    assert_non_null(stacks);
    assert_true(waits_name(&waits, &snapshot, stacks));
    assert_true(verdicts_init(&verdicts, &snapshot, &waits, &verdict_options));

    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    struct report report = {&snapshot, &verdicts, stacks, options};
    assert_true(write(&report, out));
    fclose(out);
    verdicts_deinit(&verdicts);
    stacks_destroy(stacks);
    waits_deinit(&waits);
    snapshot_deinit(&snapshot);
    return text;
}

json_t *write_json(struct builder *b, const struct report_options *options, uint64_t max_tasks)
{
    char *text = write_report(b, options, max_tasks, report_write_json);
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("line %d: %s in %s", error.line, error.text, text);
    free(text);
    return json;
}

struct builder *build_leak(void)
{
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    uint32_t send = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    uint32_t spawn = builder_site(b, (uint64_t[]){0x10030}, 1);
    builder_frame(b, 0x10010, app, "taskrt_send");
    builder_frame(b, 0x10020, app, "sum");
    builder_frame(b, 0x10030, app, "handle_request");
    for (unsigned i = 0; i < 5; i++) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "sum");
        task->spawn_site = spawn;
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0x500, (12 + 20 * i) * SECOND, send);
        builder_channel(task, 0, 0);
    }
    struct rec_task *holder = builder_thread(b, "holder");
    struct rec_task *waiter = builder_thread(b, "waiter");
    builder_park(b, waiter, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x900, 30 * SECOND, 0);
    builder_owner(waiter, holder);
    struct rec_task *sleeper = builder_thread(b, "sleeper");
    builder_park(b, sleeper, "nanosleep", REC_OP_SLEEP, 0, SECOND, 0);
    sleeper->wait_flags = REC_WAIT_DEADLINE;
    return b;
}

struct builder *build_unwatched(int64_t not_looked_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = (uint32_t)getpid();
    header->process_start_ticks = 0; /* not known: any that runs */
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    header->started_ns = now_ns - 100 * (uint64_t)SECOND;
    header->last_walk_ns = not_looked_ns < 0 ? 0 : now_ns - (uint64_t)not_looked_ns;
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 0, 0);
    if (not_looked_ns < 0)
        task->seen_gen = 0;
    return b;
}
