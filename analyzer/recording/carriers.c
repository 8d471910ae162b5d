#include "analyzer/recording/carriers.h"

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

/* The stack of a task begins in its runtime, and so does that of a worker without one. A stack that
 * is not whole may be either's. */
static bool may_be_of_runtime(const struct snapshot *snapshot, const struct snapshot_site *site)
{
    for (uint32_t i = 0; i < site->pc_count; i++) {
        const struct snapshot_module *module =
            snapshot_module_of(snapshot, snapshot->pcs[site->first_pc + i], site->epoch);
        if (module && is_of_runtime(module))
            return true;
    }
    return site->pc_count == 0 || site->flags & (REC_SITE_CUT | REC_SITE_BROKEN);
}

bool carriers_find(struct snapshot *snapshot)
{
    uint32_t known = 0;
    for (size_t i = 0; i < RUNTIMES; i++)
        known |= runtimes[i].runtime;
    if (!(snapshot->runtimes & known))
        return true;
    bool ok = true;
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        uint32_t tid = snapshot_extra(snapshot, task)->os_tid;
        if (task->kind != REC_KIND_THREAD || !(task->flags & SNAPSHOT_PARKED) || tid == 0)
            continue;
        if (task->wait_site == 0 || may_be_of_runtime(snapshot, &snapshot->sites[task->wait_site]))
            ok = snapshot_add_carrier(snapshot, tid);
    }
    return ok;
}
