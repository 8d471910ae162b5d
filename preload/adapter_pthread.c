/* Threads: pthread and C11 locks (mtx_t is a pthread_mutex_t underneath) say who holds them. The
 * layout is glibc's own (bits/pthreadtypes.h), which its header gives us. A poll or select says
 * which descriptors it waits for. */
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>

#include "preload/adapter.h"
#include "preload/goscan/system_calls.h"
#include "preload/memory.h"
#include "preload/polled.h"

/* What a robust mutex whose owner died has in the place of an owner: INCONSISTENT, or one less, by
 * nptl/pthreadP.h. The lock itself says who holds it then. */
#define OWNERS_END 0x7ffffffeU

static void describe_mutex(uint64_t address, struct wait_detail *detail)
{
    pthread_mutex_t mutex;
    if (!memory_read(address, &mutex, sizeof(mutex)))
        return;
    detail->a = (uint32_t)mutex.__data.__owner;
    if (detail->a >= OWNERS_END)
        detail->a = (uint32_t)mutex.__data.__lock & FUTEX_TID_MASK;
    detail->flags = REC_DETAIL_OWNER;
}

static void describe_owner(uint64_t address, struct wait_detail *detail)
{
    int owner;
    if (memory_read(address, &owner, sizeof(owner))) {
        detail->a = (uint32_t)owner;
        detail->flags = REC_DETAIL_OWNER;
    }
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = memory_read(pieces[i].address, pieces[i].to, pieces[i].bytes);
}

static void describe_polled(uint64_t address, struct wait_detail *detail)
{
    struct mem_reader memory = {.read = read_pieces};
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
        describe_owner(task->object + offsetof(pthread_rwlock_t, __data.__cur_writer), detail);
        break;
    case REC_OP_IO_WAIT:
        if (task->wait_flags & REC_WAIT_ASIDE)
            describe_polled(task->object, detail);
        break;
    default:
        break;
    }
}

const struct adapter adapter_pthread = {.kind = REC_KIND_THREAD, .describe = describe};
