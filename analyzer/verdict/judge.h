/* The engine of the verdicts: finds the rule (rules.h) of every task, along chains of joins. */
#ifndef LEAKSPY_ANALYZER_VERDICT_JUDGE_H
#define LEAKSPY_ANALYZER_VERDICT_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/naming/waits.h"
#include "analyzer/snapshot/snapshot.h"
#include "analyzer/snapshot/waitgraph.h"
#include "analyzer/verdict/verdict.h"

/* What rules and their sentences go by. Tasks are named by their index in snapshot->tasks. */
struct judge {
    const struct snapshot *snapshot;
    const struct waits *waits;
    const struct verdict_options *options;
    const struct waitgraph *graph;
    struct table joined_sites; /* spawn sites of which a thread is being joined; key a */
    uint32_t joined_later;     /* the only task that may be joined later; WAITGRAPH_NONE: none, or
                                  there are several */
    struct table *waiters;     /* see waiters_count */
    uint8_t *rule_of_task;     /* rows of `rules`, or RULE_NONE */
};

static inline const struct snapshot_task *judge_task(const struct judge *judge, uint32_t index)
{
    return &judge->snapshot->tasks[index];
}

/* What a task waits in: enum rec_op. */
static inline unsigned judge_op(const struct judge *judge, uint32_t index)
{
    return judge->snapshot->calls[judge_task(judge, index)->call].number;
}

/* Whether a task has waited, or has been at its end, as long as the threshold. */
static inline bool judge_is_past(const struct judge *judge, uint32_t index)
{
    return verdict_is_past(judge_task(judge, index), judge->options->threshold_ns);
}

/* The task that a task joins, when it is in the snapshot; else WAITGRAPH_NONE. */
uint32_t judge_joined_by(const struct judge *judge, uint32_t index);

/* Finds the rule of every task. False: no memory. */
bool judge_tasks(struct judge *judge);

#endif
