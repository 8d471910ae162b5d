/* What stops of threads told, kept from one look of a watch to the next: a thread that has not
 * moved since is not stopped again, and what the stop itself changed is not taken for a movement of
 * the thread. */
#ifndef LEAKSPY_ANALYZER_IMAGE_KEPT_STACKS_H
#define LEAKSPY_ANALYZER_IMAGE_KEPT_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"

struct kept_stack {
    struct image_thread thread; /* as it was after the stop: call, args, registers, switches */
    int64_t call;               /* before it; a stop may make it another number */
    uint64_t switches;          /* before it: what earlier looks saw */
    uint64_t since_ns;          /* CLOCK_MONOTONIC: parked since then at least */
    uint64_t descriptor;        /* its pthread_t; 0: not known */
    uint64_t *pcs;              /* owned */
    size_t pc_count;
    uint16_t flags; /* enum rec_site_flag */
};

struct kept_stacks;

/* For looks at one process. NULL: no memory. */
struct kept_stacks *kept_stacks_create(void);
void kept_stacks_destroy(struct kept_stacks *kept);

/* What is known of a thread that is in the same call, at the same place, and has not run since it
 * was kept; NULL: nothing. Good until something is put. */
const struct kept_stack *kept_stacks_find(const struct kept_stacks *kept,
                                          const struct image_thread *thread);

/* Keeps a copy, instead of what was kept of the thread before. Without memory nothing is kept. */
void kept_stacks_put(struct kept_stacks *kept, const struct kept_stack *stack);

/* Carries over how many stops there were, and the longest, from the looks before, and to the next
 * ones. */
void kept_stacks_begin_look(const struct kept_stacks *kept, struct image *image);
void kept_stacks_end_look(struct kept_stacks *kept, const struct image *image);

#endif
