/* Wrappers whose meaning depends on more than a row of hooks.def can say. */
#include "preload/hooks.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>

#include "preload/sampler.h"
#include "preload/sys.h"

/* --- syscall -------------------------------------------------------------------------------------
 */

static bool futex_waits(long op)
{
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
        return true;
    default:
        return false;
    }
}

/* A fork that libc does not see: nobody tells us, so that the child finds out here. */
static bool is_bare_fork(long number, long flags)
{
#ifdef SYS_fork
    if (number == SYS_fork)
        return true;
#endif
    return number == SYS_clone && !(flags & CLONE_VM);
}

long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    if (number == SYS_futex && futex_waits(b) && HOOK_RECORDS(FUTEX_WAIT)) {
        WAIT_SCOPE published;
        wait_begin(&published, recorder_self(), CALL_syscall, d != 0 ? REC_WAIT_DEADLINE : 0,
                   (uint64_t)a, 0);
        return hooks_real.syscall(number, a, b, c, d, e, f);
    }
    long result = hooks_real.syscall(number, a, b, c, d, e, f);
    if (unlikely(is_bare_fork(number, a)) && result == 0)
        recorder_forget();
    return result;
}

/* --- fcntl ---------------------------------------------------------------------------------------
 */

#define FCNTL(name)                                                                                \
    if ((command != F_SETLKW && command != F_OFD_SETLKW) || !HOOK_RECORDS(FILE_LOCK))              \
        return hooks_real.name(fd, command, arg);                                                  \
    WAIT_SCOPE published;                                                                          \
    wait_begin(&published, recorder_self(), CALL_##name, 0, (uint64_t)fd, 0);                      \
    return hooks_real.name(fd, command, arg);

int hook_fcntl(int fd, int command, long arg)
{
    FCNTL(fcntl)
}

int hook_fcntl64(int fd, int command, long arg)
{
    FCNTL(fcntl64)
}

/* --- once ----------------------------------------------------------------------------------------
 */

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
    WAIT_SCOPE published;                                                                          \
    self->once = routine;                                                                          \
    self->once_wait = &published;                                                                  \
    wait_begin(&published, recorder_self(), CALL_##name, 0, (uint64_t)(control), 0);               \
    call;                                                                                          \
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

/* --- the life of the process ---------------------------------------------------------------------
 */

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

void hook_quick_exit(int status)
{
    recorder_close(REC_STATE_EXITED, status & 0xff);
    hooks_real.quick_exit(status);
    __builtin_unreachable();
}

/* fork without its handlers, ours among them. */
pid_t hook__Fork(void)
{
    pid_t pid = hooks_real._Fork();
    if (pid == 0)
        recorder_forget();
    return pid;
}

/* Some namespaces may be entered by a process with one thread only: ours steps aside meanwhile. */
int hook_unshare(int flags)
{
    sampler_stop();
    int result = hooks_real.unshare(flags);
    sampler_ensure();
    return result;
}

int hook_setns(int fd, int type)
{
    sampler_stop();
    int result = hooks_real.setns(fd, type);
    sampler_ensure();
    return result;
}
