/* Clocks, in ns. Any thread, any context; where libc is asked, its clock_gettime(2) is
 * async-signal-safe. */
#ifndef LEAKSPY_CLOCK_H
#define LEAKSPY_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "preload/sys.h"

#define NS_PER_S UINT64_C(1000000000)

/* The kernel's clock. Not libc's function first: another preloaded library may have put its own in
 * that one's place, to show the program another time. Costs a system call; where a filter refuses
 * it, libc is asked. */
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

/* The same by libc, without a system call, which a filter might kill for. */
static inline uint64_t clock_now_quietly_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Processor time of the calling thread: on a busy machine less than the time that passed. Costs a
 * system call. */
static inline uint64_t clock_own_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

#endif
