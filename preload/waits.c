/* Waits inside waits: a signal handler may wait while it interrupts a parked call. */
#include "preload/waits.h"

#include "preload/unwind.h"

/* `cfa` is the new wait's. */
void wait_begin_nested(struct wait *wait, uint64_t cfa)
{
    struct rec_task *task = wait->task;
    wait->outer_what = SHARED_GET(task->what);
    wait->outer_object = SHARED_GET(task->object);
    wait->outer_cfa = SHARED_GET(task->cfa);
    wait->outer_fp = SHARED_GET(task->fp);
    /* A handler that left by longjmp never restored: then the wait that we found is over. Where its
     * wrapper's frame was, there may be one of the program's by now, or the wrapper's that asks. */
    if (wait->outer_cfa == cfa || !unwind_own_stack_has_ours(wait->outer_cfa))
        wait->outer_gen = 0;
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
}

void wait_end_nested(struct wait *wait)
{
    struct rec_task *task = wait->task;
    for (;;) {
        uint32_t seq = SHARED_GET(task->seq);
        __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        SHARED_PUT(task->what, wait->outer_what | wait_what(0, REC_WAIT_RESTORED, 0));
        SHARED_PUT(task->object, wait->outer_object);
        SHARED_PUT(task->cfa, wait->outer_cfa);
        SHARED_PUT(task->fp, wait->outer_fp);
        __atomic_store_n(&task->gen, wait->outer_gen, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        if (SHARED_GET(task->seq) == seq)
            return;
    }
}
