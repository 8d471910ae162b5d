/* Errors of locks, conditions and semaphores. */
#include "tests/conformance/errors.h"

#include <semaphore.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include "tests/conformance/c11.h"
#include "tests/conformance/old_locks.h"

static const struct timespec long_past = {1, 0}, none = {1, -1};

/* --- mutexes --------------------------------------------------------------------------------- */

static pthread_mutex_t mutex;

static int plain_lock(pthread_mutex_t *m, const struct timespec *until)
{
    (void)until;
    return pthread_mutex_lock(m);
}

static int old_lock(pthread_mutex_t *m, const struct timespec *until)
{
    (void)until;
    return __pthread_mutex_lock(m);
}

static int clock_lock(pthread_mutex_t *m, const struct timespec *until)
{
    return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, until);
}

static const struct {
    const char *function;
    int (*lock)(pthread_mutex_t *m, const struct timespec *until);
} locks[] = {{"pthread_mutex_lock", plain_lock},
             {"__pthread_mutex_lock", old_lock},
             {"pthread_mutex_timedlock", pthread_mutex_timedlock},
             {"pthread_mutex_clocklock", clock_lock}},
  timed_locks[] = {{"pthread_mutex_timedlock", pthread_mutex_timedlock},
                   {"pthread_mutex_clocklock", clock_lock}};

static void make_mutex(int type, int protocol, int robust)
{
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0 &&
          pthread_mutexattr_settype(&attributes, type) == 0 &&
          pthread_mutexattr_setprotocol(&attributes, protocol) == 0 &&
          pthread_mutexattr_setrobust(&attributes, robust) == 0 &&
          pthread_mutex_init(&mutex, &attributes) == 0);
}

static void *lock_and_end(void *arg)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    return arg;
}

/* Robust, and its owner has ended. */
static void leave_mutex(void)
{
    make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_ROBUST);
    join_thread(start_thread(lock_and_end, NULL));
}

/* The same, and nobody has put it right. */
static void lose_mutex(void)
{
    leave_mutex();
    CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD && pthread_mutex_unlock(&mutex) == 0);
}

/* As often as it can be. */
static void lock_to_the_most(pthread_mutex_t *m)
{
    CHECK(pthread_mutex_lock(m) == 0);
    m->__data.__count = ~0U;
}

static void make_held(int type)
{
    make_mutex(type, PTHREAD_PRIO_NONE, PTHREAD_MUTEX_STALLED);
    CHECK(pthread_mutex_lock(&mutex) == 0);
}

static void mutex_errors(struct rows *rows)
{
    struct timespec hour = in_an_hour(CLOCK_REALTIME);
    EACH(locks, EAGAIN, "more often than can be", make_mutex(PTHREAD_MUTEX_RECURSIVE, 0, 0);
         lock_to_the_most(&mutex); POSIX(locks[i].lock(&mutex, &hour)))
    EACH(locks, EDEADLK, "that is its own", make_held(PTHREAD_MUTEX_ERRORCHECK);
         POSIX(locks[i].lock(&mutex, &hour)))
    EACH(locks, EOWNERDEAD, "whose owner has ended", leave_mutex();
         POSIX(locks[i].lock(&mutex, &hour)))
    EACH(locks, ENOTRECOVERABLE, "that nobody put right", lose_mutex();
         POSIX(locks[i].lock(&mutex, &hour)))
    EACH(timed_locks, EINVAL, "a time that is none", make_held(PTHREAD_MUTEX_NORMAL);
         POSIX(timed_locks[i].lock(&mutex, &none)))
    EACH(timed_locks, ETIMEDOUT, "until long ago", make_held(PTHREAD_MUTEX_NORMAL);
         POSIX(timed_locks[i].lock(&mutex, &long_past)))
    FAILS(pthread_mutex_clocklock, EINVAL, "by a clock that is none",
          make_held(PTHREAD_MUTEX_NORMAL);
          POSIX(pthread_mutex_clocklock(&mutex, CLOCK_PROCESS_CPUTIME_ID, &hour)))
    /* What the C library takes the thread's priority for is another one afterwards. */
    rows_alone(rows, true);
    EACH(locks, EINVAL, "of a ceiling that is not reached",
         make_mutex(PTHREAD_MUTEX_NORMAL, PTHREAD_PRIO_PROTECT, 0);
         POSIX(locks[i].lock(&mutex, &hour)))
    rows_alone(rows, false);
}

/* --- rwlocks --------------------------------------------------------------------------------- */

static pthread_rwlock_t rwlock;

#define RWLOCK(name, call)                                                                         \
    static int name(pthread_rwlock_t *l, const struct timespec *until)                             \
    {                                                                                              \
        (void)until;                                                                               \
        return call;                                                                               \
    }
RWLOCK(rdlock, pthread_rwlock_rdlock(l))
RWLOCK(old_rdlock, __pthread_rwlock_rdlock(l))
RWLOCK(clockrdlock, pthread_rwlock_clockrdlock(l, CLOCK_MONOTONIC, until))
RWLOCK(wrlock, pthread_rwlock_wrlock(l))
RWLOCK(old_wrlock, __pthread_rwlock_wrlock(l))
RWLOCK(clockwrlock, pthread_rwlock_clockwrlock(l, CLOCK_MONOTONIC, until))

static const struct rwlock_call {
    const char *function;
    int (*lock)(pthread_rwlock_t *l, const struct timespec *until);
} rdlocks[] = {{"pthread_rwlock_rdlock", rdlock},
               {"__pthread_rwlock_rdlock", old_rdlock},
               {"pthread_rwlock_timedrdlock", pthread_rwlock_timedrdlock},
               {"pthread_rwlock_clockrdlock", clockrdlock}},
  rwlocks[] = {{"pthread_rwlock_rdlock", rdlock},
               {"__pthread_rwlock_rdlock", old_rdlock},
               {"pthread_rwlock_timedrdlock", pthread_rwlock_timedrdlock},
               {"pthread_rwlock_clockrdlock", clockrdlock},
               {"pthread_rwlock_wrlock", wrlock},
               {"__pthread_rwlock_wrlock", old_wrlock},
               {"pthread_rwlock_timedwrlock", pthread_rwlock_timedwrlock},
               {"pthread_rwlock_clockwrlock", clockwrlock}},
  timed_rwlocks[] = {{"pthread_rwlock_timedrdlock", pthread_rwlock_timedrdlock},
                     {"pthread_rwlock_clockrdlock", clockrdlock},
                     {"pthread_rwlock_timedwrlock", pthread_rwlock_timedwrlock},
                     {"pthread_rwlock_clockwrlock", clockwrlock}};

static void make_rwlock(void)
{
    rwlock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
}

/* As many readers as can be. */
static void make_full_rwlock(void)
{
    make_rwlock();
    CHECK(pthread_rwlock_rdlock(&rwlock) == 0);
    rwlock.__data.__readers = 0x80000000U - 8;
}

static void make_written_rwlock(void)
{
    make_rwlock();
    CHECK(pthread_rwlock_wrlock(&rwlock) == 0);
}

static void *write_and_end(void *arg)
{
    make_written_rwlock();
    return arg;
}

static void leave_rwlock(void)
{
    join_thread(start_thread(write_and_end, NULL));
}

static void rwlock_errors(struct rows *rows)
{
    struct timespec hour = in_an_hour(CLOCK_REALTIME);
    EACH(rdlocks, EAGAIN, "more often than can be", make_full_rwlock();
         POSIX(rdlocks[i].lock(&rwlock, &hour)))
    EACH(rwlocks, EDEADLK, "that is its own", make_written_rwlock();
         POSIX(rwlocks[i].lock(&rwlock, &hour)))
    EACH(timed_rwlocks, EINVAL, "a time that is none", leave_rwlock();
         POSIX(timed_rwlocks[i].lock(&rwlock, &none)))
    EACH(timed_rwlocks, ETIMEDOUT, "until long ago", leave_rwlock();
         POSIX(timed_rwlocks[i].lock(&rwlock, &long_past)))
    FAILS(pthread_rwlock_clockrdlock, EINVAL, "by a clock that is none", make_rwlock();
          POSIX(pthread_rwlock_clockrdlock(&rwlock, 99, &hour)))
    FAILS(pthread_rwlock_clockwrlock, EINVAL, "by a clock that is none", make_rwlock();
          POSIX(pthread_rwlock_clockwrlock(&rwlock, 99, &hour)))
}

/* --- conditions ------------------------------------------------------------------------------ */

static pthread_cond_t cond;

#define COND(name, call)                                                                           \
    static int name(const struct timespec *until)                                                  \
    {                                                                                              \
        (void)until;                                                                               \
        return call;                                                                               \
    }
COND(wait_cond, pthread_cond_wait(&cond, &mutex))
COND(timedwait_cond, pthread_cond_timedwait(&cond, &mutex, until))
COND(clockwait_cond, pthread_cond_clockwait(&cond, &mutex, CLOCK_REALTIME, until))

static const struct cond_call {
    const char *function;
    int (*wait)(const struct timespec *until);
} conds[] = {{"pthread_cond_wait", wait_cond},
             {"pthread_cond_timedwait", timedwait_cond},
             {"pthread_cond_clockwait", clockwait_cond}},
  timed_conds[] = {{"pthread_cond_timedwait", timedwait_cond},
                   {"pthread_cond_clockwait", clockwait_cond}};

static void make_cond(int type, int robust)
{
    cond = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    make_mutex(type, PTHREAD_PRIO_NONE, robust);
}

/* What it waits with is left by its owner, or lost, when the wait is over. */
static void leave_and_signal(void)
{
    join_thread(start_thread(lock_and_end, NULL));
    CHECK(pthread_cond_signal(&cond) == 0);
}

static void lose_and_signal(void)
{
    join_thread(start_thread(lock_and_end, NULL));
    CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD && pthread_mutex_unlock(&mutex) == 0);
    CHECK(pthread_cond_signal(&cond) == 0);
}

static void wait_robustly(const struct cond_call *by, void (*act)(void))
{
    struct timespec hour = in_an_hour(CLOCK_REALTIME);
    make_cond(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
    CHECK(pthread_mutex_lock(&mutex) == 0);
    WHILE_BLOCKED(act, POSIX(by->wait(&hour)));
}

static void cond_errors(struct rows *rows)
{
    struct timespec hour = in_an_hour(CLOCK_REALTIME);
    EACH(conds, EPERM, "with a mutex that is not its own", make_cond(PTHREAD_MUTEX_ERRORCHECK, 0);
         POSIX(conds[i].wait(&hour)))
    EACH(conds, EOWNERDEAD, "with a mutex whose owner has ended",
         wait_robustly(&conds[i], leave_and_signal))
    EACH(conds, ENOTRECOVERABLE, "with a mutex that nobody put right",
         wait_robustly(&conds[i], lose_and_signal))
    EACH(timed_conds, EINVAL, "a time that is none", make_cond(PTHREAD_MUTEX_NORMAL, 0);
         CHECK(pthread_mutex_lock(&mutex) == 0); POSIX(timed_conds[i].wait(&none)))
    EACH(timed_conds, ETIMEDOUT, "until long ago", make_cond(PTHREAD_MUTEX_NORMAL, 0);
         CHECK(pthread_mutex_lock(&mutex) == 0); POSIX(timed_conds[i].wait(&long_past)))
    FAILS(pthread_cond_clockwait, EINVAL, "by a clock that is none",
          make_cond(PTHREAD_MUTEX_NORMAL, 0);
          CHECK(pthread_mutex_lock(&mutex) == 0);
          POSIX(pthread_cond_clockwait(&cond, &mutex, 99, &hour)))
}

/* --- semaphores, futexes --------------------------------------------------------------------- */

static void semaphore_errors(struct rows *rows)
{
    struct timespec hour = in_an_hour(CLOCK_REALTIME), monotonic = in_an_hour(CLOCK_MONOTONIC);
    sem_t semaphore;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    FAILS(sem_wait, EINTR, "when a signal comes", INTERRUPTED(LIBC(sem_wait(&semaphore))))
    FAILS(sem_timedwait, EINTR, "when a signal comes",
          INTERRUPTED(LIBC(sem_timedwait(&semaphore, &hour))))
    FAILS(sem_clockwait, EINTR, "when a signal comes",
          INTERRUPTED(LIBC(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &monotonic))))
    FAILS(sem_timedwait, EINVAL, "a time that is none", LIBC(sem_timedwait(&semaphore, &none)))
    FAILS(sem_clockwait, EINVAL, "a time that is none",
          LIBC(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &none)))
    FAILS(sem_clockwait, EINVAL, "by a clock that is none",
          LIBC(sem_clockwait(&semaphore, 99, &hour)))
    FAILS(sem_timedwait, ETIMEDOUT, "until long ago", LIBC(sem_timedwait(&semaphore, &long_past)))
    FAILS(sem_clockwait, ETIMEDOUT, "until long ago",
          LIBC(sem_clockwait(&semaphore, CLOCK_MONOTONIC, &long_past)))
}

/* --- C11 ------------------------------------------------------------------------------------- */

static mtx_t c11_mutex;
static cnd_t c11_cond;

static void make_c11(int type)
{
    CHECK(mtx_init(&c11_mutex, type) == thrd_success && cnd_init(&c11_cond) == thrd_success);
}

static void c11_errors(struct rows *rows)
{
    struct timespec hour = in_an_hour(CLOCK_REALTIME);
    FAILS(mtx_lock, thrd_error, "more often than can be", make_c11(mtx_recursive);
          lock_to_the_most((pthread_mutex_t *)&c11_mutex); C11(mtx_lock(&c11_mutex)))
    FAILS(mtx_timedlock, thrd_error, "more often than can be", make_c11(mtx_timed | mtx_recursive);
          lock_to_the_most((pthread_mutex_t *)&c11_mutex); C11(mtx_timedlock(&c11_mutex, &hour)))
    FAILS(mtx_timedlock, thrd_timedout, "until long ago", make_c11(mtx_timed);
          CHECK(mtx_lock(&c11_mutex) == thrd_success); C11(mtx_timedlock(&c11_mutex, &long_past)))
    FAILS(cnd_wait, thrd_error, "with a mutex that is not its own", make_c11(mtx_recursive);
          C11(cnd_wait(&c11_cond, &c11_mutex)))
    FAILS(cnd_timedwait, thrd_error, "with a mutex that is not its own", make_c11(mtx_recursive);
          C11(cnd_timedwait(&c11_cond, &c11_mutex, &hour)))
    FAILS(cnd_timedwait, thrd_timedout, "until long ago", make_c11(mtx_plain);
          CHECK(mtx_lock(&c11_mutex) == thrd_success);
          C11(cnd_timedwait(&c11_cond, &c11_mutex, &long_past)))
}

void errors_of_locks(struct rows *rows)
{
    mutex_errors(rows);
    rwlock_errors(rows);
    cond_errors(rows);
    semaphore_errors(rows);
    c11_errors(rows);
}
