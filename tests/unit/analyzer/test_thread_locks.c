/* Locks and conditions of glibc: which of them a thread waits for in a futex, and who holds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/inspect/thread_locks.h"
#include "tests/unit/analyzer/memory_here.h"

static uint64_t object_of(enum rec_op op, const void *word, unsigned command, uint32_t expected)
{
    struct thread_lock lock;
    thread_lock_find(op, ARGS((uint64_t)word, command, expected), &here_memory, &lock);
    return lock.object;
}

static void futex_words__find__are_parts_of_their_objects(void **state)
{
    (void)state;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_barrier_t barrier;
    assert_int_equal(
        object_of(REC_OP_RWLOCK_RDLOCK, &rwlock.__data.__wrphase_futex, FUTEX_WAIT_BITSET, 3),
        (uint64_t)&rwlock);
    assert_int_equal(
        object_of(REC_OP_RWLOCK_RDLOCK, &rwlock.__data.__readers, FUTEX_WAIT_BITSET, 14),
        (uint64_t)&rwlock);
    assert_int_equal(
        object_of(REC_OP_RWLOCK_WRLOCK, &rwlock.__data.__wrphase_futex, FUTEX_WAIT_BITSET, 2),
        (uint64_t)&rwlock);
    assert_int_equal(
        object_of(REC_OP_RWLOCK_WRLOCK, &rwlock.__data.__writers_futex, FUTEX_WAIT_BITSET, 3),
        (uint64_t)&rwlock);
    assert_int_equal(object_of(REC_OP_MUTEX_LOCK, &mutex.__data.__lock, FUTEX_WAIT, 2),
                     (uint64_t)&mutex);
    assert_int_equal(object_of(REC_OP_MUTEX_LOCK, &mutex.__data.__lock, FUTEX_LOCK_PI, 0),
                     (uint64_t)&mutex);
    assert_int_equal(object_of(REC_OP_MUTEX_LOCK, &rwlock, FUTEX_WAIT, 0), 0); /* given up */
    assert_int_equal(object_of(REC_OP_BARRIER_WAIT, (char *)&barrier + 4, FUTEX_WAIT, 0),
                     (uint64_t)&barrier);
}

/* A condition in memory, as glibc has it before 2.41 and from then on. */
struct old_cond {
    uint64_t wseq, g1_start;
    uint32_t refs[2], size[2], orig_size, wrefs, signals[2], behind[2];
};

struct new_cond {
    uint64_t before, wseq, g1_start;
    uint32_t size[2], orig_size, wrefs, signals[2], unused[2];
};

static const struct {
    struct old_cond old;
    unsigned group; /* that somebody waits in */
} conds[] = {
    {{.wseq = 2, .refs = {2, 0}, .wrefs = 8}, 0}, /* a first wait */
    {{.wseq = 5, .g1_start = 1, .refs = {0, 2}, .orig_size = 4, .wrefs = 8},
     1}, /* a signal later */
    {{.wseq = 10, .g1_start = 6, .refs = {2, 0}, .orig_size = 4, .wrefs = 8}, 0}, /* after four */
    {{.wseq = 9000, .g1_start = 8996, .refs = {2, 0}, .orig_size = 4, .wrefs = 9}, 0},
    /* Two wait and one has given up; another one was not woken yet. */
    {{21, 11, {2, 4}, {1, -1U}, 2 << 2, 3 << 3, {0}, {0}}, 0},
    {{21, 11, {2, 4}, {1, -1U}, 2 << 2, 3 << 3, {0}, {0}}, 1},
};

static struct new_cond newer(const struct old_cond *old)
{
    return (struct new_cond){
        .wseq = old->wseq,
        .g1_start = old->g1_start >> 1,
        .size = {old->size[0], old->size[1]},
        .orig_size = old->orig_size,
        .wrefs = old->wrefs,
    };
}

static void condition__of_any_glibc__is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(conds) / sizeof(conds[0]); i++) {
        struct old_cond old = conds[i].old;
        struct new_cond new = newer(&old);
        unsigned group = conds[i].group;
        assert_int_equal(object_of(REC_OP_COND_WAIT, &old.signals[group], FUTEX_WAIT_BITSET, 0),
                         (uint64_t)&old);
        assert_int_equal(object_of(REC_OP_COND_WAIT, &new.signals[group], FUTEX_WAIT_BITSET, 0),
                         (uint64_t) & new.wseq);
        new.before = 0x7f0012345678;
        assert_int_equal(object_of(REC_OP_COND_WAIT, &new.signals[group], FUTEX_WAIT_BITSET, 0),
                         (uint64_t) & new.wseq);
    }
}

static void memory__without_a_waiters_condition__has_none(void **state)
{
    (void)state;
    struct old_cond cond = {.wseq = 2, .g1_start = 0};
    assert_int_equal(object_of(REC_OP_COND_WAIT, &cond.signals[0], FUTEX_WAIT_BITSET, 0), 0);
    memset(&cond, 0x55, sizeof(cond));
    assert_int_equal(object_of(REC_OP_COND_WAIT, &cond.signals[0], FUTEX_WAIT_BITSET, 0), 0);
    assert_int_equal(object_of(REC_OP_COND_WAIT, (void *)64, FUTEX_WAIT_BITSET, 0), 0);
}

/* As at the start of a page: nothing before it can be read. */
static void condition__without_memory_before_it__is_found(void **state)
{
    (void)state;
    struct new_cond cond = newer(&conds[0].old);
    here_readable_from = (uint64_t)&cond.wseq;
    uint64_t object = object_of(REC_OP_COND_WAIT, &cond.signals[0], FUTEX_WAIT_BITSET, 0);
    here_readable_from = HERE_FIRST_PAGE;
    assert_int_equal(object, (uint64_t)&cond.wseq);
}

/* The first row is glibc's before 2.34; the others were woken, and wait for the mutex that the wait
 * gave up: a plain one, one that inherits priorities, a robust one. */
static void waits_in_a_condition__find__are_for_it_or_for_its_mutex(void **state)
{
    (void)state;
    static const struct {
        unsigned command;
        uint32_t expected;
        enum rec_op op;
    } rows[] = {
        {FUTEX_WAIT, 0, REC_OP_COND_WAIT},
        {FUTEX_WAIT_BITSET, 0, REC_OP_COND_WAIT},
        {FUTEX_WAIT_BITSET, 2, REC_OP_COND_WAIT},
        {FUTEX_WAIT, 2, REC_OP_MUTEX_LOCK},
        {FUTEX_LOCK_PI, 0, REC_OP_MUTEX_LOCK},
        {FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, REC_OP_MUTEX_LOCK},
        {FUTEX_WAIT, 77 | FUTEX_WAITERS, REC_OP_MUTEX_LOCK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct old_cond cond = conds[1].old;
        pthread_mutex_t mutex;
        struct thread_lock lock;
        bool for_mutex = rows[i].op == REC_OP_MUTEX_LOCK;
        uint64_t object = for_mutex ? (uint64_t)&mutex : (uint64_t)&cond;
        uint64_t word = for_mutex ? object : (uint64_t)&cond.signals[1];
        thread_lock_find(REC_OP_COND_WAIT, ARGS(word, rows[i].command, rows[i].expected),
                         &here_memory, &lock);
        assert_int_equal(lock.op, rows[i].op);
        assert_int_equal(lock.object, object);
    }
}

static void held_locks__owner__is_who_holds_them(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    uint32_t owner;
    pthread_mutex_lock(&mutex);
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &here_memory, &owner));
    assert_int_equal(owner, gettid());
    pthread_mutex_unlock(&mutex);
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &here_memory, &owner));
    assert_int_equal(owner, 0);
    pthread_rwlock_wrlock(&rwlock);
    assert_true(thread_lock_owner(REC_OP_RWLOCK_RDLOCK, (uint64_t)&rwlock, &here_memory, &owner));
    assert_int_equal(owner, gettid());
    pthread_rwlock_unlock(&rwlock);
    assert_false(thread_lock_owner(REC_OP_COND_WAIT, (uint64_t)&rwlock, &here_memory, &owner));
    assert_false(thread_lock_owner(REC_OP_MUTEX_LOCK, 16, &here_memory, &owner));
    mutex.__data.__owner = 4194304; /* the highest that the kernel gives away is one less */
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &here_memory, &owner));
    mutex.__data.__owner = 732670891; /* overwritten */
    assert_false(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &here_memory, &owner));
    rwlock.__data.__cur_writer = 732670891;
    assert_false(thread_lock_owner(REC_OP_RWLOCK_WRLOCK, (uint64_t)&rwlock, &here_memory, &owner));
}

static uint32_t readers_of(const pthread_rwlock_t *rwlock)
{
    uint32_t readers = thread_lock_readers(REC_OP_RWLOCK_WRLOCK, (uint64_t)rwlock, &here_memory);
    assert_int_equal(thread_lock_readers(REC_OP_RWLOCK_RDLOCK, (uint64_t)rwlock, &here_memory),
                     readers);
    return readers;
}

static void readers_of_a_rwlock__are_counted_while_they_hold_it(void **state)
{
    (void)state;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    assert_int_equal(readers_of(&rwlock), 0);
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_rdlock(&rwlock);
    assert_int_equal(readers_of(&rwlock), 2);
    rwlock.__data.__readers |= 2 | 4; /* a writer and a reader wait */
    assert_int_equal(readers_of(&rwlock), 2);
    rwlock.__data.__readers = 2 << 3 | 1 | 2; /* two wait for a writer */
    assert_int_equal(readers_of(&rwlock), 0);
    rwlock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_wrlock(&rwlock);
    assert_int_equal(readers_of(&rwlock), 0);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_rdlock(&rwlock);
    assert_int_equal(thread_lock_readers(REC_OP_MUTEX_LOCK, (uint64_t)&rwlock, &here_memory), 0);
    assert_int_equal(thread_lock_readers(REC_OP_RWLOCK_WRLOCK, 16, &here_memory), 0);
}

static void *lock_and_end(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

/* Until who has it says that all is well again, it has another mark than that thread's number. */
static void robust_mutex__whose_owner_died__is_of_who_holds_it_now(void **state)
{
    (void)state;
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_t thread;
    uint32_t owner;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    assert_int_equal(pthread_create(&thread, NULL, lock_and_end, &mutex), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pthread_mutex_lock(&mutex), EOWNERDEAD);
    uint32_t waited = (uint32_t)gettid() | FUTEX_WAITERS;
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &here_memory, &owner));
    assert_int_equal(owner, gettid());
    assert_true(thread_lock_is_mutex(ARGS((uint64_t)&mutex, FUTEX_WAIT, waited), &here_memory));
    pthread_mutex_unlock(&mutex); /* it is of no use any more */
    pthread_mutex_destroy(&mutex);
}

static void locks__shared__are_those_that_other_processes_may_hold(void **state)
{
    (void)state;
    pthread_mutexattr_t of_mutex;
    pthread_rwlockattr_t of_rwlock;
    pthread_mutex_t own_mutex = PTHREAD_MUTEX_INITIALIZER, mutex;
    pthread_rwlock_t own_rwlock = PTHREAD_RWLOCK_INITIALIZER, rwlock;
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&mutex, &of_mutex);
    pthread_rwlockattr_init(&of_rwlock);
    pthread_rwlockattr_setpshared(&of_rwlock, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&rwlock, &of_rwlock);
    assert_false(thread_lock_is_shared(REC_OP_MUTEX_LOCK, (uint64_t)&own_mutex, &here_memory));
    assert_true(thread_lock_is_shared(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &here_memory));
    assert_false(thread_lock_is_shared(REC_OP_RWLOCK_WRLOCK, (uint64_t)&own_rwlock, &here_memory));
    assert_true(thread_lock_is_shared(REC_OP_RWLOCK_RDLOCK, (uint64_t)&rwlock, &here_memory));
    assert_true(thread_lock_is_shared(REC_OP_RWLOCK_WRLOCK, (uint64_t)&rwlock, &here_memory));
    assert_false(thread_lock_is_shared(REC_OP_COND_WAIT, (uint64_t)&rwlock, &here_memory));
    assert_false(thread_lock_is_shared(REC_OP_MUTEX_LOCK, 16, &here_memory));
}

static void robust_and_inheriting_mutexes__are_known_by_their_words(void **state)
{
    (void)state;
    pthread_mutexattr_t attributes;
    pthread_mutex_t robust, inheriting, plain = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inheriting, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutex_lock(&robust);
    pthread_mutex_lock(&inheriting);
    pthread_mutex_lock(&plain);
    uint32_t waited = (uint32_t)gettid() | FUTEX_WAITERS;
    assert_true(thread_lock_is_mutex(ARGS((uint64_t)&robust, FUTEX_WAIT, waited), &here_memory));
    assert_false(
        thread_lock_is_mutex(ARGS((uint64_t)&robust, FUTEX_WAIT, waited + 1), &here_memory));
    assert_true(thread_lock_is_mutex(ARGS((uint64_t)&inheriting, FUTEX_LOCK_PI, 0), &here_memory));
    assert_false(thread_lock_is_mutex(ARGS((uint64_t)&plain, FUTEX_WAIT, waited), &here_memory));
    assert_false(thread_lock_is_mutex(ARGS(16, FUTEX_LOCK_PI, 0), &here_memory));
    /* The word of another kind of lock, all ones, before memory that looks like a robust mutex. */
    pthread_mutex_t other = robust;
    other.__data.__owner = FUTEX_TID_MASK;
    assert_false(
        thread_lock_is_mutex(ARGS((uint64_t)&other, FUTEX_WAIT, UINT32_MAX), &here_memory));
    other.__data.__lock = -1;
    assert_false(thread_lock_is_mutex(ARGS((uint64_t)&other, FUTEX_LOCK_PI, 0), &here_memory));
    pthread_mutex_unlock(&robust);
    pthread_mutex_unlock(&inheriting);
    pthread_mutex_unlock(&plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(futex_words__find__are_parts_of_their_objects),
        cmocka_unit_test(condition__of_any_glibc__is_found),
        cmocka_unit_test(memory__without_a_waiters_condition__has_none),
        cmocka_unit_test(condition__without_memory_before_it__is_found),
        cmocka_unit_test(waits_in_a_condition__find__are_for_it_or_for_its_mutex),
        cmocka_unit_test(held_locks__owner__is_who_holds_them),
        cmocka_unit_test(readers_of_a_rwlock__are_counted_while_they_hold_it),
        cmocka_unit_test(robust_mutex__whose_owner_died__is_of_who_holds_it_now),
        cmocka_unit_test(locks__shared__are_those_that_other_processes_may_hold),
        cmocka_unit_test(robust_and_inheriting_mutexes__are_known_by_their_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
