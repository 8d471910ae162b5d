#include "analyzer/recording/workers.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"

/* Only a runtime that comes in a library of its own is recorded. */
static const struct {
    enum rec_runtime runtime;
    const char *library;
} runtimes[] = {
    {REC_RUNTIME_TASKRT, "libtaskrt.so"},
    {REC_RUNTIME_LIBGO, "libgo.so"},
};
#define RUNTIMES (sizeof(runtimes) / sizeof(runtimes[0]))

static bool is_of_runtime(const struct snapshot_module *module)
{
    const char *name = text_basename(module->path);
    for (size_t i = 0; i < RUNTIMES; i++) {
        if (strncmp(name, runtimes[i].library, strlen(runtimes[i].library)) == 0)
            return true;
    }
    return false;
}

static bool is_in_runtime(const struct snapshot *snapshot, const struct snapshot_site *site,
                          uint32_t at)
{
    const struct snapshot_module *module =
        snapshot_module_of(snapshot, snapshot->pcs[site->first_pc + at], site->epoch);
    return module && is_of_runtime(module);
}

/* The stack of a task begins in its runtime, and so does that of a worker without one. A stack that
 * is not whole may be either's. */
static bool waits_in_runtime(const struct snapshot *snapshot, const struct snapshot_site *site)
{
    for (uint32_t i = 0; i < site->pc_count; i++) {
        if (is_in_runtime(snapshot, site, i))
            return true;
    }
    return site->pc_count == 0 || site->flags & (REC_SITE_CUT | REC_SITE_BROKEN);
}

static bool is_started_by_runtime(const struct snapshot *snapshot, const struct snapshot_site *site)
{
    return site->pc_count > 0 && is_in_runtime(snapshot, site, 0);
}

enum answer { NOT_ASKED, YES, NO };

/* What was found of a site before, or is now. */
static bool ask(uint8_t *answers, const struct snapshot *snapshot, uint32_t site,
                bool (*question)(const struct snapshot *, const struct snapshot_site *))
{
    if (site == 0)
        return false;
    if (answers[site] == NOT_ASKED)
        answers[site] = question(snapshot, &snapshot->sites[site]) ? YES : NO;
    return answers[site] == YES;
}

/* Whether a thread that its runtime has started sleeps in a futex, nobody knows where: that is what
 * it does without anything to run. The program's own code, run on it, waits in other calls. */
static bool is_idle(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_PARKED) && task->wait_site == 0 &&
           snapshot->calls[task->call].number == REC_OP_FUTEX_WAIT;
}

bool workers_find(struct snapshot *snapshot)
{
    uint32_t known = 0;
    for (size_t i = 0; i < RUNTIMES; i++)
        known |= runtimes[i].runtime;
    if (!(snapshot->runtimes & known))
        return true;
    uint8_t *answers = calloc(2 * snapshot->site_count + 1, sizeof(*answers));
    bool ok = answers != NULL;
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        uint32_t tid = snapshot_extra(snapshot, task)->os_tid;
        if (task->kind != REC_KIND_THREAD || tid == 0)
            continue;
        bool started = ask(answers, snapshot, task->spawn_site, is_started_by_runtime);
        if (started && is_idle(snapshot, task))
            task->flags |= SNAPSHOT_SYSTEM;
        if (started ||
            ((task->flags & SNAPSHOT_PARKED) &&
             ask(answers + snapshot->site_count, snapshot, task->wait_site, waits_in_runtime)))
            ok = snapshot_add_worker(snapshot, tid);
    }
    free(answers);
    return ok;
}
