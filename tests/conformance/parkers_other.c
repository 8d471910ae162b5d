/* Calls that park for other processes, for signals, for time. */
#include "tests/conformance/parkers.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

/* --- file locks ------------------------------------------------------------------------------ */

static int file, file_again;

/* Another process, which holds or waits until it is let go. */
static pid_t child;
static int let_go[2];

static void fork_child(bool (*first)(void))
{
    int begun[2];
    char byte = 'x';
    CHECK(pipe(let_go) == 0 && pipe(begun) == 0);
    child = parkers_fork();
    CHECK(child >= 0);
    if (child == 0) {
        close(let_go[1]);
        bool ok = first == NULL || first();
        if (!ok || write(begun[1], &byte, 1) != 1)
            _exit(72);
        while (read(let_go[0], &byte, 1) < 0)
            ;
        _exit(5);
    }
    close(let_go[0]);
    CHECK(read(begun[0], &byte, 1) == 1);
    close(begun[0]);
    close(begun[1]);
}

static void let_child_go(void)
{
    close(let_go[1]);
}

static void open_file(void)
{
    char path[64];
    file = memfd_create("locked", MFD_CLOEXEC);
    CHECK(file >= 0 && ftruncate(file, 100) == 0);
    snprintf(path, sizeof path, "/proc/thread-self/fd/%d", file); /* the first one may have ended */
    file_again = open(path, O_RDWR | O_CLOEXEC);
    CHECK(file_again >= 0);
}

static bool lock_all(void)
{
    return lockf(file, F_LOCK, 0) == 0;
}

static void prepare_record(bool open)
{
    open_file();
    if (!open)
        fork_child(lock_all);
}

static struct flock all_of_it = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static void prepare_ofd(bool open)
{
    open_file();
    if (!open)
        CHECK(fcntl(file_again, F_OFD_SETLK, &all_of_it) == 0);
}

static void prepare_flock(bool open)
{
    open_file();
    if (!open)
        CHECK(flock(file_again, LOCK_EX) == 0);
}

static void close_again(void)
{
    close(file_again);
}

#define LOCK_CALL(name, call)                                                                      \
    static void name(bool open)                                                                    \
    {                                                                                              \
        (void)open;                                                                                \
        LIBC(call);                                                                                \
    }
LOCK_CALL(do_flock, flock(file, LOCK_EX))
LOCK_CALL(do_lockf, lockf(file, F_LOCK, 10))
LOCK_CALL(do_lockf64, lockf64(file, F_LOCK, 10))
LOCK_CALL(do_fcntl, fcntl(file, F_SETLKW, &all_of_it))
LOCK_CALL(do_fcntl_ofd, fcntl(file, F_OFD_SETLKW, &all_of_it))

int fcntl64(int fd, int command, ...);
LOCK_CALL(do_fcntl64, fcntl64(file, F_SETLKW, &all_of_it))

/* --- System V -------------------------------------------------------------------------------- */

static int ipc_id = -1;
static bool ipc_is_set;
static struct message {
    long type;
    char text[8];
} message = {.type = 3, .text = "ab"};

static void remove_queue(void)
{
    msgctl(ipc_id, IPC_RMID, NULL);
}

static void send_message(void)
{
    CHECK(msgsnd(ipc_id, &message, sizeof message.text, 0) == 0);
}

static void prepare_queue(bool open)
{
    ipc_id = msgget(IPC_PRIVATE, 0600);
    CHECK(ipc_id >= 0);
    if (open)
        send_message();
}

static void prepare_full_queue(bool open)
{
    prepare_queue(false);
    while (!open && msgsnd(ipc_id, &message, sizeof message.text, IPC_NOWAIT) == 0)
        ;
}

static void receive_one(void)
{
    struct message received;
    CHECK(msgrcv(ipc_id, &received, sizeof received.text, 0, 0) >= 0);
}

static void do_msgrcv(bool open)
{
    struct message received = {0};
    (void)open;
    LIBC(msgrcv(ipc_id, &received, sizeof received.text, 3, 0));
    say("\"%s\"", received.text);
}

static void do_msgsnd(bool open)
{
    (void)open;
    LIBC(msgsnd(ipc_id, &message, sizeof message.text, 0));
}

static struct sembuf down = {.sem_op = -1}, up = {.sem_op = 1};

static void raise_set(void)
{
    CHECK(semop(ipc_id, &up, 1) == 0);
}

static void prepare_set(bool open)
{
    ipc_id = semget(IPC_PRIVATE, 1, 0600);
    ipc_is_set = true;
    CHECK(ipc_id >= 0);
    if (open)
        raise_set();
}

#define SET_CALL(name, call)                                                                       \
    static void name(bool open)                                                                    \
    {                                                                                              \
        (void)open;                                                                                \
        LIBC(call);                                                                                \
        say("value %d", semctl(ipc_id, 0, GETVAL));                                                \
    }
SET_CALL(do_semop, semop(ipc_id, &down, 1))
SET_CALL(do_semtimedop, semtimedop(ipc_id, &down, 1, (&(struct timespec){3600, 0})))
SET_CALL(do_semtimedop_for_ever, semtimedop(ipc_id, &down, 1, NULL))

/* --- children -------------------------------------------------------------------------------- */

static void prepare_child(bool open)
{
    fork_child(NULL);
    if (open)
        let_child_go();
}

#define WAIT_CALL(name, call)                                                                      \
    static void name(bool open)                                                                    \
    {                                                                                              \
        int status = 0;                                                                            \
        struct rusage usage;                                                                       \
        siginfo_t info = {0};                                                                      \
        (void)open, (void)usage, (void)info;                                                       \
        errno = 0;                                                                                 \
        long result = (call);                                                                      \
        say_result(result == child ? 1 : result, errno);                                           \
        say("status %d %d", WEXITSTATUS(status), info.si_status);                                  \
    }
WAIT_CALL(do_wait, wait(&status))
WAIT_CALL(do_old_wait, __wait(&status))
WAIT_CALL(do_waitpid, waitpid(child, &status, 0))
WAIT_CALL(do_old_waitpid, __waitpid(child, &status, 0))
WAIT_CALL(do_wait3, wait3(&status, 0, &usage))
WAIT_CALL(do_wait4, wait4(child, &status, 0, &usage))
WAIT_CALL(do_waitid, waitid(P_PID, (id_t)child, &info, WEXITED))

/* --- signals --------------------------------------------------------------------------------- */

static sigset_t signals;

/* SIGWINCH, which nobody else takes: a process that ignores it goes on. */
static void send_signal(void)
{
    CHECK(kill(getpid(), SIGWINCH) == 0);
}

static void prepare_signals(bool open)
{
    sigemptyset(&signals);
    sigaddset(&signals, SIGWINCH);
    CHECK(pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0);
    if (open) /* another thread may not block it */
        CHECK(raise(SIGWINCH) == 0);
}

static void do_sigwait(bool open)
{
    int signal = 0;
    (void)open;
    POSIX(sigwait(&signals, &signal));
    say("signal %s", signal == SIGWINCH ? "WINCH" : signal == 0 ? "none" : "other");
}

#define SIGNAL_CALL(name, call)                                                                    \
    static void name(bool open)                                                                    \
    {                                                                                              \
        siginfo_t info = {0};                                                                      \
        (void)open;                                                                                \
        errno = 0;                                                                                 \
        int result = (call);                                                                       \
        say_result(result == SIGWINCH ? 1 : result, errno);                                        \
        say("code %d", info.si_code);                                                              \
    }
SIGNAL_CALL(do_sigwaitinfo, sigwaitinfo(&signals, &info))
SIGNAL_CALL(do_sigtimedwait, sigtimedwait(&signals, &info, (&(struct timespec){3600, 0})))
SIGNAL_CALL(do_sigtimedwait_for_ever, sigtimedwait(&signals, &info, NULL))

static void nothing(int signal)
{
    (void)signal;
}

static void prepare_handled(bool open)
{
    CHECK(signal(SIGWINCH, nothing) != SIG_ERR);
    prepare_signals(open);
}

static void do_sigsuspend(bool open)
{
    sigset_t none;
    sigemptyset(&none);
    (void)open;
    LIBC(sigsuspend(&none));
}

static timer_t alarm_clock;

/* pause has no mask: an open one is ended by a signal that comes in a moment, and comes again. */
static void prepare_pause(bool open)
{
    CHECK(signal(SIGWINCH, nothing) != SIG_ERR);
    if (!open)
        return;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGWINCH};
    event._sigev_un._tid = gettid();
    struct itimerspec often = {{0, 5000000}, {0, 5000000}};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &alarm_clock) == 0);
    CHECK(timer_settime(alarm_clock, 0, &often, NULL) == 0);
}

static void do_pause(bool open)
{
    LIBC(pause());
    if (open)
        timer_delete(alarm_clock);
}

/* --- time ------------------------------------------------------------------------------------ */

static void prepare_sleep(bool open)
{
    (void)open;
}

#define SLEEP_CALL(name, call)                                                                     \
    static void name(bool open)                                                                    \
    {                                                                                              \
        struct timespec left = {0}, time = {open ? 0 : 3600, 1000000};                             \
        struct timespec until = in_an_hour(CLOCK_MONOTONIC);                                       \
        if (open)                                                                                  \
            until.tv_sec -= 3600;                                                                  \
        (void)time;                                                                                \
        LIBC(call);                                                                                \
        say_seconds(left);                                                                         \
    }
SLEEP_CALL(do_nanosleep, nanosleep(&time, &left))
SLEEP_CALL(do_nanosleep_alone, nanosleep(&time, NULL))
SLEEP_CALL(do_old_nanosleep, __nanosleep(&time, &left))
SLEEP_CALL(do_thrd_sleep, thrd_sleep(&time, &left))
SLEEP_CALL(do_clock_nanosleep, clock_nanosleep(CLOCK_MONOTONIC, 0, &time, &left))
SLEEP_CALL(do_clock_nanosleep_until, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, &left))
SLEEP_CALL(do_usleep, usleep(open ? 1000 : 3600U * 1000000))
SLEEP_CALL(do_sleep, sleep(open ? 0 : 3600) > 1800 ? 1 : 0)

void parkers_finish(void)
{
    if (ipc_id >= 0 && ipc_is_set)
        semctl(ipc_id, 0, IPC_RMID);
    else if (ipc_id >= 0)
        msgctl(ipc_id, IPC_RMID, NULL);
}

void parkers_other_renew(void)
{
    ipc_id = -1;
    ipc_is_set = false;
    sigemptyset(&signals);
    sigaddset(&signals, SIGWINCH);
    CHECK(signal(SIGWINCH, SIG_IGN) != SIG_ERR); /* drops one that nobody has taken */
    CHECK(signal(SIGWINCH, SIG_DFL) != SIG_ERR);
    CHECK(pthread_sigmask(SIG_UNBLOCK, &signals, NULL) == 0);
}

#define CALL(function, how, prepare, call, release)                                                \
    {                                                                                              \
#function, how, prepare, call, release, NULL, 0                                            \
    }
#define REAP(function, call)                                                                       \
    {                                                                                              \
#function, "", prepare_child, call, let_child_go, NULL, REAPS                              \
    }

const struct parker parkers_other[] = {
    CALL(flock, "", prepare_flock, do_flock, close_again),
    CALL(lockf, "", prepare_record, do_lockf, let_child_go),
    CALL(lockf64, "", prepare_record, do_lockf64, let_child_go),
    CALL(fcntl, "F_SETLKW", prepare_record, do_fcntl, let_child_go),
    CALL(fcntl, "F_OFD_SETLKW", prepare_ofd, do_fcntl_ofd, close_again),
    CALL(fcntl64, "F_SETLKW", prepare_record, do_fcntl64, let_child_go),
    CALL(msgrcv, "", prepare_queue, do_msgrcv, send_message),
    CALL(msgrcv, "of a queue that is removed", prepare_queue, do_msgrcv, remove_queue),
    CALL(msgsnd, "", prepare_full_queue, do_msgsnd, receive_one),
    CALL(semop, "", prepare_set, do_semop, raise_set),
    CALL(semtimedop, "", prepare_set, do_semtimedop, raise_set),
    CALL(semtimedop, "for ever", prepare_set, do_semtimedop_for_ever, raise_set),
    REAP(wait, do_wait),
    REAP(__wait, do_old_wait),
    {"waitpid", "", prepare_child, do_waitpid, let_child_go, NULL, 0},
    {"__waitpid", "", prepare_child, do_old_waitpid, let_child_go, NULL, 0},
    REAP(wait3, do_wait3),
    {"wait4", "", prepare_child, do_wait4, let_child_go, NULL, 0},
    {"waitid", "", prepare_child, do_waitid, let_child_go, NULL, 0},
    CALL(sigwait, "", prepare_signals, do_sigwait, send_signal),
    CALL(sigwaitinfo, "", prepare_signals, do_sigwaitinfo, send_signal),
    CALL(sigtimedwait, "", prepare_signals, do_sigtimedwait, send_signal),
    CALL(sigtimedwait, "for ever", prepare_signals, do_sigtimedwait_for_ever, send_signal),
    CALL(sigsuspend, "", prepare_handled, do_sigsuspend, send_signal),
    CALL(pause, "", prepare_pause, do_pause, NULL),
    CALL(nanosleep, "", prepare_sleep, do_nanosleep, NULL),
    CALL(nanosleep, "not told the rest", prepare_sleep, do_nanosleep_alone, NULL),
    CALL(__nanosleep, "", prepare_sleep, do_old_nanosleep, NULL),
    CALL(thrd_sleep, "", prepare_sleep, do_thrd_sleep, NULL),
    CALL(clock_nanosleep, "", prepare_sleep, do_clock_nanosleep, NULL),
    CALL(clock_nanosleep, "TIMER_ABSTIME", prepare_sleep, do_clock_nanosleep_until, NULL),
    CALL(usleep, "", prepare_sleep, do_usleep, NULL),
    CALL(sleep, "", prepare_sleep, do_sleep, NULL),
};
const size_t parkers_other_count = LENGTH(parkers_other);
