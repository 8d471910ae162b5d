/* Wrappers whose meaning depends on more than a row of hooks.def can say. */
#include "preload/hooks.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "preload/credentials.h"
#include "preload/goscan/futex.h"
#include "preload/goscan/waited.h"
#include "preload/lifecycle.h"
#include "preload/memory.h"
#include "preload/sampler.h"
#include "preload/signals.h"
#include "preload/thread_count.h"

/* --- syscall --------------------------------------------------------------------------------- */

/* What a call parks in, if it does and that is recorded; else CALL_NONE. libgo waits for processes
 * in this way: they are recorded as the functions of the same name. */
struct raw_wait {
    uint16_t call, flags;
    uint64_t object;
};

static inline struct raw_wait wait_of(long number, long a, long b, long d)
{
    if (number == SYS_futex && futex_waits((uint32_t)b) && HOOK_RECORDS(FUTEX_WAIT))
        return (struct raw_wait){CALL_syscall, d != 0 ? REC_WAIT_DEADLINE : 0, (uint64_t)a};
    if (number == SYS_waitid && HOOK_RECORDS(PROCESS_WAIT))
        return (struct raw_wait){CALL_waitid, 0, (uint64_t)waited_process((idtype_t)a, (id_t)b)};
    if (number == SYS_wait4 && HOOK_RECORDS(PROCESS_WAIT))
        return (struct raw_wait){CALL_wait4, 0, (uint64_t)(pid_t)a};
    return (struct raw_wait){CALL_NONE, 0, 0};
}

/* A child that does not know yet that it is one must not run a handler: the handler's waits would
 * be told of the parent. Asked once: a filter may be set meanwhile. */
struct fork_signals {
    bool blocked;
    uint64_t before;
};

static struct fork_signals block_fork_signals(bool forks)
{
    bool blocked = forks && recorder.classes != 0 && !recorder_quiet;
    return (struct fork_signals){blocked, blocked ? signals_block() : 0};
}

static void restore_fork_signals(struct fork_signals signals)
{
    if (signals.blocked)
        signals_restore(signals.before);
}

/* By the flags of clone. What we keep of a thread is not to be found beside storage that the
 * program made. */
static bool forks_by(uint64_t flags)
{
    return !(flags & (CLONE_VM | CLONE_SETTLS));
}

/* A fork that libc does not see: nobody tells us, so that the child finds out here. */
static bool is_bare_fork(long number, long a)
{
#ifdef SYS_fork
    if (number == SYS_fork)
        return true;
#endif
    uint64_t flags; /* the first word of struct clone_args */
    if (number == SYS_clone3)
        return memory_read((uint64_t)a, &flags, sizeof(flags)) && forks_by(flags);
    return number == SYS_clone && forks_by((uint64_t)a);
}

/* Who has set recorder_quiet takes it back if its call fails, unless somebody else has tried to set
 * a filter meanwhile. */
enum { NOT_TRIED, TRIED_ONCE, TAKEN_BACK, TRIED_TWICE };
static uint32_t filters;

/* What a call that sets a filter has changed, and takes back if it fails. */
struct filter_change {
    bool quiet;
    bool stopped; /* the sampler */
};

/* True: nobody has before. Without a system call, which a filter that is there may forbid: where it
 * is just being taken back, that takes a moment only. */
static bool try_filter(void)
{
    uint32_t was = __atomic_load_n(&filters, __ATOMIC_ACQUIRE), now;
    do {
        if (was == TAKEN_BACK)
            was = NOT_TRIED;
        now = was == NOT_TRIED ? TRIED_ONCE : TRIED_TWICE;
    } while (!__atomic_compare_exchange_n(&filters, &was, now, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return now == TRIED_ONCE;
}

/* Before a filter of system calls is set. One for all threads also holds for the sampler. Also
 * where there is no recording yet: none is begun under it. */
static struct filter_change before_filter(bool all_threads)
{
    struct filter_change change = {.quiet = try_filter()};
    if (all_threads)
        change.stopped = sampler_stop();
    else if (recorder.header != NULL && !recorder_quiet)
        sampler_settle();
    __atomic_store_n(&recorder_quiet, true, __ATOMIC_RELEASE);
    return change;
}

/* Of a call that was the first. Without signals, whose handlers might try it as well, and would
 * wait for us. */
static void after_failed_filter(struct filter_change change)
{
    uint32_t was = TRIED_ONCE;
    uint64_t before = signals_block();
    bool taken_back = __atomic_compare_exchange_n(&filters, &was, TAKEN_BACK, false,
                                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    if (taken_back) {
        __atomic_store_n(&recorder_quiet, false, __ATOMIC_RELEASE);
        __atomic_store_n(&filters, NOT_TRIED, __ATOMIC_RELEASE);
    }
    signals_restore(before);
    if (taken_back && change.stopped)
        sampler_go_on();
    else if (taken_back && recorder.header != NULL)
        sampler_ensure(); /* somebody may have stopped it, who did not start it again meanwhile */
}

/* With TSYNC, seccomp(2) returns the thread that could not have the filter, if there is one. */
static bool was_refused(long number, long flags, long result)
{
    return result < 0 ||
           (result > 0 && number == SYS_seccomp && (flags & SECCOMP_FILTER_FLAG_TSYNC) &&
            !(flags & SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

/* The arguments of the call: seccomp(2), PR_SET_SECCOMP of prctl(2). Without a program nothing is
 * set: so do programs ask what the kernel can do. */
static struct filter_change watch_filter(long number, long a, long b, long program)
{
    if (number == SYS_seccomp &&
        (a == SECCOMP_SET_MODE_STRICT || (a == SECCOMP_SET_MODE_FILTER && program != 0)))
        return before_filter(b & SECCOMP_FILTER_FLAG_TSYNC);
    if (number == SYS_prctl && a == PR_SET_SECCOMP && (b == SECCOMP_MODE_STRICT || program != 0))
        return before_filter(false);
    /* A thread's calls from elsewhere than a range of code come back to it as signals. */
    if (number == SYS_prctl && a == PR_SET_SYSCALL_USER_DISPATCH && b != 0)
        return before_filter(false);
    return (struct filter_change){.quiet = false};
}

/* Credentials belong to a thread, and ours is not among those that libc sets them for. Before a
 * call that changes them. */
static enum sampler_change before_change(long number, long a, long c)
{
    switch (number) {
    case SYS_setuid:
    case SYS_capset:
    case SYS_unshare:
    case SYS_setns:
        return sampler_before_change(false);
    case SYS_setreuid:
        return sampler_before_change(credentials_have_way_back((uid_t)a, CREDENTIALS_UNKNOWN));
    case SYS_setresuid:
        return sampler_before_change(credentials_have_way_back((uid_t)a, (uid_t)c));
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid:
    case SYS_setgroups:
        return sampler_before_change(credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT));
    default:
        return SAMPLER_UNTOUCHED;
    }
}

/* A call that has told the program how many threads it has, so that it has to be made again. Or it
 * has opened a file that will. */
static bool has_counted(long number, long a, long b, long result)
{
    const char *path = (const char *)b;
    bool asks = number == SYS_newfstatat || number == SYS_statx;
    if (!(asks || number == SYS_openat) || result < 0 || !thread_count_may_be_told(path))
        return false;
    if (asks)
        return thread_count_asked((int)a, path);
    thread_count_opened((int)result, path);
    return false;
}

/* Which numbers come here is in hook_syscall.c. */
long hooks_handle_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    struct raw_wait wait = wait_of(number, a, b, d);
    if (wait.call != CALL_NONE) {
        struct wait published;
        wait_begin(&published, recorder_self(), wait.call, wait.flags, wait.object, 0);
        long result = hooks_real.syscall(number, a, b, c, d, e, f);
        wait_end(&published);
        return result;
    }
    if (number == SYS_exit)
        sampler_watch_end((int)a);
    if (number == SYS_exit_group)
        recorder_close(REC_STATE_EXITED, (int)a & 0xff);
    struct filter_change filter = watch_filter(number, a, b, c);
    enum sampler_change change = SAMPLER_UNTOUCHED;
    if (recorder.header != NULL && !recorder_quiet)
        change = before_change(number, a, c);
    /* Its arguments may not be looked into yet. */
    bool unseen_clone3 = number == SYS_clone3 && (recorder_quiet || recorder.classes == 0);
    bool forks = !unseen_clone3 && unlikely(is_bare_fork(number, a));
    struct fork_signals signals = block_fork_signals(forks);
    long result = hooks_real.syscall(number, a, b, c, d, e, f);
    if (unlikely(filter.quiet) && was_refused(number, b, result))
        after_failed_filter(filter);
    sampler_after_change(change);
    if (unlikely(has_counted(number, a, b, result)))
        result = hooks_real.syscall(number, a, b, c, d, e, f);
    /* The kernel has read its arguments by now, and so can we. */
    bool forked_unseen = unseen_clone3 && result == 0 && forks_by(*(const uint64_t *)a);
    if (forked_unseen || (forks && result == 0))
        lifecycle_forked();
    restore_fork_signals(signals);
    return result;
}

int hook_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    struct filter_change filter = watch_filter(SYS_prctl, option, (long)a, (long)b);
    int result = hooks_real.prctl(option, a, b, c, d);
    if (unlikely(filter.quiet) && result < 0)
        after_failed_filter(filter);
    if (option == PR_SET_NAME && result == 0 && recorder.classes != 0)
        recorder_rename(recorder_self(), (const char *)a);
    return result;
}

/* clone() of libc: with memory of its own, the new one is a fork child. */
struct cloned {
    int (*fn)(void *);
    void *arg;
    struct fork_signals signals;
};

static int clone_main(void *arg)
{
    struct cloned *cloned = arg; /* in the child's copy of our frame */
    lifecycle_forked();
    restore_fork_signals(cloned->signals);
    int status = cloned->fn(cloned->arg);
    sampler_watch_end(status);
    return status;
}

int hook_clone(int (*fn)(void *), void *stack, int flags, void *arg, void *parent_tid, void *tls,
               void *child_tid)
{
    if (!forks_by((uint64_t)flags) || fn == NULL || stack == NULL)
        return hooks_real.clone(fn, stack, flags, arg, parent_tid, tls, child_tid);
    struct cloned cloned = {fn, arg, block_fork_signals(true)};
    int pid = hooks_real.clone(clone_main, stack, flags, &cloned, parent_tid, tls, child_tid);
    restore_fork_signals(cloned.signals);
    return pid;
}

/* --- message queues -------------------------------------------------------------------------- */

int hook_mq_notify(mqd_t fd, const struct sigevent *event)
{
    if (event != NULL && recorder.classes != 0 && !recorder_quiet) {
        recorder_self(); /* the process may have no recording yet */
        sampler_start_last();
    }
    return hooks_real.mq_notify(fd, event);
}

/* --- fcntl ----------------------------------------------------------------------------------- */

#define FCNTL(name)                                                                                \
    if ((command != F_SETLKW && command != F_OFD_SETLKW) || !HOOK_RECORDS(FILE_LOCK))              \
        return hooks_real.name(fd, command, arg);                                                  \
    struct wait published;                                                                         \
    wait_begin(&published, recorder_self(), CALL_##name, 0, (uint64_t)fd, 0);                      \
    int result = hooks_real.name(fd, command, arg);                                                \
    wait_end(&published);                                                                          \
    return result;

int hook_fcntl(int fd, int command, long arg)
{
    FCNTL(fcntl)
}

int hook_fcntl64(int fd, int command, long arg)
{
    FCNTL(fcntl64)
}

/* --- once ------------------------------------------------------------------------------------ */

/* Who calls the routine does not wait: its wait ends where the routine begins. */
static void run_once(void)
{
    void (*routine)(void) = recorder_thread.once;
    wait_end(recorder_thread.once_wait);
    routine();
}

#define ONCE(name, control, call)                                                                  \
    struct recorder_thread *self = &recorder_thread;                                               \
    void (*outer)(void) = self->once;                                                              \
    struct wait *outer_wait = self->once_wait;                                                     \
    struct wait published;                                                                         \
    self->once = routine;                                                                          \
    self->once_wait = &published;                                                                  \
    wait_begin(&published, recorder_self(), CALL_##name, 0, (uint64_t)(control), 0);               \
    call;                                                                                          \
    wait_end(&published);                                                                          \
    self->once = outer;                                                                            \
    self->once_wait = outer_wait;

int hook_pthread_once(pthread_once_t *once, void (*routine)(void))
{
    if (!HOOK_RECORDS(ONCE_WAIT))
        return hooks_real.pthread_once(once, routine);
    int result;
    ONCE(pthread_once, once, result = hooks_real.pthread_once(once, run_once))
    return result;
}

void hook_call_once(once_flag *flag, void (*routine)(void))
{
    if (!HOOK_RECORDS(ONCE_WAIT)) {
        hooks_real.call_once(flag, routine);
        return;
    }
    ONCE(call_once, flag, hooks_real.call_once(flag, run_once))
}

/* --- the life of the process ----------------------------------------------------------------- */

void hook__exit(int status)
{
    recorder_close(REC_STATE_EXITED, status & 0xff);
    hooks_real._exit(status);
    __builtin_unreachable();
}

void hook__Exit(int status)
{
    recorder_close(REC_STATE_EXITED, status & 0xff);
    hooks_real._Exit(status);
    __builtin_unreachable();
}

int hooks_quick_status;

void hook_quick_exit(int status)
{
    hooks_quick_status = status; /* the recording is closed when its handlers have run */
    hooks_real.quick_exit(status);
    __builtin_unreachable();
}

/* fork without its handlers, ours among them. */
pid_t hook__Fork(void)
{
    struct fork_signals signals = block_fork_signals(true);
    pid_t pid = hooks_real._Fork();
    if (pid == 0)
        lifecycle_forked();
    restore_fork_signals(signals);
    return pid;
}
