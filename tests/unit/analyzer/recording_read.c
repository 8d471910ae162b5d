#include "tests/unit/analyzer/recording_read.h"

#include "analyzer/report/report.h"
#include "analyzer/source/recording.h"

struct builder *recording_full(void)
{
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    uint32_t wait = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    uint32_t spawn = builder_site(b, (uint64_t[]){0x10030}, 1);
    builder_frame(b, 0x10010, app, "take_lock");
    builder_frame(b, 0x10030, app, "start_workers");

    struct rec_task *main_thread = builder_thread(b, "main");
    main_thread->flags |= REC_TASK_MAIN;
    struct rec_task *worker = builder_thread(b, "worker");
    worker->spawn_site = spawn;
    builder_park(b, worker, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 12 * SECOND, wait);
    builder_owner(worker, main_thread);
    struct rec_task *chooser = builder_task(b, REC_KIND_TASK, "chooser");
    builder_park(b, chooser, "taskrt_select", REC_OP_SELECT, 0, 3 * SECOND, wait);
    uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0x600);
    builder_case(b, REC_OP_CHAN_RECEIVE, 0x700);
    builder_select(chooser, first, 2);
    builder_finish(builder_thread(b, "early"), 20 * SECOND);
    struct rec_task *reader = builder_thread(b, "reader");
    builder_park(b, reader, "read", REC_OP_IO_WAIT, 7, 12 * SECOND, wait);
    snprintf(builder_descriptor(b, reader)->name, sizeof("pipe:[123]"), "pipe:[123]");
    return b;
}

bool recording_read(const char *path, struct snapshot *snapshot, struct err *err)
{
    memset(err, 0, sizeof(*err));
    snapshot_init(snapshot);
    return source_recording_read(path, snapshot, err);
}

void recording_read_built(struct builder *b, struct snapshot *snapshot)
{
    const char *path = recording_builder_end(b, builder_path("built.rec"));
    struct err err;
    if (!recording_read(path, snapshot, &err))
        fail_msg("%s", err.why);
}

void recording_use(const struct snapshot *snapshot)
{
    static const struct verdict_options options = {SECOND, 10};
    static const struct report_options report_options = {.threshold_ns = SECOND, .all = true};
    struct waits waits;
    struct verdicts verdicts;
    assert_true(waits_init(&waits, snapshot));
    struct stacks *stacks = stacks_create(snapshot);
    assert_non_null(stacks);
    assert_true(waits_name(&waits, snapshot, stacks));
    assert_true(verdicts_init(&verdicts, snapshot, &waits, &options));
    static FILE *null;
    if (!null)
        null = fopen("/dev/null", "w");
    struct report report = {snapshot, &verdicts, stacks, &report_options};
    assert_true(report_write_text(&report, null));
    assert_true(report_write_json(&report, null));
    verdicts_deinit(&verdicts);
    stacks_destroy(stacks);
    waits_deinit(&waits);
}
