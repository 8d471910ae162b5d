#include "analyzer/run_signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/record_outside.h"

static struct {
    sigset_t watched; /* SIGCHLD, and what is passed on */
    sigset_t before;  /* the mask, for the command to start with */
    struct sigaction child_before;
} signals;

/* A signal that is to be passed on, unless this process was started to ignore it, as by nohup. */
static void watch_signal(int number)
{
    struct sigaction now;
    if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
        sigaddset(&signals.watched, number);
}

void run_signals_begin(void)
{
    static const int passed_on[] = {SIGTERM, SIGHUP,    SIGINT,  SIGQUIT,  SIGUSR1, SIGUSR2,
                                    SIGALRM, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO,   SIGPWR};
    const struct sigaction plain = {.sa_handler = SIG_DFL};
    sigemptyset(&signals.watched);
    sigaddset(&signals.watched, SIGCHLD);
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        watch_signal(passed_on[i]);
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        watch_signal(number);
    sigaction(SIGCHLD, &plain, &signals.child_before);
    sigprocmask(SIG_BLOCK, &signals.watched, &signals.before);
}

void run_signals_restore(void)
{
    sigaction(SIGCHLD, &signals.child_before, NULL);
    sigprocmask(SIG_SETMASK, &signals.before, NULL);
}

/* No signal has come that wants something done. */
static bool is_quiet(void)
{
    sigset_t pending;
    sigpending(&pending);
    for (int signal = 1; signal < NSIG; signal++)
        if (sigismember(&signals.watched, signal) == 1 && sigismember(&pending, signal) == 1)
            return false;
    return true;
}

/* Waits for one of the signals, and looks at the command meanwhile where that is to be done. */
static int next_signal(siginfo_t *ret)
{
    int64_t rest_ns;
    while ((rest_ns = record_outside_rest_ns()) >= 0) {
        const struct timespec rest = {.tv_sec = rest_ns / 1000000000,
                                      .tv_nsec = rest_ns % 1000000000};
        int signal = sigtimedwait(&signals.watched, ret, &rest);
        if (signal > 0 || errno != EAGAIN)
            return signal;
        record_outside_look(is_quiet);
    }
    return sigwaitinfo(&signals.watched, ret);
}

/* Whether the command has got a signal itself that this process has got: one of the terminal, which
 * sends it to the group in the foreground, unless the command has made a group of its own, as
 * timeout(1) does. What else the kernel sends is for one process: timers' signals, and a hangup,
 * for who leads the session. Of those that somebody sends, nobody knows to whom they went. */
static bool has_got(pid_t child, const siginfo_t *info)
{
    bool of_terminal =
        info->si_code == SI_KERNEL &&
        (info->si_signo == SIGINT || info->si_signo == SIGQUIT || info->si_signo == SIGWINCH);
    return of_terminal && getpgid(child) == getpgrp();
}

int run_signals_wait(pid_t child)
{
    int status = 0;
    for (;;) {
        pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child || (ended < 0 && errno != EINTR))
            return status;
        siginfo_t info;
        int signal = next_signal(&info);
        if (signal <= 0 || signal == SIGCHLD)
            continue;
        if (!has_got(child, &info))
            kill(child, signal);
    }
}
