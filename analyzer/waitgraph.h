/* Who waits for whom: each parked task waits for one other at most, the holder of its lock or the
 * task that it joins. */
#ifndef LEAKSPY_WAITGRAPH_H
#define LEAKSPY_WAITGRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/snapshot.h"

#define WAITGRAPH_NONE UINT32_MAX

struct waitgraph {
    uint32_t *next;  /* by task: the task that it waits for, or WAITGRAPH_NONE */
    uint32_t *cycle; /* by task: the first task (by index) of the cycle it is in; or NONE */
    uint32_t
        *blocked; /* by task outside cycles: a task of the cycle that it waits behind; or NONE */
};

/* Tasks are named by their index in snapshot->tasks. A cycle is said only of waits without
 * deadlines that are settled: of others it may never have existed at one moment. False: no memory.
 */
bool waitgraph_init(struct waitgraph *graph, const struct snapshot *snapshot);
void waitgraph_deinit(struct waitgraph *graph);

/* Whether a wait of this task has a holder that could be known: a lock whose owner was read. */
bool waitgraph_has_owner(const struct snapshot *snapshot, const struct snapshot_task *task);

/* Whether a task joins another one. */
bool waitgraph_is_join(const struct snapshot *snapshot, const struct snapshot_task *task);

#endif
