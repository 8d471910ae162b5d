/* Mutexes of every type, protocol, robustness and sharing, and static ones, locked in every way;
 * the other objects' rules. */
#include "tests/conformance/conform.h"

#include <semaphore.h>
#include <string.h>
#include <threads.h>
#include <unistd.h>

#include "tests/conformance/old_locks.h"

/* Holds what would be waited for without end off: what is not to be had is asked for until now. */
static struct timespec now(clockid_t clock)
{
    struct timespec time;
    CHECK(clock_gettime(clock, &time) == 0);
    return time;
}

static int lock_until_now(pthread_mutex_t *m)
{
    struct timespec until = now(CLOCK_REALTIME);
    return pthread_mutex_timedlock(m, &until);
}

static int lock_by_clock_until_now(pthread_mutex_t *m)
{
    struct timespec until = now(CLOCK_MONOTONIC);
    return pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &until);
}

static const struct way {
    const char *function;
    int (*lock)(pthread_mutex_t *m);
    bool ends; /* it does not wait for ever */
} ways[] = {
    {"pthread_mutex_lock", pthread_mutex_lock, false},
    {"__pthread_mutex_lock", __pthread_mutex_lock, false},
    {"pthread_mutex_timedlock", lock_until_now, true},
    {"pthread_mutex_clocklock", lock_by_clock_until_now, true},
};

static const struct {
    const char *name;
    int type;
} types[] = {{"normal", PTHREAD_MUTEX_NORMAL},
             {"recursive", PTHREAD_MUTEX_RECURSIVE},
             {"error-checking", PTHREAD_MUTEX_ERRORCHECK},
             {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP}};
static const struct {
    const char *name;
    int protocol;
} protocols[] = {{"", PTHREAD_PRIO_NONE},
                 {", inherits priority", PTHREAD_PRIO_INHERIT},
                 {", has a ceiling", PTHREAD_PRIO_PROTECT}};
static const char *const robustness[] = {"", ", robust"}, *const sharing[] = {"", ", shared"};

static pthread_mutex_t mutex;
static const struct way *way;
static bool waits_for_itself; /* the type's second lock by the same thread would */

static void say_holder(void)
{
    say("kind %d count %u owner %s", mutex.__data.__kind, mutex.__data.__count,
        mutex.__data.__owner == 0          ? "nobody"
        : mutex.__data.__owner == gettid() ? "self"
                                           : "other");
}

static void *lock_in_thread(void *arg)
{
    POSIX(way->lock(&mutex));
    say_holder();
    POSIX(pthread_mutex_unlock(&mutex));
    return arg;
}

static void *lock_and_end(void *arg)
{
    POSIX(way->lock(&mutex));
    return arg;
}

static void *unlock_of_another(void *arg)
{
    POSIX(pthread_mutex_unlock(&mutex));
    return arg;
}

static atomic_int waiter;

static void *wait_for_it(void *arg)
{
    atomic_store(&waiter, gettid());
    lock_in_thread(NULL);
    return arg;
}

static void lock_every_way(bool robust, bool checks_owner)
{
    POSIX(way->lock(&mutex));
    say_holder();
    if (way->ends || !waits_for_itself) {
        POSIX(way->lock(&mutex));
        say_holder();
        if (mutex.__data.__count > 1)
            POSIX(pthread_mutex_unlock(&mutex));
    }
    if (checks_owner)
        join_thread(start_thread(unlock_of_another, NULL));
    if (way->ends) {
        join_thread(start_thread(lock_and_end, NULL)); /* in vain */
    } else {
        pthread_t thread = start_thread(wait_for_it, NULL);
        while (atomic_load(&waiter) == 0)
            sleep_ms(1);
        await_blocked(atomic_load(&waiter), NULL);
        int error = pthread_mutex_unlock(&mutex);
        join_thread(thread);
        say_error(error); /* when the other one has said all */
        POSIX(way->lock(&mutex));
    }
    POSIX(pthread_mutex_unlock(&mutex));
    say_holder();
    if (!robust)
        return;
    join_thread(start_thread(lock_and_end, NULL));
    POSIX(way->lock(&mutex));
    POSIX(pthread_mutex_consistent(&mutex));
    POSIX(pthread_mutex_unlock(&mutex));
    join_thread(start_thread(lock_and_end, NULL));
    POSIX(way->lock(&mutex)); /* not made consistent: it is lost */
    POSIX(pthread_mutex_unlock(&mutex));
    POSIX(way->lock(&mutex));
    POSIX(pthread_mutex_consistent(&mutex));
    POSIX(pthread_mutex_destroy(&mutex));
}

static void mutexes_of(struct rows *rows, const struct way *by, size_t type, size_t protocol)
{
    /* A robust one with a ceiling is accepted, and lost when its owner ends. The C library takes a
     * thread for one that has the priority once it has tried to. */
    bool has_ceiling = protocols[protocol].protocol == PTHREAD_PRIO_PROTECT;
    int most_robust = has_ceiling ? 0 : 1;
    rows_alone(rows, has_ceiling);
    for (int robust = 0; robust <= most_robust; robust++)
        for (int shared = 0; shared < 2; shared++)
            if (row_begins(rows, by->function, "%s%s%s%s", types[type].name,
                           protocols[protocol].name, robustness[robust], sharing[shared])) {
                pthread_mutexattr_t attributes;
                way = by;
                POSIX(pthread_mutexattr_init(&attributes));
                POSIX(pthread_mutexattr_settype(&attributes, types[type].type));
                POSIX(pthread_mutexattr_setprotocol(&attributes, protocols[protocol].protocol));
                POSIX(pthread_mutexattr_setrobust(&attributes, robust));
                POSIX(pthread_mutexattr_setpshared(&attributes, shared));
                POSIX(pthread_mutex_init(&mutex, &attributes));
                if (pthread_mutex_trylock(&mutex) != 0) { /* a ceiling wants a priority */
                    POSIX(way->lock(&mutex));
                    continue;
                }
                pthread_mutex_unlock(&mutex);
                waits_for_itself = types[type].type == PTHREAD_MUTEX_NORMAL ||
                                   types[type].type == PTHREAD_MUTEX_ADAPTIVE_NP;
                lock_every_way(robust, !waits_for_itself || robust);
            }
    rows_alone(rows, false);
}

/* --- static ones ----------------------------------------------------------------------------- */

static const pthread_mutex_t initial[] = {
    PTHREAD_MUTEX_INITIALIZER,
    PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP,
    PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP,
    PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP,
};
_Static_assert(sizeof initial == LENGTH(types) * sizeof mutex, "one of each type");

/* As a program has it that never calls pthread_mutex_init. */
static void initialize_statically(size_t type)
{
    memcpy(&mutex, &initial[type], sizeof mutex);
}

static void static_mutexes(struct rows *rows, const struct way *by)
{
    for (size_t i = 0; i < LENGTH(types); i++)
        if (row_begins(rows, by->function, "static, %s", types[i].name)) {
            way = by;
            initialize_statically(i);
            waits_for_itself =
                types[i].type == PTHREAD_MUTEX_NORMAL || types[i].type == PTHREAD_MUTEX_ADAPTIVE_NP;
            lock_every_way(false, !waits_for_itself);
        }
}

static void c11_mutexes(struct rows *rows)
{
    static const int kinds[] = {mtx_plain, mtx_timed, mtx_plain | mtx_recursive,
                                mtx_timed | mtx_recursive};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        mtx_t m;
        struct timespec until;
        ROW(mtx_lock, "type %d", kinds[i])
        {
            LIBC(mtx_init(&m, kinds[i]));
            LIBC(mtx_lock(&m));
            if (kinds[i] & mtx_recursive)
                LIBC(mtx_lock(&m));
            LIBC(mtx_trylock(&m));
            LIBC(mtx_unlock(&m));
        }
        ROW(mtx_timedlock, "type %d", kinds[i])
        {
            until = now(CLOCK_REALTIME);
            LIBC(mtx_init(&m, kinds[i]));
            LIBC(mtx_timedlock(&m, &until));
            LIBC(mtx_timedlock(&m, &until));
            LIBC(mtx_unlock(&m));
        }
    }
}

/* --- times that are none --------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct timespec time;
} times[] = {{"long past", {1, 0}}, {"before the epoch", {-1, 0}},
             {"-1 ns", {1, -1}},    {"1e9 ns", {1, 1000000000}},
             {"no time", {0, 0}},   {"-1 ns, to come", {1L << 40, -1}}};
static const struct {
    const char *name;
    clockid_t clock;
} clocks[] = {{"realtime", CLOCK_REALTIME},
              {"monotonic", CLOCK_MONOTONIC},
              {"of the processor", CLOCK_PROCESS_CPUTIME_ID},
              {"-1", -1},
              {"99", 99}};

/* Each is called where it would wait, and where it would not. */
#define TIMED(function, make_held, make_free, ...)                                                 \
    for (int is_held = 0; is_held < 2; is_held++)                                                  \
        for (size_t i = 0; i < LENGTH(times); i++)                                                 \
            ROW(function, "%s, %s", is_held ? "held" : "free", times[i].name)                      \
            {                                                                                      \
                struct timespec t = times[i].time;                                                 \
                if (is_held)                                                                       \
                    make_held;                                                                     \
                else                                                                               \
                    make_free;                                                                     \
                __VA_ARGS__;                                                                       \
            }
#define CLOCKED(function, make_held, make_free, ...)                                               \
    for (size_t k = 0; k < LENGTH(clocks); k++)                                                    \
        for (int is_held = 0; is_held < 2; is_held++)                                              \
            ROW(function, "%s, clock %s", is_held ? "held" : "free", clocks[k].name)               \
            {                                                                                      \
                struct timespec t = {1, 0};                                                        \
                (void)t;                                                                           \
                clockid_t clock = clocks[k].clock;                                                 \
                if (is_held)                                                                       \
                    make_held;                                                                     \
                else                                                                               \
                    make_free;                                                                     \
                __VA_ARGS__;                                                                       \
            }

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;

static void *end(void *arg)
{
    return arg;
}

static void *hold_rwlock(void *arg)
{
    CHECK(pthread_rwlock_wrlock(&rwlock) == 0);
    return arg;
}

static void timed_waits(struct rows *rows)
{
    struct timespec soon = in_an_hour(CLOCK_REALTIME);
    initialize_statically(0);
    sem_init(&semaphore, 0, 0);
    TIMED(pthread_mutex_timedlock, pthread_mutex_lock(&mutex), (void)0,
          POSIX(pthread_mutex_timedlock(&mutex, &t)))
    TIMED(pthread_mutex_clocklock, pthread_mutex_lock(&mutex), (void)0,
          POSIX(pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &t)))
    TIMED(pthread_rwlock_timedrdlock, join_thread(start_thread(hold_rwlock, NULL)), (void)0,
          POSIX(pthread_rwlock_timedrdlock(&rwlock, &t)))
    TIMED(pthread_rwlock_timedwrlock, join_thread(start_thread(hold_rwlock, NULL)), (void)0,
          POSIX(pthread_rwlock_timedwrlock(&rwlock, &t)))
    TIMED(sem_timedwait, (void)0, sem_post(&semaphore), LIBC(sem_timedwait(&semaphore, &t)))
    TIMED(pthread_cond_timedwait, pthread_mutex_lock(&mutex), (void)0,
          POSIX(pthread_cond_timedwait(&cond, &mutex, &t)))
    CLOCKED(pthread_mutex_clocklock, pthread_mutex_lock(&mutex), (void)0,
            POSIX(pthread_mutex_clocklock(&mutex, clock, &t)))
    CLOCKED(pthread_rwlock_clockrdlock, join_thread(start_thread(hold_rwlock, NULL)), (void)0,
            POSIX(pthread_rwlock_clockrdlock(&rwlock, clock, &t)))
    CLOCKED(pthread_rwlock_clockwrlock, join_thread(start_thread(hold_rwlock, NULL)), (void)0,
            POSIX(pthread_rwlock_clockwrlock(&rwlock, clock, &t)))
    CLOCKED(sem_clockwait, (void)0, sem_post(&semaphore),
            LIBC(sem_clockwait(&semaphore, clock, &t)))
    CLOCKED(pthread_cond_clockwait, pthread_mutex_lock(&mutex), (void)0,
            POSIX(pthread_cond_clockwait(&cond, &mutex, clock, &t)))
    CLOCKED(
        pthread_clockjoin_np, (void)0, (void)0,
        POSIX(pthread_clockjoin_np(start_thread(end, NULL), NULL, clock, is_held ? NULL : &soon)))
    for (size_t k = 0; k < LENGTH(clocks); k++)
        ROW(clock_nanosleep, "clock %s", clocks[k].name)
        {
            if (clocks[k].clock != CLOCK_PROCESS_CPUTIME_ID) /* nobody would let that pass */
                POSIX(clock_nanosleep(clocks[k].clock, 0, &(struct timespec){0, 1000}, NULL));
            POSIX(clock_nanosleep(clocks[k].clock, 0, &(struct timespec){0, -1}, NULL));
            POSIX(clock_nanosleep(clocks[k].clock, 5, &(struct timespec){0, 1000000000}, NULL));
        }
}

static void other_rules(struct rows *rows)
{
    ROW(pthread_rwlock_rdlock, "many readers")
    {
        for (int i = 0; i < 100; i++)
            CHECK(pthread_rwlock_rdlock(&rwlock) == 0);
        say("%u readers", rwlock.__data.__readers >> 3);
    }
    ROW(pthread_rwlock_rdlock, "by the writer")
    {
        POSIX(pthread_rwlock_wrlock(&rwlock));
        POSIX(pthread_rwlock_rdlock(&rwlock));
        POSIX(pthread_rwlock_wrlock(&rwlock));
    }
    ROW(pthread_cond_wait, "with a mutex that another one holds")
    {
        initialize_statically(2);
        POSIX(pthread_cond_wait(&cond, &mutex));
    }
    ROW(pthread_barrier_wait, "again and again")
    {
        pthread_barrier_t barrier;
        CHECK(pthread_barrier_init(&barrier, NULL, 1) == 0);
        for (int i = 0; i < 100; i++)
            CHECK(pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD);
        POSIX(pthread_barrier_destroy(&barrier));
    }
    ROW(sem_wait, "to the last")
    {
        CHECK(sem_init(&semaphore, 0, 100) == 0);
        for (int i = 0; i < 100; i++)
            CHECK(sem_wait(&semaphore) == 0);
        LIBC(sem_trywait(&semaphore));
    }
}

void renew_locks(void)
{
    initialize_statically(0);
    rwlock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    cond = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    atomic_store(&waiter, 0);
}

void family_locks(struct rows *rows)
{
    for (size_t i = 0; i < LENGTH(ways); i++) {
        for (size_t type = 0; type < LENGTH(types); type++)
            for (size_t protocol = 0; protocol < LENGTH(protocols); protocol++)
                mutexes_of(rows, &ways[i], type, protocol);
        static_mutexes(rows, &ways[i]);
    }
    c11_mutexes(rows);
    timed_waits(rows);
    other_rules(rows);
}
