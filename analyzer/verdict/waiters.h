/* How many tasks wait on the objects that the sentences of a verdict name. */
#ifndef LEAKSPY_ANALYZER_VERDICT_WAITERS_H
#define LEAKSPY_ANALYZER_VERDICT_WAITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/verdict/verdict.h"

struct judge;

/* Counts, in judge->waiters, the tasks that wait on the objects which evidence_add_object will ask
 * for, given the groups. Keys: the object, and its kind times 2, plus 1 for those that wait to
 * receive. False: no memory. */
bool waiters_count(const struct judge *judge, const struct group *groups, size_t count);

/* How many of them wait on an object; of a channel, how many wait to send, or to receive. */
uint32_t waiters_of(const struct table *waiters, enum rec_object kind, uint64_t object,
                    bool receive);

/* How many tasks wait to send on the channel of a task that sends or receives, or to receive.
 * False: that was not counted: it is of both sides where all tasks of the group wait on one
 * channel, else of the other side. */
bool waiters_on_channel(const struct verdicts *verdicts, const struct snapshot *snapshot,
                        const struct group *group, uint32_t task, bool receive, uint32_t *ret);

/* Brings what waiters_of will look up of a task's object into the processor's cache. Tasks this far
 * ahead are fetched: many tasks wait on as many objects. */
#define WAITERS_AHEAD 12
void waiters_fetch(const struct table *waiters, const struct snapshot *snapshot,
                   const struct snapshot_task *task, bool other_side);

/* Whether the tasks of a group that waits on channels wait to send. */
static inline bool waiters_send(const struct snapshot *snapshot, const struct group *group)
{
    return snapshot->calls[group->wait->call].number == REC_OP_CHAN_SEND;
}

#endif
