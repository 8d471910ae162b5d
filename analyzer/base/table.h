/* A hash table from two words to a number: open addressing, no memory per entry. */
#ifndef LEAKSPY_ANALYZER_BASE_TABLE_H
#define LEAKSPY_ANALYZER_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_key {
    uint64_t a, b;
};

/* For a key that is made of many words: what they come to so far, with one more. */
static inline uint64_t table_mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

struct table_slot {
    struct table_key key;
    uint32_t value;
    uint32_t used;
};

struct table {
    struct table_slot *slots;
    size_t room; /* a power of two */
    size_t count;
};

/* Room for about `expected` entries at first; grows. False: no memory. */
bool table_init(struct table *table, size_t expected);
void table_deinit(struct table *table);

/* The value under a key, 0 when the key is new; good until the next call. NULL: no memory. */
uint32_t *table_at(struct table *table, struct table_key key);

/* Has the memory of a key that will be asked for soon be fetched: a large table is waited for at
 * every question otherwise. */
void table_prefetch(const struct table *table, struct table_key key);

/* The value under a key, good until the next table_at; NULL when the key is not there. */
uint32_t *table_find(const struct table *table, struct table_key key);

#endif
