/* Wrappers of code that is there only for programs linked long ago: the rows OLD of hooks.def. In
 * the file they have the names of today's functions, under another version (versions.map). */
#include "preload/hooks.h"

#define WAIT(result, name, params, args, op, object, arg, flags, version)
#define TASK(result, name, params, args, op, object, arg, flags)
#define HAND(result, name, symbol, params, args, op, version)
#define OLD(result, name, symbol, params, args, op, version)                                       \
    __asm__(".symver " #name ", " symbol "@" version);
#include "preload/hooks.def"

#if defined(__x86_64__)
/* A condition of 2.2.5 is a pointer to one of today's, which only the old functions know. */
int hook_old_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    if (!HOOK_RECORDS(COND_WAIT))
        return hooks_real.old_cond_wait(c, m);
    struct wait published;
    wait_begin(&published, recorder_self(), CALL_old_cond_wait, 0, (uint64_t)c, 0);
    int result = hooks_real.old_cond_wait(c, m);
    wait_end(&published);
    return result;
}

int hook_old_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    if (!HOOK_RECORDS(COND_WAIT))
        return hooks_real.old_cond_timedwait(c, m, until);
    struct wait published;
    wait_begin(&published, recorder_self(), CALL_old_cond_timedwait, REC_WAIT_DEADLINE, (uint64_t)c,
               0);
    int result = hooks_real.old_cond_timedwait(c, m, until);
    wait_end(&published);
    return result;
}

/* It runs the destructors of thread_local objects, too. */
void hook_old_quick_exit(int status)
{
    hooks_quick_status = status;
    hooks_real.old_quick_exit(status);
    __builtin_unreachable();
}
#endif
