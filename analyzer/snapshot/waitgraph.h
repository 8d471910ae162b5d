/* Who waits for whom: each parked task waits for one other at most, the holder of its lock or the
 * task that it joins. */
#ifndef LEAKSPY_ANALYZER_SNAPSHOT_WAITGRAPH_H
#define LEAKSPY_ANALYZER_SNAPSHOT_WAITGRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"

#define WAITGRAPH_NONE UINT32_MAX

/* By task; all NULL where no task waits for one that could be named. */
struct waitgraph {
    uint32_t *next, *cycle, *blocked;
    bool *loose;
};

/* The task that a task waits for; WAITGRAPH_NONE: none. */
static inline uint32_t waitgraph_next(const struct waitgraph *graph, size_t task)
{
    return graph->next ? graph->next[task] : WAITGRAPH_NONE;
}

/* The first task (by index) of the cycle that a task is in; WAITGRAPH_NONE: it is in none. */
static inline uint32_t waitgraph_cycle(const struct waitgraph *graph, size_t task)
{
    return graph->cycle ? graph->cycle[task] : WAITGRAPH_NONE;
}

/* A task of the cycle that a task, itself in none, waits behind; WAITGRAPH_NONE: behind none. */
static inline uint32_t waitgraph_blocked(const struct waitgraph *graph, size_t task)
{
    return graph->blocked ? graph->blocked[task] : WAITGRAPH_NONE;
}

/* Whether the lock that a task waits for names no more than a thread on which a runtime runs its
 * tasks: one of them holds it, which may be parked, or on another thread by now. */
static inline bool waitgraph_is_loose(const struct waitgraph *graph, size_t task)
{
    return graph->loose && graph->loose[task];
}

/* Tasks are named by their index in snapshot->tasks. A cycle is said only of waits without
 * deadlines that are settled, and not loose: of others it may never have existed at one moment.
 * False: no memory. */
bool waitgraph_init(struct waitgraph *graph, const struct snapshot *snapshot);
void waitgraph_deinit(struct waitgraph *graph);

/* Whether a wait of this task has a holder that could be known: a lock whose owner was read. */
bool waitgraph_has_owner(const struct snapshot *snapshot, const struct snapshot_task *task);

/* Whether a task joins another one. */
bool waitgraph_is_join(const struct snapshot *snapshot, const struct snapshot_task *task);

#endif
