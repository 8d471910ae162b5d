/* Contexts with deadlines, and their timers, in memory that is made by hand, as of the last Go with
 * each kind of map. It may change while the scanner reads it. */
#ifndef LEAKSPY_TESTS_MADE_CONTEXTS_H
#define LEAKSPY_TESTS_MADE_CONTEXTS_H

#include "preload/goscan/scan.h"
#include "tests/unit/preload/arena.h"

#define ARENA_BYTES (64U << 20)  /* of its memory */
#define ENDS UINT64_C(0x400100)  /* code of a closure of context.WithDeadline */
#define OTHER UINT64_C(0x400200) /* code of another one */
#define ALL_TIMERS 131072        /* that the heap has room for */
#define SWISS 27                 /* the last Go with maps of groups */

/* A target that is made by hand, and what is to happen while it is read. */
struct target {
    struct mem_reader reader;
    struct arena arena;
    uint64_t pieces;
    struct goscan scan;
    uint64_t timers, timer_count; /* the only processor's heap */
    uint64_t processor;
    bool unknown;
    void (*change)(struct target *target); /* before what lies at change_before is read */
    uint64_t change_before;
};

/* Of a Go 1.`minor`; `at_once`: as of goscan_scratch_bytes. To be let go by tear_down. */
struct target *set_up_with(unsigned minor, size_t at_once);

/* For CMocka: *state becomes an empty one, and is let go. */
int set_up_hmaps(void **state);
int set_up_swiss(void **state);
int tear_down(void **state);

/* A context with an open channel, or with none yet. *ret_channel: it. */
uint64_t make_context(struct target *target, uint64_t *ret_channel);

/* A set timer that calls a closure of that code. Returns the timer. */
uint64_t make_timer(struct target *target, uint64_t code, uint64_t context);

/* The map of a context's children. */
void set_children(struct target *target, uint64_t context, uint64_t map);

/* A map that has one child. */
uint64_t make_map(struct target *target, uint64_t child);

/* Maps until Go 1.23, and a row of a bucket of theirs. */
uint64_t make_hmap(struct target *target, unsigned bits, uint64_t buckets, uint64_t old_buckets,
                   unsigned flags);
void put_row(struct target *target, uint64_t bucket, unsigned row, unsigned top, uint64_t child);

/* Maps since then, of tables of groups of slots, or of one group. */
uint64_t make_swiss(struct target *target, uint64_t directory, uint64_t count);
uint64_t make_table(struct target *target, uint64_t groups, uint64_t mask);
uint64_t make_groups(struct target *target, uint64_t count);
void put_slot(struct target *target, uint64_t group, unsigned row, uint64_t child);

/* Whether the scanner says that a timer closes the channel. */
bool wakes(struct target *target, uint64_t channel);

#endif
