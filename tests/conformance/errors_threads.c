/* Errors of threads that begin and end, of futexes, and of waits for time and signals. */
#include "tests/conformance/errors.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/conformance/c11.h"
#include "tests/e2e/aliases.h"

static const struct timespec long_past = {1, 0}, none = {0, -1};

/* --- threads --------------------------------------------------------------------------------- */

static atomic_int go_on;

static void *run_until_told(void *arg)
{
    while (!atomic_load(&go_on))
        sleep_ms(1);
    return arg;
}

static int c11_run_until_told(void *arg)
{
    return run_until_told(arg) != NULL;
}

static pthread_t running(void)
{
    atomic_store(&go_on, 0);
    return start_thread(run_until_told, NULL);
}

static void stop(pthread_t thread)
{
    atomic_store(&go_on, 1);
    join_thread(thread);
}

#define JOIN(name, call)                                                                           \
    static int name(pthread_t thread, const struct timespec *until)                                \
    {                                                                                              \
        (void)until;                                                                               \
        return call;                                                                               \
    }
JOIN(join, pthread_join(thread, NULL))
JOIN(timedjoin, pthread_timedjoin_np(thread, NULL, until))
JOIN(clockjoin, pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, until))
JOIN(detach, pthread_detach(thread))

static const struct {
    const char *function;
    int (*call)(pthread_t thread, const struct timespec *until);
} waiting_joins[] = {{"pthread_join", join},
                     {"pthread_timedjoin_np", timedjoin},
                     {"pthread_clockjoin_np", clockjoin}},
  timed_joins[] = {{"pthread_timedjoin_np", timedjoin}, {"pthread_clockjoin_np", clockjoin}},
  detaches[] = {{"pthread_detach", detach}};

static pthread_t detached(void)
{
    pthread_t thread = running();
    CHECK(pthread_detach(thread) == 0);
    return thread;
}

static void join_errors(struct rows *rows)
{
    struct timespec hour = in_an_hour(CLOCK_REALTIME);
    /* What is detached runs on: its handle is none once it has ended. */
    rows_alone(rows, true);
    EACH(waiting_joins, EINVAL, "of one that is detached",
         POSIX(waiting_joins[i].call(detached(), &hour)))
    EACH(detaches, EINVAL, "of one that is detached", POSIX(detaches[i].call(detached(), &hour)))
    FAILS(thrd_join, thrd_error, "of itself", C11(thrd_join(thrd_current(), NULL)))
    FAILS(thrd_detach, thrd_error, "of one that is detached", thrd_t thread;
          CHECK(thrd_create(&thread, c11_run_until_told, NULL) == thrd_success);
          CHECK(thrd_detach(thread) == thrd_success); C11(thrd_detach(thread)))
    rows_alone(rows, false);
    EACH(waiting_joins, EDEADLK, "of itself", POSIX(waiting_joins[i].call(pthread_self(), &hour)))
    EACH(timed_joins, ETIMEDOUT, "until long ago", pthread_t thread = running();
         POSIX(timed_joins[i].call(thread, &long_past)); stop(thread))
    FAILS(pthread_tryjoin_np, EBUSY, "of one that runs", pthread_t thread = running();
          POSIX(pthread_tryjoin_np(thread, NULL)); stop(thread))
    FAILS(pthread_clockjoin_np, EINVAL, "by a clock that is none", pthread_t thread = running();
          POSIX(pthread_clockjoin_np(thread, NULL, 99, &hour)); stop(thread))
}

static void *end(void *arg)
{
    return arg;
}

static int c11_end(void *arg)
{
    return arg != NULL;
}

/* No stack of this size is to be had. */
static void want_too_much(pthread_attr_t *attributes)
{
    CHECK(pthread_attr_init(attributes) == 0);
    CHECK(pthread_attr_setstacksize(attributes, (size_t)1 << 46) == 0);
}

static void create_errors(struct rows *rows)
{
    pthread_attr_t attributes;
    pthread_t thread;
    thrd_t c11;
    cpu_set_t processors;
    struct sched_param first = {.sched_priority = 1};
    FAILS(pthread_create, EAGAIN, "without memory", want_too_much(&attributes);
          POSIX(pthread_create(&thread, &attributes, end, NULL)))
    FAILS(pthread_create, EINVAL, "on a processor that is not there",
          CHECK(pthread_attr_init(&attributes) == 0);
          CPU_ZERO(&processors); CPU_SET(CPU_SETSIZE - 1, &processors);
          CHECK(pthread_attr_setaffinity_np(&attributes, sizeof processors, &processors) == 0);
          POSIX(pthread_create(&thread, &attributes, end, NULL)))
    rows_alone(rows, true);
    FAILS(pthread_create, EPERM, "in real time", limit_to(RLIMIT_RTPRIO, 0); become_nobody();
          CHECK(pthread_attr_init(&attributes) == 0);
          CHECK(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED) == 0);
          CHECK(pthread_attr_setschedpolicy(&attributes, SCHED_FIFO) == 0);
          CHECK(pthread_attr_setschedparam(&attributes, &first) == 0);
          POSIX(pthread_create(&thread, &attributes, end, NULL)))
    FAILS(pthread_create, EAGAIN, "more than may be", limit_to(RLIMIT_NPROC, 1); become_nobody();
          POSIX(pthread_create(&thread, NULL, end, NULL)))
    FAILS(thrd_create, thrd_error, "without memory", want_too_much(&attributes);
          CHECK(pthread_setattr_default_np(&attributes) == 0);
          C11(thrd_create(&c11, c11_end, NULL)))
    rows_alone(rows, false);
    FAILS(pthread_setname_np, ERANGE, "too long a name",
          POSIX(pthread_setname_np(pthread_self(), "sixteen characters")))
    FAILS(pthread_setname_np, EMFILE, "of another one, with no number left",
          pthread_t other = running();
          limit_to(RLIMIT_NOFILE, 3); POSIX(pthread_setname_np(other, "name")); stop(other))
}

/* --- futexes --------------------------------------------------------------------------------- */

static void futex_errors(struct rows *rows)
{
    static int word;
    static struct timespec soon = {0, 1000}, bad = {0, -1};
#define FUTEX(...) LIBC(syscall(SYS_futex, __VA_ARGS__))
    FAILS(syscall, EAGAIN, "a futex of another value", FUTEX(&word, FUTEX_WAIT, 7, NULL, NULL, 0))
    FAILS(syscall, EDEADLK, "a futex that is its own", word = gettid();
          FUTEX(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0); word = 0)
    FAILS(syscall, EFAULT, "a futex of nowhere", FUTEX(nowhere, FUTEX_WAIT, 0, NULL, NULL, 0))
    FAILS(syscall, EINTR, "a futex, when a signal comes",
          INTERRUPTED(FUTEX(&word, FUTEX_WAIT, 0, NULL, NULL, 0)))
    FAILS(syscall, EINVAL, "a futex, a time that is none",
          FUTEX(&word, FUTEX_WAIT, 0, &bad, NULL, 0))
    FAILS(syscall, ENOSYS, "a futex, no command", FUTEX(&word, 99, 0, NULL, NULL, 0))
    FAILS(syscall, ENOSYS, "no call", LIBC(syscall(100000)))
    FAILS(syscall, EPERM, "a futex that is not its own", word = 1;
          FUTEX(&word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0); word = 0)
    FAILS(syscall, ESRCH, "a futex of a thread that is none", word = 0x3ffffffe;
          FUTEX(&word, FUTEX_LOCK_PI, 0, NULL, NULL, 0); word = 0)
    FAILS(syscall, ETIMEDOUT, "a futex, in time", FUTEX(&word, FUTEX_WAIT, 0, &soon, NULL, 0))
}

/* --- time, signals --------------------------------------------------------------------------- */

static long do_nanosleep(const struct timespec *time)
{
    return nanosleep(time, NULL);
}

static long do_old_nanosleep(const struct timespec *time)
{
    return __nanosleep(time, NULL);
}

/* It returns what the others leave in errno. */
static long do_clock_nanosleep(const struct timespec *time)
{
    int error = clock_nanosleep(CLOCK_MONOTONIC, 0, time, NULL);
    if (error != 0)
        errno = error;
    return error == 0 ? 0 : -1;
}

static const struct {
    const char *function;
    long (*call)(const struct timespec *time);
} sleeps[] = {{"nanosleep", do_nanosleep},
              {"__nanosleep", do_old_nanosleep},
              {"clock_nanosleep", do_clock_nanosleep}};

static void sleep_errors(struct rows *rows)
{
    struct timespec hour = {3600, 0};
    EACH(sleeps, EFAULT, "until nowhere", LIBC(sleeps[i].call(nowhere)))
    EACH(sleeps, EINTR, "when a signal comes", INTERRUPTED(LIBC(sleeps[i].call(&hour))))
    EACH(sleeps, EINVAL, "a time that is none", LIBC(sleeps[i].call(&none)))
    FAILS(clock_nanosleep, EINVAL, "by a clock that is none",
          POSIX(clock_nanosleep(99, 0, &hour, NULL)))
    FAILS(clock_nanosleep, ENOTSUP, "by a clock that nobody can sleep by",
          int error = clock_nanosleep(CLOCK_MONOTONIC_COARSE, 0, &hour, NULL);
          say("%s", error == ENOTSUP ? "ENOTSUP" : "another error"))
    FAILS(usleep, EINTR, "when a signal comes", INTERRUPTED(LIBC(usleep(3600U * 1000000))))
    FAILS(sleep, rest, "when a signal comes",
          INTERRUPTED(say("%s", sleep(3600) > 1800 ? "rest" : "no rest")))
    FAILS(thrd_sleep, -1, "when a signal comes", INTERRUPTED(say("%d", thrd_sleep(&hour, NULL))))
    FAILS(thrd_sleep, negative, "a time that is none",
          say("%s", thrd_sleep(&none, NULL) < -1 ? "negative" : "another result"))
}

static void signal_errors(struct rows *rows)
{
    static sigset_t winch, all_but_usr1;
    struct timespec hour = {3600, 0};
    sigemptyset(&winch);
    sigaddset(&winch, SIGWINCH);
    sigfillset(&all_but_usr1);
    sigdelset(&all_but_usr1, SIGUSR1);
    FAILS(sigwaitinfo, EINTR, "when another signal comes",
          INTERRUPTED(LIBC(sigwaitinfo(&winch, NULL))))
    FAILS(sigtimedwait, EINTR, "when another signal comes",
          INTERRUPTED(LIBC(sigtimedwait(&winch, NULL, &hour))))
    FAILS(sigtimedwait, EAGAIN, "in no time",
          LIBC(sigtimedwait(&winch, NULL, &(struct timespec){0, 0})))
    FAILS(sigtimedwait, EINVAL, "a time that is none", LIBC(sigtimedwait(&winch, NULL, &none)))
    FAILS(sigsuspend, EFAULT, "of nowhere", LIBC(sigsuspend(nowhere)))
    FAILS(sigsuspend, EINTR, "when a signal comes", INTERRUPTED(LIBC(sigsuspend(&all_but_usr1))))
    FAILS(pause, EINTR, "when a signal comes", INTERRUPTED(LIBC(pause())))
}

void errors_of_threads(struct rows *rows)
{
    join_errors(rows);
    create_errors(rows);
    futex_errors(rows);
    sleep_errors(rows);
    signal_errors(rows);
}
