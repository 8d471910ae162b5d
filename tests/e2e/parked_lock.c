/* Rows of `parked`: locks, conditions, semaphores, joins, futexes. */
#include "tests/e2e/parked.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#define ADDRESS(name, object)                                                                      \
    static uint64_t name(void)                                                                     \
    {                                                                                              \
        return (uint64_t)(uintptr_t)(object);                                                      \
    }

static _Atomic uint32_t word; /* for futexes, and something to point to */
ADDRESS(word_address, &word)

/* ---- mutexes ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
ADDRESS(mutex_address, &mutex)

static void hold_mutex(void)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
}

static void free_mutex(void)
{
    CHECK(pthread_mutex_unlock(&mutex) == 0);
}

#define MUTEX_ROW .prepare = hold_mutex, .release = free_mutex, .object = mutex_address

PARK(pthread_mutex_lock, MUTEX_ROW)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    free_mutex();
}

/* Names that only programs linked long ago still use. */
int old_mutex_lock(pthread_mutex_t *mutex);
int old_rwlock_rdlock(pthread_rwlock_t *lock);
int old_rwlock_wrlock(pthread_rwlock_t *lock);
#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#endif
__asm__(".symver old_mutex_lock,__pthread_mutex_lock@" OLDEST);
__asm__(".symver old_rwlock_rdlock,__pthread_rwlock_rdlock@" OLDEST);
__asm__(".symver old_rwlock_wrlock,__pthread_rwlock_wrlock@" OLDEST);

PARK(old_mutex_lock, MUTEX_ROW)
{
    CHECK(old_mutex_lock(&mutex) == 0);
    free_mutex();
}

PARK(pthread_mutex_timedlock, MUTEX_ROW)
{
    CHECK(pthread_mutex_timedlock(&mutex, in_an_hour(CLOCK_REALTIME)) == 0);
    free_mutex();
}

PARK(pthread_mutex_clocklock, MUTEX_ROW)
{
    CHECK(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, in_an_hour(CLOCK_MONOTONIC)) == 0);
    free_mutex();
}

static mtx_t c11_mutex;
ADDRESS(c11_mutex_address, &c11_mutex)

static void hold_c11_mutex(void)
{
    CHECK(mtx_init(&c11_mutex, mtx_timed) == thrd_success);
    CHECK(mtx_lock(&c11_mutex) == thrd_success);
}

static void free_c11_mutex(void)
{
    CHECK(mtx_unlock(&c11_mutex) == thrd_success);
}

#define C11_MUTEX_ROW                                                                              \
    .c11 = true, .prepare = hold_c11_mutex, .release = free_c11_mutex, .object = c11_mutex_address

PARK(mtx_lock, C11_MUTEX_ROW)
{
    CHECK(mtx_lock(&c11_mutex) == thrd_success);
    free_c11_mutex();
}

PARK(mtx_timedlock, C11_MUTEX_ROW)
{
    CHECK(mtx_timedlock(&c11_mutex, in_an_hour(CLOCK_REALTIME)) == thrd_success);
    free_c11_mutex();
}

/* ---- reader-writer locks ---- */

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
ADDRESS(rwlock_address, &rwlock)

static void hold_rwlock(void)
{
    CHECK(pthread_rwlock_wrlock(&rwlock) == 0);
}

static void free_rwlock(void)
{
    CHECK(pthread_rwlock_unlock(&rwlock) == 0);
}

#define RWLOCK_ROW .prepare = hold_rwlock, .release = free_rwlock, .object = rwlock_address

PARK(pthread_rwlock_rdlock, RWLOCK_ROW)
{
    CHECK(pthread_rwlock_rdlock(&rwlock) == 0);
    free_rwlock();
}

PARK(old_rwlock_rdlock, RWLOCK_ROW)
{
    CHECK(old_rwlock_rdlock(&rwlock) == 0);
    free_rwlock();
}

PARK(pthread_rwlock_timedrdlock, RWLOCK_ROW)
{
    CHECK(pthread_rwlock_timedrdlock(&rwlock, in_an_hour(CLOCK_REALTIME)) == 0);
    free_rwlock();
}

PARK(pthread_rwlock_clockrdlock, RWLOCK_ROW)
{
    CHECK(pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, in_an_hour(CLOCK_MONOTONIC)) == 0);
    free_rwlock();
}

PARK(pthread_rwlock_wrlock, RWLOCK_ROW)
{
    CHECK(pthread_rwlock_wrlock(&rwlock) == 0);
    free_rwlock();
}

PARK(old_rwlock_wrlock, RWLOCK_ROW)
{
    CHECK(old_rwlock_wrlock(&rwlock) == 0);
    free_rwlock();
}

PARK(pthread_rwlock_timedwrlock, RWLOCK_ROW)
{
    CHECK(pthread_rwlock_timedwrlock(&rwlock, in_an_hour(CLOCK_REALTIME)) == 0);
    free_rwlock();
}

PARK(pthread_rwlock_clockwrlock, RWLOCK_ROW)
{
    CHECK(pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, in_an_hour(CLOCK_MONOTONIC)) == 0);
    free_rwlock();
}

/* ---- conditions: passing, they are woken again and again until the call has returned ---- */

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
ADDRESS(cond_address, &cond)

static void wake_cond(void)
{
    hold_mutex();
    CHECK(pthread_cond_broadcast(&cond) == 0);
    free_mutex();
}

#define COND_ROW .nudge = wake_cond, .object = cond_address

PARK(pthread_cond_wait, COND_ROW)
{
    hold_mutex();
    CHECK(pthread_cond_wait(&cond, &mutex) == 0);
    free_mutex();
}

PARK(pthread_cond_timedwait, COND_ROW)
{
    hold_mutex();
    CHECK(pthread_cond_timedwait(&cond, &mutex, in_an_hour(CLOCK_REALTIME)) == 0);
    free_mutex();
}

PARK(pthread_cond_clockwait, COND_ROW)
{
    hold_mutex();
    CHECK(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, in_an_hour(CLOCK_MONOTONIC)) == 0);
    free_mutex();
}

/* Those that programs linked long ago are bound to: other code, under the same names, for which a
 * condition is a pointer to one of today's. */
#if defined(__x86_64__)
static void *old_cond;
ADDRESS(old_cond_address, &old_cond)
int old_cond_wait(void **cond, pthread_mutex_t *mutex);
int old_cond_timedwait(void **cond, pthread_mutex_t *mutex, const struct timespec *until);
int old_cond_broadcast(void **cond);
__asm__(".symver old_cond_wait,pthread_cond_wait@" OLDEST);
__asm__(".symver old_cond_timedwait,pthread_cond_timedwait@" OLDEST);
__asm__(".symver old_cond_broadcast,pthread_cond_broadcast@" OLDEST);

static void wake_old_cond(void)
{
    hold_mutex();
    CHECK(old_cond_broadcast(&old_cond) == 0);
    free_mutex();
}

#define OLD_COND_ROW .nudge = wake_old_cond, .object = old_cond_address

PARK(old_cond_wait, OLD_COND_ROW)
{
    hold_mutex();
    CHECK(old_cond_wait(&old_cond, &mutex) == 0);
    free_mutex();
}

PARK(old_cond_timedwait, OLD_COND_ROW)
{
    hold_mutex();
    CHECK(old_cond_timedwait(&old_cond, &mutex, in_an_hour(CLOCK_REALTIME)) == 0);
    free_mutex();
}
#endif

static cnd_t c11_cond;
ADDRESS(c11_cond_address, &c11_cond)

static void make_c11_cond(void)
{
    CHECK(mtx_init(&c11_mutex, mtx_plain) == thrd_success);
    CHECK(cnd_init(&c11_cond) == thrd_success);
}

static void wake_c11_cond(void)
{
    CHECK(mtx_lock(&c11_mutex) == thrd_success);
    CHECK(cnd_broadcast(&c11_cond) == thrd_success);
    free_c11_mutex();
}

#define C11_COND_ROW                                                                               \
    .c11 = true, .prepare = make_c11_cond, .nudge = wake_c11_cond, .object = c11_cond_address

PARK(cnd_wait, C11_COND_ROW)
{
    CHECK(mtx_lock(&c11_mutex) == thrd_success);
    CHECK(cnd_wait(&c11_cond, &c11_mutex) == thrd_success);
    free_c11_mutex();
}

PARK(cnd_timedwait, C11_COND_ROW)
{
    CHECK(mtx_lock(&c11_mutex) == thrd_success);
    CHECK(cnd_timedwait(&c11_cond, &c11_mutex, in_an_hour(CLOCK_REALTIME)) == thrd_success);
    free_c11_mutex();
}

/* ---- barriers, once, semaphores ---- */

static pthread_barrier_t barrier;
ADDRESS(barrier_address, &barrier)

static void make_barrier_for_two(void)
{
    CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
}

static void make_barrier_for_one(void)
{
    CHECK(pthread_barrier_destroy(&barrier) == 0);
    CHECK(pthread_barrier_init(&barrier, NULL, 1) == 0);
}

PARK(pthread_barrier_wait, .prepare = make_barrier_for_two, .release = make_barrier_for_one,
     .object = barrier_address)
{
    CHECK(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
}

/* A helper that runs until it is told to stop, and never waits without a deadline. */
static atomic_bool helper_runs, helper_stops;
static pthread_t helper;
static thrd_t c11_helper;

static void run_until_stopped(void)
{
    atomic_store(&helper_runs, true);
    while (!atomic_load(&helper_stops))
        usleep(10000);
}

static void await_helper(void)
{
    while (!atomic_load(&helper_runs))
        usleep(1000);
}

static void stop_helper(void)
{
    atomic_store(&helper_stops, true);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
ADDRESS(once_address, &once)

static void *initialize(void *arg)
{
    pthread_once(&once, run_until_stopped);
    return arg;
}

static void start_once(void)
{
    CHECK(pthread_create(&helper, NULL, initialize, NULL) == 0);
    await_helper();
}

static void finish_once(void)
{
    stop_helper();
    CHECK(pthread_join(helper, NULL) == 0);
}

PARK(pthread_once, .prepare = start_once, .release = finish_once, .object = once_address)
{
    CHECK(pthread_once(&once, abort) == 0);
}

static once_flag c11_once = ONCE_FLAG_INIT;
ADDRESS(c11_once_address, &c11_once)

static int c11_initialize(void *arg)
{
    (void)arg;
    call_once(&c11_once, run_until_stopped);
    return 0;
}

static void start_c11_once(void)
{
    CHECK(thrd_create(&c11_helper, c11_initialize, NULL) == thrd_success);
    await_helper();
}

static void finish_c11_once(void)
{
    stop_helper();
    CHECK(thrd_join(c11_helper, NULL) == thrd_success);
}

PARK(call_once, .c11 = true, .prepare = start_c11_once, .release = finish_c11_once,
     .object = c11_once_address)
{
    call_once(&c11_once, abort);
    CHECK(atomic_load(&helper_stops));
}

static sem_t semaphore;
ADDRESS(semaphore_address, &semaphore)

static void make_semaphore(void)
{
    CHECK(sem_init(&semaphore, 0, 0) == 0);
}

static void post(void)
{
    CHECK(sem_post(&semaphore) == 0);
}

#define SEMAPHORE_ROW .prepare = make_semaphore, .release = post, .object = semaphore_address

PARK(sem_wait, SEMAPHORE_ROW)
{
    CHECK(sem_wait(&semaphore) == 0);
}

PARK(sem_timedwait, SEMAPHORE_ROW)
{
    CHECK(sem_timedwait(&semaphore, in_an_hour(CLOCK_REALTIME)) == 0);
}

PARK(sem_clockwait, SEMAPHORE_ROW)
{
    CHECK(sem_clockwait(&semaphore, CLOCK_MONOTONIC, in_an_hour(CLOCK_MONOTONIC)) == 0);
}

/* ---- joins ---- */

ADDRESS(helper_handle, helper)
ADDRESS(c11_helper_handle, c11_helper)

static void *help(void *arg)
{
    run_until_stopped();
    return arg;
}

static int c11_help(void *arg)
{
    (void)arg;
    run_until_stopped();
    return 7;
}

static void start_helper(void)
{
    CHECK(pthread_create(&helper, NULL, help, &word) == 0);
    await_helper();
}

static void start_c11_helper(void)
{
    CHECK(thrd_create(&c11_helper, c11_help, NULL) == thrd_success);
    await_helper();
}

#define JOIN_ROW .prepare = start_helper, .release = stop_helper, .object = helper_handle

PARK(pthread_join, JOIN_ROW)
{
    void *result;
    CHECK(pthread_join(helper, &result) == 0);
    CHECK(result == &word);
}

PARK(pthread_timedjoin_np, JOIN_ROW)
{
    void *result;
    CHECK(pthread_timedjoin_np(helper, &result, in_an_hour(CLOCK_REALTIME)) == 0);
    CHECK(result == &word);
}

PARK(pthread_clockjoin_np, JOIN_ROW)
{
    void *result;
    CHECK(pthread_clockjoin_np(helper, &result, CLOCK_MONOTONIC, in_an_hour(CLOCK_MONOTONIC)) == 0);
    CHECK(result == &word);
}

PARK(thrd_join, .c11 = true, .prepare = start_c11_helper, .release = stop_helper,
     .object = c11_helper_handle)
{
    int result;
    CHECK(thrd_join(c11_helper, &result) == thrd_success);
    CHECK(result == 7);
}

/* ---- the futex system call ---- */

static void change_word(void)
{
    atomic_store(&word, 1);
}

#define FUTEX_ROW .release = change_word, .object = word_address

/* Passing, the word has another value already, and the kernel says so. */
static void check_futex(long result)
{
    if (passing)
        CHECK(result == -1 && errno == EAGAIN);
    else
        CHECK(result == 0);
}

PARK(futex_wait, FUTEX_ROW)
{
    check_futex(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
}

PARK(futex_wait_timeout, FUTEX_ROW)
{
    check_futex(syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &one_hour, NULL, 0));
}

PARK(futex_wait_bitset, FUTEX_ROW)
{
    check_futex(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL,
                        FUTEX_BITSET_MATCH_ANY));
}

PARK(futex_wait_bitset_timeout, FUTEX_ROW)
{
    check_futex(syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, in_an_hour(CLOCK_MONOTONIC),
                        NULL, FUTEX_BITSET_MATCH_ANY));
}

/* Futexes with priority inheritance: the word is the thread that holds the lock, here the main one,
 * or 0. */
static uint32_t other_word;

static void hold_word(void)
{
    atomic_store(&word, (uint32_t)getpid());
}

static void free_word(void)
{
    atomic_store(&word, 0);
}

#define PI_ROW .prepare = hold_word, .release = free_word, .object = word_address

static void unlock_pi(void)
{
    CHECK((atomic_load(&word) & FUTEX_TID_MASK) == (uint32_t)gettid());
    CHECK(syscall(SYS_futex, &word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
}

PARK(futex_lock_pi, PI_ROW)
{
    CHECK(syscall(SYS_futex, &word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == 0);
    unlock_pi();
}

PARK(futex_lock_pi2_timeout, PI_ROW)
{
    CHECK(syscall(SYS_futex, &word, FUTEX_LOCK_PI2_PRIVATE, 0, in_an_hour(CLOCK_MONOTONIC), NULL,
                  0) == 0);
    unlock_pi();
}

PARK(futex_wait_requeue_pi, FUTEX_ROW)
{
    check_futex(syscall(SYS_futex, &word, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &other_word, 0));
}
