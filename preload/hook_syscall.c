/* syscall(), by which programs make calls of any kind. Nearly all of them are passed on with no
 * frame of ours around them: where one sleeps, only the kernel tells of it, and the stack is
 * followed from there without the registers that our frame would take. Compiled without frame
 * pointers, and with sibling calls. */
#include <sys/syscall.h>

#include "preload/hooks.h"

/* Whether there is something to do for a call, in hooks_handle_syscall: for those that wait and are
 * published, that end the process or start another, and those after which the sampler may do less
 * or the program know more. */
static bool is_handled(long number)
{
    switch (number) {
    case SYS_futex:
    case SYS_waitid:
    case SYS_wait4:
    case SYS_exit:
    case SYS_exit_group:
#ifdef SYS_fork
    case SYS_fork:
#endif
    case SYS_clone:
    case SYS_clone3:
    case SYS_seccomp:
    case SYS_prctl:
    case SYS_capset:
    case SYS_unshare:
    case SYS_setns:
    case SYS_setuid:
    case SYS_setreuid:
    case SYS_setresuid:
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid:
    case SYS_setgroups:
    case SYS_openat:
    case SYS_newfstatat:
    case SYS_statx:
        return true;
    default:
        return false;
    }
}

/* The call is handed on as it came. On x86-64 the last argument lies on the stack, and whoever gave
 * fewer has something else there, which others may write meanwhile: it stays where it is,
 * untouched.
 */
long hook_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    const void *next =
        is_handled(number) ? (void *)hooks_handle_syscall : (void *)hooks_real.syscall;
#if defined(__x86_64__)
    (void)f;
    return ((long (*)(long, long, long, long, long, long))next)(number, a, b, c, d, e);
#else
    return ((long (*)(long, long, long, long, long, long, long))next)(number, a, b, c, d, e, f);
#endif
}
