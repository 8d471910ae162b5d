#include "preload/relock.h"

#include <string.h>

#include "preload/call_rows.h"
#include "preload/recorder.h"

static struct call_rows rows; /* by the row of the call for the condition */

void relock_reset(void)
{
    memset(&rows, 0, sizeof(rows));
}

/* The same call, which waits for a mutex now. */
static uint16_t row_of(uint16_t call)
{
    const struct thread_call relock = {
        .name = recorder.strings + recorder.calls[call].name,
        .op = REC_OP_MUTEX_LOCK,
    };
    return call_rows_get(&rows, call, &relock, recorder.calls[call].flags);
}

bool relock_find(const struct adapter *adapter, const struct rec_task *copy,
                 const struct blocked_call *call, struct rec_asleep *ret)
{
    uint64_t mutex;
    if (recorder.calls[copy->call].op != REC_OP_COND_WAIT || adapter == NULL ||
        adapter->relocks == NULL || !adapter->relocks(copy, call, &mutex))
        return false;
    *ret = (struct rec_asleep){
        .task = copy->id, .wait = copy->gen, .call = row_of(copy->call), .object = mutex};
    return ret->call != 0;
}
