/* Waits in every way that a clock has a say in, by each clock, and in ways without a deadline, each
 * in a thread of its own, until SIGTERM; then says what has come of each. For tests/clocks.sh: the
 * machine's clock is set meanwhile, or the machine sleeps. */
#include "tests/e2e/check.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

enum { LONG_S = 3600, STILL_THERE = -1 };

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER, free_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static sem_t empty;
static int silent[2]; /* a pipe */
static int set;       /* of one semaphore of System V, at 0 */
static atomic_uint ticks;

static struct timespec in_long(clockid_t clock)
{
    struct timespec when;
    CHECK(clock_gettime(clock, &when) == 0);
    when.tv_sec += LONG_S;
    return when;
}

static int error_of(int result)
{
    return result < 0 ? errno : 0;
}

static int wait_cond(const struct timespec *until, clockid_t clock)
{
    pthread_mutex_lock(&free_lock);
    int error = until ? pthread_cond_clockwait(&never, &free_lock, clock, until)
                      : pthread_cond_wait(&never, &free_lock);
    pthread_mutex_unlock(&free_lock);
    return error;
}

static int wait_epoll(int timeout_ms)
{
    struct epoll_event event = {.events = EPOLLIN};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, silent[0], &event) == 0);
    return error_of(epoll_wait(epoll, &event, 1, timeout_ms));
}

static int wait_semaphores(const struct timespec *for_long)
{
    struct sembuf down = {.sem_op = -1};
    return error_of(semtimedop(set, &down, 1, for_long));
}

static const struct timespec for_long = {.tv_sec = LONG_S};

#define UNTIL(clock) (&(struct timespec[1]){in_long(clock)}[0])
#define REAL UNTIL(CLOCK_REALTIME)
#define MONO UNTIL(CLOCK_MONOTONIC)

/* WAIT(name, what it does): returns an errno value, or 0. */
#define WAITS                                                                                      \
    WAIT(cond, wait_cond(NULL, 0))                                                                 \
    WAIT(cond_real, wait_cond(REAL, CLOCK_REALTIME))                                               \
    WAIT(cond_mono, wait_cond(MONO, CLOCK_MONOTONIC))                                              \
    WAIT(mutex, pthread_mutex_lock(&held))                                                         \
    WAIT(mutex_real, pthread_mutex_timedlock(&held, REAL))                                         \
    WAIT(mutex_mono, pthread_mutex_clocklock(&held, CLOCK_MONOTONIC, MONO))                        \
    WAIT(sem, error_of(sem_wait(&empty)))                                                          \
    WAIT(sem_real, error_of(sem_timedwait(&empty, REAL)))                                          \
    WAIT(sem_mono, error_of(sem_clockwait(&empty, CLOCK_MONOTONIC, MONO)))                         \
    WAIT(sleep, error_of(nanosleep(&for_long, NULL)))                                              \
    WAIT(sleep_real, clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, REAL, NULL))                   \
    WAIT(sleep_mono, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, MONO, NULL))                  \
    WAIT(read, error_of((int)read(silent[0], (char[1]){0}, 1)))                                    \
    WAIT(poll, error_of(poll(&(struct pollfd){.fd = silent[0], .events = POLLIN}, 1, -1)))         \
    WAIT(poll_time, error_of(poll(NULL, 0, LONG_S * 1000)))                                        \
    WAIT(select_time, error_of(select(0, NULL, NULL, NULL, &(struct timeval){LONG_S, 0})))         \
    WAIT(epoll, wait_epoll(-1))                                                                    \
    WAIT(epoll_time, wait_epoll(LONG_S * 1000))                                                    \
    WAIT(semop, wait_semaphores(NULL))                                                             \
    WAIT(semop_time, wait_semaphores(&for_long))

#define WAIT(name, action)                                                                         \
    static int row_##name(void)                                                                    \
    {                                                                                              \
        return action;                                                                             \
    }
WAITS
#undef WAIT

static struct row {
    const char *name;
    int (*wait)(void);
    atomic_int result;
} rows[] = {
#define WAIT(name, action) {#name, row_##name, STILL_THERE},
    WAITS
#undef WAIT
};

static void *run_row(void *arg)
{
    struct row *row = arg;
    pthread_setname_np(pthread_self(), row->name);
    atomic_store(&row->result, row->wait());
    pause(); /* its thread is not what is looked at */
    return NULL;
}

static void *run_ticker(void *arg)
{
    const struct timespec tick = {.tv_nsec = 20000000};
    for (;; atomic_fetch_add(&ticks, 1))
        CHECK(nanosleep(&tick, NULL) == 0);
    return arg;
}

static void start_thread(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, arg) == 0);
    CHECK(pthread_detach(thread) == 0);
}

int main(void)
{
    sigset_t end;
    int got;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    CHECK(pthread_sigmask(SIG_BLOCK, &end, NULL) == 0);
    CHECK(pipe(silent) == 0 && sem_init(&empty, 0, 0) == 0);
    CHECK(pthread_mutex_lock(&held) == 0);
    CHECK((set = semget(IPC_PRIVATE, 1, 0600)) >= 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        start_thread(run_row, &rows[i]);
    start_thread(run_ticker, NULL);
    puts("ready");
    fflush(stdout);

    CHECK(sigwait(&end, &got) == 0);
    unsigned before = atomic_load(&ticks);
    while (atomic_load(&ticks) < before + 3)
        usleep(1000);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int result = atomic_load(&rows[i].result);
        if (result == STILL_THERE)
            printf("%s: still there\n", rows[i].name);
        else
            printf("%s: %s\n", rows[i].name, result ? strerrorname_np(result) : "0");
    }
    CHECK(semctl(set, 0, IPC_RMID) == 0);
    return 3;
}
