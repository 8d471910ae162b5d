#include "analyzer/inspect/thread_locks.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#include "preload/goscan/rwlock.h"

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

/* What is before __g_signals of a condition. From glibc 2.41 on there is no __g_refs: the rest
 * begins 8 bytes later. */
struct cond_words {
    uint64_t first;            /* __wseq; later: of no condition */
    uint64_t second;           /* __g1_start; later: __wseq */
    uint64_t third;            /* __g_refs; later: __g1_start */
    uint32_t size[2];          /* __g_size */
    uint32_t first_group_size; /* __g1_orig_size, above 2 bits */
    uint32_t waiters;          /* __wrefs, above 3 bits */
};

/* Whether there can be such a condition: no more threads are in the group that takes who begins to
 * wait (the lowest bit of __wseq says which one) than wait. How many these are is told as by
 * __condvar_quiesce_and_switch_g1, nptl/pthread_cond_common.c. */
static bool are_counters(const struct cond_words *words, uint64_t wseq, uint64_t g1_start)
{
    uint64_t gave_up = -(uint64_t)(int32_t)words->size[wseq & 1];
    uint64_t in_group = (wseq >> 1) - g1_start - (words->first_group_size >> 2) - gave_up;
    return wseq >> 1 && in_group <= words->waiters >> 3;
}

/* The lowest bit of each of the words is none of the number. Whoever waits has a reference to the
 * group. */
static bool is_early(const struct cond_words *words, unsigned group)
{
    uint32_t references = (uint32_t)(words->third >> 32 * group) >> 1;
    return references && references <= words->waiters >> 3 &&
           are_counters(words, words->first, words->second >> 1);
}

/* The condition that has the word, one of the two of __g_signals; 0: it is in none that somebody
 * waits for. The counters tell which layout it is of: a program may have another C library than
 * this command. */
static uint64_t cond_of(uint64_t word, struct mem_reader *memory)
{
    struct cond_words words = {0};
    unsigned group = word % _Alignof(pthread_cond_t) ? 1 : 0;
    uint64_t early = word - group * sizeof(uint32_t) - sizeof(words);
    uint64_t late = early + sizeof(words.first);
    if (mem_read(memory, early, &words, sizeof(words)) && is_early(&words, group))
        return early;
    bool is_late = mem_read(memory, late, &words.second, sizeof(words) - sizeof(words.first)) &&
                   are_counters(&words, words.second, words.third);
    return is_late ? late : 0;
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

/* Where the kernel refuses a mutex, since that would be a deadlock, glibc waits for ever, for a
 * word of its own to be no longer 0 (nptl/pthread_mutex_lock.c). Which mutex it was, nothing tells.
 */
static bool is_given_up(unsigned command, uint32_t expected)
{
    return (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET) && expected == 0;
}

void thread_lock_find(enum rec_op op, const uint64_t args[6], struct mem_reader *memory,
                      struct thread_lock *ret)
{
    uint64_t word = args[0];
    uint32_t expected = (uint32_t)args[2];
    unsigned command = args[1] & FUTEX_CMD_MASK;
    *ret = (struct thread_lock){.op = op};
    switch (op) {
    case REC_OP_MUTEX_LOCK:
        ret->object = is_given_up(command, expected) ? 0 : word;
        break;
    case REC_OP_SEM_WAIT:
    case REC_OP_ONCE_WAIT:
        ret->object = word;
        break;
    case REC_OP_COND_WAIT:
        if (is_condition(command, expected)) {
            ret->object = cond_of(word, memory);
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

/* What is above was written by something else than the C library's functions for locks. */
static bool may_be_owner(uint32_t tid)
{
    return tid <= REC_MAX_TID;
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
               holder_in_lock(&mutex) == mutex_owner(&mutex) && may_be_owner(mutex_owner(&mutex));
    if (!(expected & FUTEX_WAITERS) || !may_be_owner(expected & FUTEX_TID_MASK) ||
        !mem_read(memory, args[0], &mutex, sizeof(mutex)))
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
        return may_be_owner(*ret_tid);
    case REC_OP_RWLOCK_RDLOCK:
    case REC_OP_RWLOCK_WRLOCK:
        return mem_read(memory, object + offsetof(pthread_rwlock_t, __data.__cur_writer), ret_tid,
                        sizeof(*ret_tid)) &&
               may_be_owner(*ret_tid);
    default:
        return false;
    }
}

uint32_t thread_lock_readers(enum rec_op op, uint64_t object, struct mem_reader *memory)
{
    uint32_t word; /* all of it is of one moment */
    if ((op != REC_OP_RWLOCK_RDLOCK && op != REC_OP_RWLOCK_WRLOCK) ||
        !mem_read(memory, object + offsetof(pthread_rwlock_t, __data.__readers), &word,
                  sizeof(word)))
        return 0;
    return rwlock_readers(word);
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
    size_t tid_end = layout->tid + sizeof(tid), self_end = DESCRIPTOR_SELF + sizeof(uint64_t);
    size_t needed = tid_end > self_end ? tid_end : self_end;
    if (layout->tid == 0 || bytes < needed)
        return 0;
    size_t skipped = (DESCRIPTOR_ALIGNMENT - address % DESCRIPTOR_ALIGNMENT) % DESCRIPTOR_ALIGNMENT;
    for (size_t i = skipped; i <= bytes - needed; i += DESCRIPTOR_ALIGNMENT) {
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
