/* The system's clocks as one number. */
#ifndef LEAKSPY_ANALYZER_BASE_CLOCK_H
#define LEAKSPY_ANALYZER_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* The time of a clock (CLOCK_MONOTONIC, CLOCK_REALTIME) in ns. */
static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

#endif
