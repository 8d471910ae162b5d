/* The description of the runtime's data that tools read. */
#include "runtime/chan.h"
#include "runtime/internal.h"
#include "runtime/sched.h"
#include "runtime/sync.h"

#define TASK(field) offsetof(struct taskrt_task, field)

struct taskrt_inspect taskrt_inspect = {
    .magic = TASKRT_INSPECT_MAGIC,
    .version = TASKRT_INSPECT_VERSION,
    .bytes = sizeof(struct taskrt_inspect),
    .next_all = TASK(next_all),
    .state = TASK(state),
    .reason = TASK(reason),
    .object_count = TASK(object_count),
    .object = TASK(object),
    .wait_count = TASK(wait_count),
    .deadline_ns = TASK(deadline_ns),
    .parked_ns = TASK(parked_ns),
    .id = TASK(id),
    .name = TASK(name),
    .start = TASK(start),
    .spawner_id = TASK(spawner_id),
    .stack_low = TASK(stack_low),
    .stack_high = TASK(stack_high),
    .context_sp = TASK(context_sp),
    .tool = TASK(tool),
    .context_fp = RT_CONTEXT_FP,
    .context_pc = RT_CONTEXT_PC,
    .context_bytes = RT_CONTEXT_BYTES,
    .chan_capacity = offsetof(struct taskrt_chan, capacity),
    .chan_length = offsetof(struct taskrt_chan, length),
    .chan_closed = offsetof(struct taskrt_chan, closed),
    .case_bytes = sizeof(struct taskrt_case),
    .mutex_owner = offsetof(struct rt_mutex, owner),
    .task_bytes = sizeof(struct taskrt_task),
};

struct taskrt_inspect_workers taskrt_inspect_workers = {
    .magic = TASKRT_INSPECT_MAGIC,
    .version = TASKRT_INSPECT_VERSION,
    .bytes = sizeof(struct taskrt_inspect_workers),
    .stride = sizeof(struct rt_worker),
    .tid = offsetof(struct rt_worker, tid),
    .current = offsetof(struct rt_worker, current),
};
