/* Parked tasks of a libtaskrt while they are read: their words, the inner ends of their stacks, and
 * what they wait on, of many tasks in a few system calls.
 *
 * The process runs meanwhile. A task is parked when its count of waits was the same before and
 * after all that was read of it, and its state, looked at after the first of these, said so
 * (runtime/taskrt_inspect.h). */
#ifndef LEAKSPY_ANALYZER_INSPECT_TASKRT_LOOKS_H
#define LEAKSPY_ANALYZER_INSPECT_TASKRT_LOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/inspect/taskrt_list.h"
#include "analyzer/inspect/taskrt_pages.h"
#include "analyzer/snapshot/snapshot.h"

#define TASKRT_LOOKS 1024 /* at once */
/* Read of each stack at once; what is deeper is read when it is needed. */
#define TASKRT_LOOK_STACK_BYTES 1024

struct taskrt_look {
    struct taskrt_entry entry;
    const unsigned char *task; /* table.task_bytes of it */
    unsigned char *stack;      /* TASKRT_LOOK_STACK_BYTES */
    uint32_t state, last_state;
    uint64_t last_wait_count;
    uint64_t sp;
    size_t stack_bytes;
    bool has_stack;
    uint32_t site;
    bool no_stack;
    struct snapshot_case channel; /* what a send or receive waits on */
    uint64_t owner;               /* of a mutex */
    bool has_owner;
    uint32_t case_first;
    uint16_t case_count;
};

struct taskrt_looks {
    struct mem_reader *memory;
    const struct taskrt_inspect *table;
    struct taskrt_look *rows; /* TASKRT_LOOKS */
    struct mem_piece *pieces; /* one a look */
    unsigned char *stacks;    /* TASKRT_LOOK_STACK_BYTES a look */
    unsigned char *objects;   /* TASKRT_MAX_CHAN_BYTES a look */
    struct taskrt_pages pages;
    unsigned char *copies[2]; /* of all looks: one that is kept, one of what changes */
};

/* `table` is of TASKRT_FOUND, and outlives the looks. False: no memory; deinitialize it all the
 * same. */
bool taskrt_looks_init(struct taskrt_looks *ret, struct mem_reader *memory,
                       const struct taskrt_inspect *table);
void taskrt_looks_deinit(struct taskrt_looks *looks);

/* Reads the first `count` tasks, whose addresses stand in their entries: the state of each, after
 * it all of its words, and the inner ends of the stacks of those that are parked. */
void taskrt_looks_read(struct taskrt_looks *looks, size_t count);

/* Reads the state and the count of waits of the same tasks again: last_state, last_wait_count. */
void taskrt_looks_read_last(struct taskrt_looks *looks, size_t count);

/* Reads nothing but that, of the tasks whose addresses stand in the entries. */
void taskrt_looks_read_only_last(struct taskrt_looks *looks, size_t count);

static inline bool taskrt_look_is_parked(const struct taskrt_look *look)
{
    return look->state == TASKRT_STATE_PARKED;
}

/* Whether all that was read is of the wait that it was in when the list was read. */
static inline bool taskrt_look_is_consistent(const struct taskrt_look *look)
{
    return taskrt_look_is_parked(look) && look->last_state == TASKRT_STATE_PARKED &&
           look->last_wait_count == look->entry.wait_count;
}

#endif
