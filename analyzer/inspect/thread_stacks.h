/* The stacks of a process's threads, read without stopping them where that can be. */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_STACKS_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/debug/unwind.h"
#include "analyzer/image/image.h"
#include "analyzer/inspect/thread_locks.h"

/* One thread, and what was read of its stack. */
struct thread_look {
    struct image_thread thread; /* as it was when the look began */
    uint64_t *pcs;              /* return addresses, innermost first; owned */
    size_t pc_count;
    uint16_t flags;          /* enum rec_site_flag */
    bool moved;              /* it was not where it had been before: nothing is to be believed */
    bool stopped;            /* for its registers */
    bool remembered;         /* stack and age are of an earlier look (image.kept) */
    uint64_t first_switches; /* of a remembered one: before it was stopped */
    int64_t first_call;      /* the number of its call, before a stop changed that; -1: as it is */
    bool refused;            /* it would have had to be stopped for the rest of its stack, and could
                                not be without harm */
    uint64_t descriptor;     /* its pthread_t; 0: not known */
    uint64_t start_routine;  /* the function that it began in; 0: not known */
};

/* Frees what it owns: its stack. One of zeroes is fine, and so is a second time. */
void thread_look_deinit(struct thread_look *look);

struct thread_stacks;

/* `image` and `unwind` have to outlive it. NULL: no memory. */
struct thread_stacks *thread_stacks_create(struct image *image, struct debug_unwind *unwind,
                                           struct thread_layout layout);
void thread_stacks_destroy(struct thread_stacks *stacks);

/* Reads the stacks of those of `looks` whose threads are parked; a runtime's own are not stopped
 * for theirs. False: no memory. */
bool thread_stacks_read(struct thread_stacks *stacks, struct thread_look *looks, size_t count);

#endif
