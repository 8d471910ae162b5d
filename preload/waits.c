/* Waits inside waits: a signal handler may wait while it interrupts a parked call. */
#include <string.h>

#include "preload/recorder.h"
#include "preload/unwind.h"

void wait_begin_nested(struct wait *wait)
{
    struct rec_task *task = wait->task;
    memcpy(&wait->outer_call, &task->call, sizeof(wait->outer_call));
    wait->outer_arg = task->arg;
    wait->outer_object = task->object;
    wait->outer_cfa = task->cfa;
    wait->outer_fp = task->fp;
    /* A handler that left by longjmp never restored: then the wait that we found is over. */
    if (!unwind_own_stack_has(wait->outer_cfa))
        wait->outer_gen = 0;
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
}

void wait_end_nested(struct wait *wait)
{
    struct rec_task *task = wait->task;
    for (;;) {
        uint32_t seq = task->seq;
        __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_RELEASE);
        memcpy(&task->call, &wait->outer_call, sizeof(wait->outer_call));
        task->wait_flags |= REC_WAIT_RESTORED;
        task->arg = wait->outer_arg;
        task->object = wait->outer_object;
        task->cfa = wait->outer_cfa;
        task->fp = wait->outer_fp;
        __atomic_store_n(&task->gen, wait->outer_gen, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        if (*(volatile uint32_t *)&task->seq == seq)
            return;
    }
}
