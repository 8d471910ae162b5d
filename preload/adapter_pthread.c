/* Threads: pthread and C11 locks (mtx_t is a pthread_mutex_t underneath) say who holds them. The
 * layout is glibc's own (bits/pthreadtypes.h), which its header gives us. */
#include <pthread.h>

#include "preload/adapter.h"
#include "preload/memory.h"

static void describe_owner(uint64_t address, struct wait_detail *detail)
{
    int owner;
    if (memory_read(address, &owner, sizeof(owner))) {
        detail->a = (uint32_t)owner;
        detail->flags = REC_DETAIL_OWNER;
    }
}

static void describe(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    switch (op) {
    case REC_OP_MUTEX_LOCK:
        describe_owner(task->object + offsetof(pthread_mutex_t, __data.__owner), detail);
        break;
    case REC_OP_RWLOCK_RDLOCK:
    case REC_OP_RWLOCK_WRLOCK:
        describe_owner(task->object + offsetof(pthread_rwlock_t, __data.__cur_writer), detail);
        break;
    default:
        break;
    }
}

const struct adapter adapter_pthread = {.kind = REC_KIND_THREAD, .describe = describe};
