/* Numbers without a pattern, the same in each run. */
#ifndef LEAKSPY_TESTS_RANDOM_H
#define LEAKSPY_TESTS_RANDOM_H

#include <stdint.h>

/* The next one after *seed, which it becomes; not 0. */
static inline uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

#endif
