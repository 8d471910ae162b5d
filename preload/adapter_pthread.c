/* Threads: pthread and C11 locks (mtx_t is a pthread_mutex_t underneath) say who holds them. The
 * layout is glibc's own (bits/pthreadtypes.h), which its header gives us. A poll or select says
 * which descriptors it waits for. */
#include <pthread.h>
#include <string.h>

#include "preload/adapter.h"
#include "preload/blocked.h"
#include "preload/goscan/system_calls.h"
#include "preload/goscan/rwlock.h"
#include "preload/memory.h"
#include "preload/polled.h"

#define SHARED_MUTEX 128 /* PTHREAD_MUTEX_PSHARED_BIT of __kind, nptl/pthreadP.h */

static void put_owner(uint32_t owner, struct wait_detail *detail)
{
    detail->a = owner;
    detail->flags = REC_DETAIL_OWNER;
}

/* Other processes may hold a lock that is shared: its owner is told by an id of the owner's PID
 * namespace, which may be that of another thread of ours. So nobody is named. glibc marks robust
 * mutexes alike. */
static void describe_mutex(uint64_t address, struct wait_detail *detail)
{
    pthread_mutex_t mutex;
    if (memory_read(address, &mutex, sizeof(mutex)) && !(mutex.__data.__kind & SHARED_MUTEX))
        put_owner((uint32_t)mutex.__data.__owner, detail);
}

static void describe_rwlock(uint64_t address, struct wait_detail *detail)
{
    pthread_rwlock_t rwlock;
    if (!memory_read(address, &rwlock, sizeof(rwlock)))
        return;
    detail->b = rwlock_readers(rwlock.__data.__readers);
    if (rwlock.__data.__shared == 0)
        put_owner((uint32_t)rwlock.__data.__cur_writer, detail);
}

static void describe_polled(uint64_t address, struct wait_detail *detail)
{
    struct mem_reader memory = memory_reader();
    struct polled polled;
    struct thread_call call;
    uint64_t args[6] = {0};
    if (!memory_read(address, &polled, sizeof(polled)))
        return;
    memcpy(args, polled.args, sizeof(polled.args));
    thread_call_read(polled.number, args, &memory, &call);
    if (call.arg == 0)
        return;
    detail->a = (uint32_t)call.object;
    detail->b = call.arg;
    detail->flags = REC_DETAIL_FDS;
}

static void describe(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    switch (op) {
    case REC_OP_MUTEX_LOCK:
        describe_mutex(task->object, detail);
        break;
    case REC_OP_RWLOCK_RDLOCK:
    case REC_OP_RWLOCK_WRLOCK:
        describe_rwlock(task->object, detail);
        break;
    case REC_OP_IO_WAIT:
        if (task->wait_flags & REC_WAIT_ASIDE)
            describe_polled(task->object, detail);
        break;
    default:
        break;
    }
}

/* By the futex that it sleeps at. One that nobody has is none that it could be waiting for: what
 * lies there is something else. */
static bool relocks(const struct rec_task *task, const struct blocked_call *call,
                    uint64_t *ret_mutex)
{
    pthread_mutex_t mutex;
    return call != NULL &&
           blocked_relocks(call, task->object, sizeof(pthread_cond_t), task->cfa, ret_mutex) &&
           memory_read(*ret_mutex, &mutex, sizeof(mutex)) && mutex.__data.__owner != 0;
}

const struct adapter adapter_pthread = {
    .kind = REC_KIND_THREAD,
    .describe = describe,
    .relocks = relocks,
};
