/* All signals of the calling thread blocked for a moment, and its mask as it was. Any thread, any
 * context; without libc, whose functions leave two signals of its own unblocked. */
#ifndef LEAKSPY_SIGNALS_H
#define LEAKSPY_SIGNALS_H

#include <signal.h>
#include <stdint.h>

#include "preload/sys.h"

/* Returns the mask as it was: the kernel's, one bit a signal. */
static inline uint64_t signals_block(void)
{
    uint64_t all = ~UINT64_C(0), before = 0;
    sys_call(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof(all));
    return before;
}

static inline void signals_restore(uint64_t before)
{
    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof(before));
}

#endif
