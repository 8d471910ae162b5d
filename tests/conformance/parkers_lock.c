/* Calls that park on objects of threads. */
#include "tests/conformance/parkers.h"

#include <linux/futex.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "tests/conformance/old_locks.h"

static struct timespec hour(void)
{
    return in_an_hour(CLOCK_REALTIME);
}

#define HOUR (&(struct timespec){hour().tv_sec, 0})
#define MONOTONIC_HOUR (&(struct timespec){in_an_hour(CLOCK_MONOTONIC).tv_sec, 0})

/* --- mutexes --------------------------------------------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void hold_mutex(bool open)
{
    if (!open)
        POSIX(pthread_mutex_lock(&mutex));
}

static void free_mutex(void)
{
    pthread_mutex_unlock(&mutex);
}

static void say_mutex(void)
{
    say("owner %s", mutex.__data.__owner == 0          ? "nobody"
                    : mutex.__data.__owner == gettid() ? "self"
                                                       : "another");
}

#define MUTEX_CALL(name, call)                                                                     \
    static void name(bool open)                                                                    \
    {                                                                                              \
        (void)open;                                                                                \
        POSIX(call);                                                                               \
        say_mutex();                                                                               \
        POSIX(pthread_mutex_unlock(&mutex));                                                       \
    }
MUTEX_CALL(mutex_lock, pthread_mutex_lock(&mutex))
MUTEX_CALL(old_mutex_lock, __pthread_mutex_lock(&mutex))
MUTEX_CALL(mutex_timedlock, pthread_mutex_timedlock(&mutex, HOUR))
MUTEX_CALL(mutex_clocklock, pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, MONOTONIC_HOUR))

static mtx_t c11_mutex;

static void hold_c11_mutex(bool open)
{
    CHECK(mtx_init(&c11_mutex, mtx_timed) == thrd_success);
    if (!open)
        CHECK(mtx_lock(&c11_mutex) == thrd_success);
}

static void free_c11_mutex(void)
{
    mtx_unlock(&c11_mutex);
}

static void c11_lock(bool open)
{
    (void)open;
    LIBC(mtx_lock(&c11_mutex));
    LIBC(mtx_unlock(&c11_mutex));
}

static void c11_timedlock(bool open)
{
    (void)open;
    LIBC(mtx_timedlock(&c11_mutex, HOUR));
    LIBC(mtx_unlock(&c11_mutex));
}

/* --- rwlocks --------------------------------------------------------------------------------- */

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void hold_rwlock(bool open)
{
    if (!open)
        POSIX(pthread_rwlock_wrlock(&rwlock));
}

static void hold_for_reading(bool open)
{
    if (!open)
        POSIX(pthread_rwlock_rdlock(&rwlock));
}

static void free_rwlock(void)
{
    pthread_rwlock_unlock(&rwlock);
}

#define RWLOCK_CALL(name, call)                                                                    \
    static void name(bool open)                                                                    \
    {                                                                                              \
        (void)open;                                                                                \
        POSIX(call);                                                                               \
        POSIX(pthread_rwlock_unlock(&rwlock));                                                     \
    }
RWLOCK_CALL(rdlock, pthread_rwlock_rdlock(&rwlock))
RWLOCK_CALL(old_rdlock, __pthread_rwlock_rdlock(&rwlock))
RWLOCK_CALL(timedrdlock, pthread_rwlock_timedrdlock(&rwlock, HOUR))
RWLOCK_CALL(clockrdlock, pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, MONOTONIC_HOUR))
RWLOCK_CALL(wrlock, pthread_rwlock_wrlock(&rwlock))
RWLOCK_CALL(old_wrlock, __pthread_rwlock_wrlock(&rwlock))
RWLOCK_CALL(timedwrlock, pthread_rwlock_timedwrlock(&rwlock, HOUR))
RWLOCK_CALL(clockwrlock, pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, MONOTONIC_HOUR))

/* --- conditions ------------------------------------------------------------------------------ */

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static bool ready;

static void prepare_cond(bool open)
{
    ready = open;
}

static void signal_cond(void)
{
    pthread_mutex_lock(&mutex);
    ready = true;
    POSIX(pthread_cond_signal(&cond));
    pthread_mutex_unlock(&mutex);
}

/* Who is cancelled in it holds the mutex again. */
static void say_and_unlock(void)
{
    say_mutex();
    POSIX(pthread_mutex_unlock(&mutex));
}

static void unlock_c11_mutex(void)
{
    LIBC(mtx_unlock(&c11_mutex));
}

/* An open one would have to be signalled meanwhile: its deadline has passed instead, and a wait
 * without one is not made. */
#define COND_CALL(name, wait, wait_open)                                                           \
    static void name(bool open)                                                                    \
    {                                                                                              \
        POSIX(pthread_mutex_lock(&mutex));                                                         \
        if (open)                                                                                  \
            POSIX(wait_open);                                                                      \
        while (!ready)                                                                             \
            POSIX(wait);                                                                           \
        say_mutex();                                                                               \
        POSIX(pthread_mutex_unlock(&mutex));                                                       \
    }
#define PAST (&(struct timespec){1, 0})
COND_CALL(cond_wait, pthread_cond_wait(&cond, &mutex), 0)
COND_CALL(cond_timedwait, pthread_cond_timedwait(&cond, &mutex, HOUR),
          pthread_cond_timedwait(&cond, &mutex, PAST))
COND_CALL(cond_clockwait, pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, MONOTONIC_HOUR),
          pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, PAST))

static cnd_t c11_cond;

static void prepare_c11_cond(bool open)
{
    ready = open;
    CHECK(mtx_init(&c11_mutex, mtx_plain) == thrd_success && cnd_init(&c11_cond) == thrd_success);
}

static void signal_c11_cond(void)
{
    mtx_lock(&c11_mutex);
    ready = true;
    LIBC(cnd_signal(&c11_cond));
    mtx_unlock(&c11_mutex);
}

#define C11_COND_CALL(name, wait, wait_open)                                                       \
    static void name(bool open)                                                                    \
    {                                                                                              \
        LIBC(mtx_lock(&c11_mutex));                                                                \
        if (open)                                                                                  \
            LIBC(wait_open);                                                                       \
        while (!ready)                                                                             \
            LIBC(wait);                                                                            \
        LIBC(mtx_unlock(&c11_mutex));                                                              \
    }
C11_COND_CALL(c11_wait, cnd_wait(&c11_cond, &c11_mutex), 0)
C11_COND_CALL(c11_timedwait, cnd_timedwait(&c11_cond, &c11_mutex, HOUR),
              cnd_timedwait(&c11_cond, &c11_mutex, PAST))

/* --- barriers, semaphores -------------------------------------------------------------------- */

static pthread_barrier_t barrier;

static void prepare_barrier(bool open)
{
    CHECK(pthread_barrier_init(&barrier, NULL, open ? 1 : 2) == 0);
}

static void reach_barrier(void)
{
    pthread_barrier_wait(&barrier);
}

static void barrier_wait(bool open)
{
    int result = pthread_barrier_wait(&barrier);
    (void)open;
    say(result == PTHREAD_BARRIER_SERIAL_THREAD ? "the last" : result == 0 ? "0" : "error");
}

static sem_t semaphore;

static void prepare_semaphore(bool open)
{
    CHECK(sem_init(&semaphore, 0, open) == 0);
}

static void post(void)
{
    sem_post(&semaphore);
}

static void say_semaphore(void)
{
    int value;
    CHECK(sem_getvalue(&semaphore, &value) == 0);
    say("value %d", value);
}

#define SEM_CALL(name, call)                                                                       \
    static void name(bool open)                                                                    \
    {                                                                                              \
        (void)open;                                                                                \
        LIBC(call);                                                                                \
        say_semaphore();                                                                           \
    }
SEM_CALL(wait_sem, sem_wait(&semaphore))
SEM_CALL(timedwait_sem, sem_timedwait(&semaphore, HOUR))
SEM_CALL(clockwait_sem, sem_clockwait(&semaphore, CLOCK_MONOTONIC, MONOTONIC_HOUR))

/* --- joins and once -------------------------------------------------------------------------- */

static pthread_t other;
static thrd_t c11_other;

static atomic_int other_tid;

static void *wait_for_post(void *arg)
{
    atomic_store(&other_tid, gettid());
    while (sem_wait(&semaphore) != 0)
        ;
    return arg;
}

static int c11_wait_for_post(void *arg)
{
    wait_for_post(arg);
    return 42;
}

/* One that ended is joined at once only when it is gone. */
static void await_other(bool gone)
{
    while (atomic_load(&other_tid) == 0)
        sleep_ms(1);
    if (gone)
        await_gone(atomic_load(&other_tid));
}

static void prepare_thread(bool open)
{
    prepare_semaphore(open);
    other = start_thread(wait_for_post, &semaphore);
    await_other(open);
}

static void prepare_c11_thread(bool open)
{
    prepare_semaphore(open);
    CHECK(thrd_create(&c11_other, c11_wait_for_post, NULL) == thrd_success);
    await_other(open);
}

#define JOIN_CALL(name, call)                                                                      \
    static void name(bool open)                                                                    \
    {                                                                                              \
        void *value = NULL;                                                                        \
        (void)open;                                                                                \
        POSIX(call);                                                                               \
        say(value == &semaphore ? "its value" : "no value");                                       \
    }
JOIN_CALL(join, pthread_join(other, &value))
JOIN_CALL(timedjoin, pthread_timedjoin_np(other, &value, HOUR))
JOIN_CALL(clockjoin, pthread_clockjoin_np(other, &value, CLOCK_MONOTONIC, MONOTONIC_HOUR))

static void tryjoin(bool open)
{
    void *value = NULL;
    int error;
    (void)open;
    while ((error = pthread_tryjoin_np(other, &value)) == EBUSY)
        sleep_ms(1);
    POSIX(error);
    say(value == &semaphore ? "its value" : "no value");
}

static void c11_join(bool open)
{
    int value = 0;
    (void)open;
    LIBC(thrd_join(c11_other, &value));
    say("value %d", value);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static once_flag c11_once = ONCE_FLAG_INIT;
static atomic_int inside, runs;

static void once_routine(void)
{
    atomic_fetch_add(&runs, 1);
    atomic_store(&inside, 1);
    wait_for_post(NULL);
}

static void *enter_once(void *arg)
{
    if (arg != NULL)
        pthread_once(&once, once_routine);
    else
        call_once(&c11_once, once_routine);
    return arg;
}

static void begin_once(bool open, void *which)
{
    prepare_semaphore(open);
    if (open)
        return;
    other = start_thread(enter_once, which);
    while (!atomic_load(&inside))
        sleep_ms(1);
}

static void prepare_once(bool open)
{
    begin_once(open, &once);
}

static void prepare_c11_once(bool open)
{
    begin_once(open, NULL);
}

static void call_pthread_once(bool open)
{
    (void)open;
    POSIX(pthread_once(&once, once_routine));
    say("ran %d", atomic_load(&runs));
}

static void call_c11_once(bool open)
{
    (void)open;
    call_once(&c11_once, once_routine);
    say("ran %d", atomic_load(&runs));
}

/* --- futexes --------------------------------------------------------------------------------- */

static atomic_int word;

static void prepare_word(bool open)
{
    atomic_store(&word, open);
}

static void wake_word(void)
{
    atomic_store(&word, 1);
    syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#define FUTEX_CALL(name, op, timeout, bits)                                                        \
    static void name(bool open)                                                                    \
    {                                                                                              \
        (void)open;                                                                                \
        LIBC(syscall(SYS_futex, &word, op, 0, timeout, NULL, bits));                               \
        say("word %d", atomic_load(&word));                                                        \
    }
FUTEX_CALL(futex_wait, FUTEX_WAIT, NULL, 0)
FUTEX_CALL(futex_wait_for, FUTEX_WAIT, (&(struct timespec){3600, 0}), 0)
FUTEX_CALL(futex_wait_bitset, FUTEX_WAIT_BITSET, MONOTONIC_HOUR, FUTEX_BITSET_MATCH_ANY)

static void hold_pi_word(bool open)
{
    if (!open)
        LIBC(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
}

static void free_pi_word(void)
{
    syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
}

static void futex_lock_pi(bool open)
{
    (void)open;
    LIBC(syscall(SYS_futex, &word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    LIBC(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

void parkers_lock_renew(void)
{
    /* A thread that was let go is to be gone before what it uses is made anew. */
    if (atomic_load(&other_tid) != 0 && atomic_load(&other_tid) != gettid())
        await_gone(atomic_load(&other_tid));
    atomic_store(&other_tid, 0);
    mutex = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    rwlock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    cond = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    once = PTHREAD_ONCE_INIT;
    c11_once = (once_flag)ONCE_FLAG_INIT;
    atomic_store(&inside, 0);
    atomic_store(&runs, 0);
    atomic_store(&word, 0);
}

#define ROW_OF(function, how, prepare, call, release, left, flags)                                 \
    {                                                                                              \
#function, how, prepare, call, release, left, flags                                        \
    }

const struct parker parkers_lock[] = {
    ROW_OF(pthread_mutex_lock, "", hold_mutex, mutex_lock, free_mutex, say_mutex, 0),
    ROW_OF(__pthread_mutex_lock, "", hold_mutex, old_mutex_lock, free_mutex, say_mutex, 0),
    ROW_OF(pthread_mutex_timedlock, "", hold_mutex, mutex_timedlock, free_mutex, say_mutex, 0),
    ROW_OF(pthread_mutex_clocklock, "", hold_mutex, mutex_clocklock, free_mutex, say_mutex, 0),
    ROW_OF(mtx_lock, "", hold_c11_mutex, c11_lock, free_c11_mutex, NULL, 0),
    ROW_OF(mtx_timedlock, "", hold_c11_mutex, c11_timedlock, free_c11_mutex, NULL, 0),
    ROW_OF(pthread_rwlock_rdlock, "", hold_rwlock, rdlock, free_rwlock, NULL, 0),
    ROW_OF(__pthread_rwlock_rdlock, "", hold_rwlock, old_rdlock, free_rwlock, NULL, 0),
    ROW_OF(pthread_rwlock_timedrdlock, "", hold_rwlock, timedrdlock, free_rwlock, NULL, 0),
    ROW_OF(pthread_rwlock_clockrdlock, "", hold_rwlock, clockrdlock, free_rwlock, NULL, 0),
    ROW_OF(pthread_rwlock_wrlock, "", hold_rwlock, wrlock, free_rwlock, NULL, 0),
    ROW_OF(pthread_rwlock_wrlock, "behind a reader", hold_for_reading, wrlock, free_rwlock, NULL,
           0),
    ROW_OF(__pthread_rwlock_wrlock, "", hold_rwlock, old_wrlock, free_rwlock, NULL, 0),
    ROW_OF(pthread_rwlock_timedwrlock, "", hold_rwlock, timedwrlock, free_rwlock, NULL, 0),
    ROW_OF(pthread_rwlock_clockwrlock, "", hold_rwlock, clockwrlock, free_rwlock, NULL, 0),
    ROW_OF(pthread_cond_wait, "", prepare_cond, cond_wait, signal_cond, say_and_unlock, 0),
    ROW_OF(pthread_cond_timedwait, "", prepare_cond, cond_timedwait, signal_cond, say_and_unlock,
           0),
    ROW_OF(pthread_cond_clockwait, "", prepare_cond, cond_clockwait, signal_cond, say_and_unlock,
           0),
    ROW_OF(cnd_wait, "", prepare_c11_cond, c11_wait, signal_c11_cond, unlock_c11_mutex, 0),
    ROW_OF(cnd_timedwait, "", prepare_c11_cond, c11_timedwait, signal_c11_cond, unlock_c11_mutex,
           0),
    ROW_OF(pthread_barrier_wait, "", prepare_barrier, barrier_wait, reach_barrier, NULL, 0),
    ROW_OF(sem_wait, "", prepare_semaphore, wait_sem, post, say_semaphore, 0),
    ROW_OF(sem_timedwait, "", prepare_semaphore, timedwait_sem, post, say_semaphore, 0),
    ROW_OF(sem_clockwait, "", prepare_semaphore, clockwait_sem, post, say_semaphore, 0),
    ROW_OF(pthread_join, "", prepare_thread, join, post, NULL, 0),
    ROW_OF(pthread_timedjoin_np, "", prepare_thread, timedjoin, post, NULL, 0),
    ROW_OF(pthread_clockjoin_np, "", prepare_thread, clockjoin, post, NULL, 0),
    ROW_OF(pthread_tryjoin_np, "", prepare_thread, tryjoin, post, NULL, 0),
    ROW_OF(thrd_join, "", prepare_c11_thread, c11_join, post, NULL, 0),
    ROW_OF(pthread_once, "", prepare_once, call_pthread_once, post, NULL, 0),
    ROW_OF(call_once, "", prepare_c11_once, call_c11_once, post, NULL, 0),
    ROW_OF(syscall, "FUTEX_WAIT", prepare_word, futex_wait, wake_word, NULL, 0),
    ROW_OF(syscall, "FUTEX_WAIT for an hour", prepare_word, futex_wait_for, wake_word, NULL, 0),
    ROW_OF(syscall, "FUTEX_WAIT_BITSET", prepare_word, futex_wait_bitset, wake_word, NULL, 0),
    ROW_OF(syscall, "FUTEX_LOCK_PI", hold_pi_word, futex_lock_pi, free_pi_word, NULL, 0),
};
const size_t parkers_lock_count = LENGTH(parkers_lock);
