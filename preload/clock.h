#ifndef LEAKSPY_CLOCK_H
#define LEAKSPY_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "preload/sys.h"

#define NS_PER_S UINT64_C(1000000000)

/* In ns, as the kernel has it: libc's function may be that of another library that is preloaded,
 * and shows the program another time. One system call; where a filter refuses that, libc's after
 * all. */
static inline uint64_t clock_read_ns(clockid_t clock)
{
    struct timespec now = {0};
    if (sys_call(SYS_clock_gettime, clock, &now) != 0)
        clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* The clock of the recording. */
static inline uint64_t clock_now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

/* The same without a system call, for where a filter may kill for it. */
static inline uint64_t clock_now_quietly_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* What the calling thread has used of a processor, in ns: on a busy machine, less than what has
 * passed. One system call. */
static inline uint64_t clock_own_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

#endif
