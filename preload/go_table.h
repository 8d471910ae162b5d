/* What is remembered of each g, the runtime's record of a goroutine, between two looks. A g is
 * never freed, only given to the next goroutine, so that rows are found by its address and stay.
 *
 * All of it by the one thread that looks: the sampler, or `leakspy run` outside. No allocation but
 * in go_table_reset. */
#ifndef LEAKSPY_GO_TABLE_H
#define LEAKSPY_GO_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct go_row {
    uint64_t g;
    uint64_t id;              /* of the goroutine that has it; 0: none, as far as we know */
    int64_t waiting_since;    /* as the runtime said it at the last look */
    uint64_t labels;          /* address of its labels; 0: none */
    uint32_t task;            /* row of the recording's tasks; 0: it got none */
    uint32_t wait_number;     /* of its wait that stands in the recording */
    uint32_t seen_in;         /* number of the last scan that found it */
    uint16_t reason;          /* of that wait, as the runtime numbers them */
    uint8_t lock;             /* that it waits for, enum go_lock; one that is known has a stack */
    bool labels_unread : 1;   /* what stands there is not in the recording yet */
    bool deadline_missed : 1; /* the last look found no timer any more for its wait */
};

/* For a new recording: there are no rows. False: no memory for them. */
bool go_table_reset(void);

/* A scan begins. */
void go_table_begin(void);

/* The row of a g, made where it is new. NULL: there is no room for it. */
struct go_row *go_table_row(uint64_t g);

/* Counts a goroutine that got no row. */
void go_table_count_lost(void);

/* How many rows there are; and the one with a number less than that. They keep their numbers. */
uint32_t go_table_count(void);
struct go_row *go_table_at(uint32_t number);

/* Calls a function for all rows. */
void go_table_each(void (*function)(struct go_row *row, void *arg), void *arg);

/* How many more there were in this scan, without a row, than in any before. */
uint64_t go_table_newly_lost(void);

#endif
