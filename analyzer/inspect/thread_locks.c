#include "analyzer/inspect/thread_locks.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define ROBUST_KIND 16  /* PTHREAD_MUTEX_ROBUST_NORMAL_NP, nptl/pthreadP.h */
#define SHARED_KIND 128 /* PTHREAD_MUTEX_PSHARED_BIT, nptl/pthreadP.h */
#define RWLOCK_WAITED 2 /* PTHREAD_RWLOCK_FUTEX_USED, nptl/pthread_rwlock_common.c */

/* What a robust mutex whose owner died has in the place of an owner: PTHREAD_MUTEX_INCONSISTENT, or
 * one less, nptl/pthreadP.h. */
#define OWNERS_END 0x7ffffffeU

/* nptl/internaltypes.h: struct pthread_barrier. */
#define BARRIER_ROUND 4
#define BARRIER_OUT 16

/* struct pthread begins with a tcbhead_t: its own address, the dtv, its own address again
 * (sysdeps/x86_64/nptl/tls.h). */
#define DESCRIPTOR_SELF 16
#define DESCRIPTOR_ALIGNMENT 16

static uint64_t cond_of(uint64_t word)
{
    uint64_t first = word - offsetof(pthread_cond_t, __data.__g_signals);
    uint64_t second = first - sizeof(unsigned);
    return first % _Alignof(pthread_cond_t) == 0 ? first : second;
}

/* Whether who called pthread_cond_wait waits for the condition itself: before glibc 2.34 by
 * FUTEX_WAIT, for a count of 0 to change. One that was woken waits for the mutex that the wait gave
 * up, by FUTEX_WAIT for a lock that is held, or by FUTEX_LOCK_PI. */
static bool is_condition(unsigned command, uint32_t expected)
{
    return command == FUTEX_WAIT_BITSET || (command == FUTEX_WAIT && expected == 0);
}

/* A reader waits on __wrphase_futex for 0, and where writers are preferred, on __readers; a writer
 * waits on __wrphase_futex for 1, or on __writers_futex for 0. */
static uint64_t rwlock_of(enum rec_op op, uint64_t word, uint32_t expected)
{
    bool phase =
        op == REC_OP_RWLOCK_RDLOCK ? expected == (RWLOCK_WAITED | 1) : expected == RWLOCK_WAITED;
    if (phase)
        return word - offsetof(pthread_rwlock_t, __data.__wrphase_futex);
    return op == REC_OP_RWLOCK_RDLOCK ? word - offsetof(pthread_rwlock_t, __data.__readers)
                                      : word - offsetof(pthread_rwlock_t, __data.__writers_futex);
}

void thread_lock_find(enum rec_op op, const uint64_t args[6], struct thread_lock *ret)
{
    uint64_t word = args[0];
    uint32_t expected = (uint32_t)args[2];
    unsigned command = args[1] & FUTEX_CMD_MASK;
    *ret = (struct thread_lock){.op = op};
    switch (op) {
    case REC_OP_MUTEX_LOCK:
    case REC_OP_SEM_WAIT:
    case REC_OP_ONCE_WAIT:
        ret->object = word;
        break;
    case REC_OP_COND_WAIT:
        if (is_condition(command, expected)) {
            ret->object = cond_of(word);
        } else {
            ret->op = REC_OP_MUTEX_LOCK;
            ret->object = word;
        }
        break;
    case REC_OP_RWLOCK_RDLOCK:
    case REC_OP_RWLOCK_WRLOCK:
        ret->object = rwlock_of(op, word, expected);
        break;
    case REC_OP_BARRIER_WAIT:
        ret->object = word - (word % 8 == BARRIER_ROUND ? BARRIER_ROUND : BARRIER_OUT);
        break;
    case REC_OP_THREAD_JOIN:
        ret->joined_word = word;
        ret->joined = expected;
        break;
    default:
        ret->object = word;
        break;
    }
}

static uint32_t holder_in_lock(const pthread_mutex_t *mutex)
{
    return (uint32_t)mutex->__data.__lock & FUTEX_TID_MASK;
}

static uint32_t mutex_owner(const pthread_mutex_t *mutex)
{
    uint32_t owner = (uint32_t)mutex->__data.__owner;
    return owner < OWNERS_END ? owner : holder_in_lock(mutex);
}

bool thread_lock_is_mutex(const uint64_t args[6], struct mem_reader *memory)
{
    unsigned command = args[1] & FUTEX_CMD_MASK;
    pthread_mutex_t mutex;
    uint32_t expected = (uint32_t)args[2];
    if (command == FUTEX_LOCK_PI || command == FUTEX_LOCK_PI2)
        return mem_read(memory, args[0], &mutex, sizeof(mutex)) &&
               holder_in_lock(&mutex) == mutex_owner(&mutex);
    if (!(expected & FUTEX_WAITERS) || !mem_read(memory, args[0], &mutex, sizeof(mutex)))
        return false;
    return (mutex.__data.__kind & ROBUST_KIND) &&
           (expected & FUTEX_TID_MASK) == mutex_owner(&mutex);
}

bool thread_lock_owner(enum rec_op op, uint64_t object, struct mem_reader *memory,
                       uint32_t *ret_tid)
{
    pthread_mutex_t mutex;
    switch (op) {
    case REC_OP_MUTEX_LOCK:
        if (!mem_read(memory, object, &mutex, sizeof(mutex)))
            return false;
        *ret_tid = mutex_owner(&mutex);
        return true;
    case REC_OP_RWLOCK_RDLOCK:
    case REC_OP_RWLOCK_WRLOCK:
        return mem_read(memory, object + offsetof(pthread_rwlock_t, __data.__cur_writer), ret_tid,
                        sizeof(*ret_tid));
    default:
        return false;
    }
}

bool thread_lock_is_shared(enum rec_op op, uint64_t object, struct mem_reader *memory)
{
    uint32_t word;
    switch (op) {
    case REC_OP_MUTEX_LOCK:
        return mem_read(memory, object + offsetof(pthread_mutex_t, __data.__kind), &word,
                        sizeof(word)) &&
               (word & SHARED_KIND);
    case REC_OP_RWLOCK_RDLOCK:
    case REC_OP_RWLOCK_WRLOCK:
        return mem_read(memory, object + offsetof(pthread_rwlock_t, __data.__shared), &word,
                        sizeof(word)) &&
               word;
    default:
        return false;
    }
}

bool thread_is_descriptor(uint64_t address, struct mem_reader *memory)
{
    uint64_t words[DESCRIPTOR_SELF / sizeof(uint64_t) + 1];
    return address % DESCRIPTOR_ALIGNMENT == 0 && mem_read(memory, address, words, sizeof(words)) &&
           words[0] == address && words[DESCRIPTOR_SELF / sizeof(uint64_t)] == address;
}

uint64_t thread_find_descriptor(const struct thread_layout *layout, const void *memory,
                                uint64_t address, size_t bytes, uint32_t tid)
{
    const unsigned char *at = memory;
    if (layout->tid == 0 || bytes < layout->tid + sizeof(tid))
        return 0;
    size_t skipped = (DESCRIPTOR_ALIGNMENT - address % DESCRIPTOR_ALIGNMENT) % DESCRIPTOR_ALIGNMENT;
    for (size_t i = skipped; i <= bytes - layout->tid - sizeof(tid); i += DESCRIPTOR_ALIGNMENT) {
        uint64_t first, second;
        uint32_t found;
        memcpy(&first, at + i, sizeof(first));
        memcpy(&second, at + i + DESCRIPTOR_SELF, sizeof(second));
        memcpy(&found, at + i + layout->tid, sizeof(found));
        if (first == address + i && second == first && found == tid)
            return first;
    }
    return 0;
}
