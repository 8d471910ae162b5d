/* Goroutines of Go's own compiler (gc): found by go_runtime.c, read by preload/goscan, told by
 * go_tasks.c. */
#include <errno.h>
#include <stdio.h>

#include "analyzer/base/text.h"
#include "analyzer/image/quiet.h"
#include "analyzer/inspect/go_runtime.h"
#include "analyzer/inspect/go_tasks.h"
#include "analyzer/inspect/inspect.h"

#define LAST_POLL_OFFSET 8 /* of lastpoll in runtime.schedt, in Go 1.18 to 1.27 */

/* Why a runtime that is there was not found. */
static const char *why_not_found(const struct image *image, uint32_t module)
{
    if (image->live)
        return "it may be only starting";
    return image->modules[module].file[0]
               ? "it may have been only starting, or the core lacks the memory that it is in"
               : "the core lacks what stands in that file, which is not here";
}

static void tell_why(const struct go_runtime *runtime, struct inspection *inspection)
{
    const char *path = inspection->image->modules[runtime->module].path;
    const char *version = runtime->scan.version;
    char newest[16];
    snprintf(newest, sizeof(newest), "go1.%d", GO_MINOR_NEWEST);
    char said[80] = "Go";
    if (version[0])
        snprintf(said, sizeof(said), "%s", version);
    switch (runtime->result) {
    case GO_OK:
    case GO_NOT_GO:
        break;
    case GO_TOO_OLD:
        builder_doubt(inspection->builder,
                      "%s was built with %s: the goroutines of versions before go1.%d cannot be "
                      "told, only threads are",
                      path, said, GO_MINOR_OLDEST);
        break;
    case GO_UNKNOWN_VERSION:
        builder_doubt(inspection->builder,
                      "%s was built with %s, which is newer than %s, the newest version known "
                      "here, and %s%s: its goroutines cannot be told, only threads are",
                      path, said, newest,
                      runtime->missing                ? "its debug information lacks "
                      : runtime->symbols.hints.layout ? "its debug information makes no sense"
                                                      : "it has no debug information",
                      runtime->missing ? runtime->missing : "");
        break;
    case GO_NOT_FOUND:
        builder_doubt(inspection->builder,
                      "%s was built with %s, and its list of goroutines was not found (%s): only "
                      "threads are told",
                      path, said, why_not_found(inspection->image, runtime->module));
        break;
    case GO_UNREADABLE:
        builder_doubt(inspection->builder,
                      "%s was built with %s, and the memory of its runtime cannot be read: its "
                      "goroutines cannot be told",
                      path, said);
        break;
    }
}

static size_t read_labels(void *arg, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS])
{
    return goscan_labels(arg, labels, pairs);
}

/* The runtime's clock at the moment of the picture. A core has none: the latest moment that
 * anything in it tells of. */
static int64_t clock_of(const struct go_runtime *runtime, const struct image *image,
                        const struct go_tasks *tasks)
{
    int64_t latest = tasks->latest_ns;
    int64_t polled;
    if (image->taken_monotonic_ns)
        return image->taken_monotonic_ns;
    const int64_t most = INT64_C(86400000000000); /* nothing goes so long without a collection */
    if (runtime->symbols.scheduler &&
        mem_read(image->memory, runtime->symbols.scheduler + LAST_POLL_OFFSET, &polled,
                 sizeof(polled)) &&
        polled > latest && latest > 0 && polled - latest < most)
        latest = polled;
    return latest;
}

/* The threads that run goroutines, which are told. */
static void mark_running(struct image *image, const struct snapshot *snapshot,
                         const struct go_tasks *tasks)
{
    for (size_t i = tasks->first_task; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        uint32_t tid = task->flags & SNAPSHOT_PARKED ? 0 : snapshot_extra(snapshot, task)->os_tid;
        struct image_thread *thread = tid ? image_thread_of(image, tid) : NULL;
        if (thread && !thread->parked)
            thread->runtime = true;
    }
}

static bool tell(struct go_runtime *runtime, struct inspection *inspection, struct err *err)
{
    struct image *image = inspection->image;
    struct go_tasks tasks;
    struct go_totals totals = {0};
    struct image_quiet quiet;
    struct snapshot *snapshot = builder_snapshot(inspection->builder);
    bool ok = go_tasks_init(&tasks, inspection->builder, image, runtime->scan.reasons,
                            runtime->scan.reason_count);
    if (ok) {
        image_quiet_begin(&quiet, image);
        snapshot_expect_tasks(snapshot, goscan_count(&runtime->scan));
        runtime->result = goscan_run(&runtime->scan, go_tasks_add, &tasks, &totals);
        if (runtime->result != GO_OK)
            tell_why(runtime, inspection);
        go_tasks_label(&tasks, read_labels, &runtime->scan, image->memory,
                       runtime->scan.layout.g_labels);
        int64_t quiet_ns = image_quiet_end(&quiet, image);
        go_tasks_date(&tasks, clock_of(runtime, image, &tasks));
        if (quiet_ns > 0)
            go_tasks_were_quiet(&tasks, quiet_ns);
        go_runtime_mark_threads(runtime, image);
        mark_running(image, snapshot, &tasks);
        snapshot->loss.unreadable += totals.unreadable;
        snapshot->loss.stacks += tasks.stacks_lost;
        if (totals.timers_unknown)
            builder_note(inspection->builder, "%s", go_tasks_timers_unknown);
        ok = !tasks.failed;
    }
    go_tasks_deinit(&tasks);
    return ok || err_system(err, image->exe, ENOMEM);
}

/* Each runtime numbers its goroutines from 1: they are told of one. */
static bool tell_others(const struct go_runtime *told, struct inspection *inspection,
                        struct err *err)
{
    struct go_runtime other;
    const struct image_module *modules = inspection->image->modules;
    bool ok = go_runtime_open_next(told, &other, inspection->image);
    if (!ok)
        err_system(err, inspection->image->exe, ENOMEM);
    else if (other.result != GO_NOT_GO)
        builder_doubt(
            inspection->builder,
            "there are several Go runtimes in the process: the goroutines of %s are told, "
            "and not those of %s",
            text_basename(modules[told->module].path), text_basename(modules[other.module].path));
    go_runtime_close(&other);
    return ok;
}

static bool inspect(struct inspection *inspection, struct err *err)
{
    struct go_runtime runtime;
    struct snapshot *snapshot = builder_snapshot(inspection->builder);
    bool ok = go_runtime_open(&runtime, inspection->image);
    if (!ok)
        err_system(err, inspection->image->exe, ENOMEM);
    else if (runtime.result != GO_NOT_GO)
        text_printable(runtime.scan.version[0] ? runtime.scan.version : "go", snapshot->go_version,
                       sizeof(snapshot->go_version));
    if (ok && runtime.result == GO_OK)
        ok = tell(&runtime, inspection, err) && tell_others(&runtime, inspection, err);
    else if (ok)
        tell_why(&runtime, inspection);
    go_runtime_close(&runtime);
    return ok;
}

const struct inspector inspect_go = {"go", inspect};
