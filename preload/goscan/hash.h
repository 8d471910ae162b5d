/* Where hash tables of addresses have their rows. */
#ifndef LEAKSPY_GOSCAN_HASH_H
#define LEAKSPY_GOSCAN_HASH_H

#include <stdint.h>

/* Multiplicative (Fibonacci) hashing: 2^64 divided by the golden ratio, which spreads words that
 * follow each other evenly. The higher a bit of the result, the more bits of the word it depends
 * on: rows are numbered by what is left after a shift to the right. */
static inline uint64_t hash_word(uint64_t word)
{
    return word * UINT64_C(0x9e3779b97f4a7c15);
}

#endif
