/* What can happen to a parked call: it is woken, interrupted with and without SA_RESTART,
 * cancelled, interrupted by a handler that parks or leaves by a jump, forked under. */
#include "tests/conformance/parkers.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const struct parker *parker_at(size_t n)
{
    if (n < parkers_lock_count)
        return &parkers_lock[n];
    n -= parkers_lock_count;
    if (n < parkers_io_count)
        return &parkers_io[n];
    n -= parkers_io_count;
    return n < parkers_other_count ? &parkers_other[n] : NULL;
}

bool parkers_are_inside_fork;

pid_t parkers_fork(void)
{
    return parkers_are_inside_fork ? _Fork() : fork();
}

void parkers_renew(void)
{
    parkers_lock_renew();
    parkers_other_renew();
}

/* One of each kind of wrapper, and of each kind of wait. */
bool parker_is_usual(const struct parker *one)
{
    static const char *const usual[] = {
        "pthread_mutex_lock",
        "pthread_rwlock_wrlock",
        "pthread_cond_wait",
        "pthread_barrier_wait",
        "sem_wait",
        "pthread_join",
        "pthread_once",
        "thrd_join",
        "mtx_timedlock",
        "cnd_wait",
        "syscall",
        "read",
        "write",
        "accept",
        "recvmsg",
        "ppoll",
        "select",
        "epoll_wait",
        "mq_receive",
        "flock",
        "fcntl",
        "msgrcv",
        "semop",
        "waitpid",
        "wait",
        "sigtimedwait",
        "sigsuspend",
        "pause",
        "nanosleep",
        "clock_nanosleep",
    };
    bool found = getenv("LEAKSPY_CONFORMANCE") != NULL;
    for (size_t i = 0; i < LENGTH(usual) && !found; i++)
        found = strcmp(one->function, usual[i]) == 0;
    return found;
}

/* --- the thread that parks ------------------------------------------------------------------- */

static const struct parker *parker;
static atomic_int tid; /* once it is about to call */
static atomic_int handled, ended;
static bool uncancelable, jumps;
static sigjmp_buf before_call;

static void clean_up(void *arg)
{
    (void)arg;
    say("cleaned up");
    if (parker->left != NULL)
        parker->left();
    atomic_store(&ended, 1);
}

static void *park(void *arg)
{
    if (uncancelable)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cleanup_push(clean_up, NULL);
    if (jumps && sigsetjmp(before_call, 1) != 0) {
        say("jumped");
    } else {
        atomic_store(&tid, gettid());
        parker->call(false);
        say("back");
        atomic_store(&ended, 1);
    }
    pthread_cleanup_pop(0);
    if (uncancelable)
        pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    pthread_testcancel();
    return arg;
}

static pthread_t start_parked(void)
{
    parker->prepare(false);
    pthread_t thread = start_thread(park, NULL);
    while (atomic_load(&tid) == 0)
        sleep_ms(1);
    await_blocked(atomic_load(&tid), NULL);
    return thread;
}

static void say_end(pthread_t thread)
{
    say(join_thread(thread) == PTHREAD_CANCELED ? "cancelled" : "returned");
}

/* --- signals --------------------------------------------------------------------------------- */

static void handle(int signal)
{
    (void)signal;
    atomic_fetch_add(&handled, 1);
}

static void handle_and_park(int signal)
{
    (void)signal;
    nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    poll(NULL, 0, 1);
    atomic_fetch_add(&handled, 1);
}

static void handle_and_jump(int signal)
{
    atomic_fetch_add(&handled, 1);
    (void)signal;
    siglongjmp(before_call, 1);
}

static void set_handler(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

/* Signals end waits for signals, pause and sleeps; the others may go on: they are released. */
static void interrupt(void (*handler)(int), int flags)
{
    set_handler(handler, flags);
    pthread_t thread = start_parked();
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
    while (atomic_load(&handled) == 0)
        sleep_ms(1);
    if (parker->release != NULL && !jumps) {
        await_blocked(atomic_load(&tid), &ended);
        parker->release();
    }
    say_end(thread);
}

/* --- scenarios ------------------------------------------------------------------------------- */

static void open_at_once(void)
{
    parker->prepare(true);
    parker->call(true);
}

static void woken(void)
{
    pthread_t thread = start_parked();
    parker->release();
    say_end(thread);
}

static void interrupted(void)
{
    interrupt(handle, 0);
}

static void interrupted_to_restart(void)
{
    interrupt(handle, SA_RESTART);
}

static void interrupted_by_a_handler_that_parks(void)
{
    interrupt(handle_and_park, SA_RESTART);
}

/* After the jump the thread parks anew, somewhere else. */
static void left_by_a_jump(void)
{
    jumps = true;
    interrupt(handle_and_jump, 0);
    say("slept %d", nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL));
}

/* A call that is no cancellation point goes on, and the thread ends behind it. */
static void cancelled(void)
{
    pthread_t thread = start_parked();
    CHECK(pthread_cancel(thread) == 0);
    await_blocked(atomic_load(&tid), &ended);
    if (parker->release != NULL)
        parker->release();
    say_end(thread);
}

static void cancelled_while_disabled(void)
{
    uncancelable = true;
    pthread_t thread = start_parked();
    CHECK(pthread_cancel(thread) == 0);
    set_handler(handle, 0);
    if (parker->release != NULL)
        parker->release();
    else
        CHECK(pthread_kill(thread, SIGUSR1) == 0);
    say_end(thread);
}

static void *cancel_itself_and_call(void *arg)
{
    pthread_cleanup_push(clean_up, NULL);
    pthread_cancel(pthread_self());
    parker->call(true);
    say("back");
    pthread_cleanup_pop(0);
    pthread_testcancel();
    return arg;
}

static void cancelled_before(void)
{
    parker->prepare(true);
    say_end(start_thread(cancel_itself_and_call, NULL));
}

/* The child of a process in which the call is parked; what it calls is its copy. */
static void forked_meanwhile(void)
{
    pthread_t thread = start_parked();
    int go_on[2];
    char byte;
    CHECK(pipe(go_on) == 0);
    pid_t child = fork();
    if (child == 0) {
        /* fork blocks signals; a SIGCHLD meanwhile would go to the thread that is parked. */
        close(go_on[1]);
        CHECK(read(go_on[0], &byte, 1) == 0);
        say("child slept %d", nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL));
        say("child polled %d", poll(NULL, 0, 0));
        _exit(6);
    }
    close(go_on[1]);
    int status;
    while (waitpid(child, &status, 0) != child)
        ;
    say("child ended %d", WEXITSTATUS(status));
    if (parker->release != NULL)
        parker->release();
    else
        CHECK(pthread_cancel(thread) == 0);
    say_end(thread);
}

static const struct scenario {
    const char *name;
    void (*run)(void);
    bool with_all; /* parkers, and not only with the usual ones */
} scenarios[] = {
    {"open", open_at_once, true},
    {"woken", woken, true},
    {"interrupted", interrupted, true},
    {"cancelled", cancelled, true},
    {"interrupted, SA_RESTART", interrupted_to_restart, false},
    {"interrupted by a handler that parks", interrupted_by_a_handler_that_parks, false},
    {"cancelled while disabled", cancelled_while_disabled, false},
    {"cancelled before", cancelled_before, false},
    {"forked meanwhile", forked_meanwhile, false},
    {"left by a jump", left_by_a_jump, false},
};

/* Only signals end what nothing releases; a child would be taken by who takes all. */
static bool makes_sense(const struct scenario *scenario, const struct parker *one)
{
    return !(scenario->run == woken && one->release == NULL) &&
           !(scenario->run == forked_meanwhile && one->flags & REAPS);
}

void renew_calls(void)
{
    parkers_renew();
    atomic_store(&tid, 0);
    atomic_store(&handled, 0);
    atomic_store(&ended, 0);
    uncancelable = false;
}

void family_calls(struct rows *rows)
{
    const struct parker *one;
    for (size_t j = 0; j < LENGTH(scenarios); j++)
        for (size_t i = 0; (one = parker_at(i)) != NULL; i++) {
            if (!makes_sense(&scenarios[j], one) ||
                !(scenarios[j].with_all || parker_is_usual(one)))
                continue;
            rows_alone(rows, scenarios[j].run == left_by_a_jump); /* out of a lock, too */
            if (row_begins(rows, one->function, "%s%s%s", one->how, one->how[0] ? ", " : "",
                           scenarios[j].name)) {
                parker = one;
                scenarios[j].run();
                parkers_finish();
            }
        }
}
