/* The sentences of a verdict about what tasks wait on, and who else waits on it. */
#ifndef LEAKSPY_ANALYZER_VERDICT_EVIDENCE_OBJECT_H
#define LEAKSPY_ANALYZER_VERDICT_EVIDENCE_OBJECT_H

#include <stdbool.h>

#include "analyzer/base/table.h"
#include "analyzer/verdict/verdict.h"

struct judge;

/* What the tasks wait on: one object and its state, or what the many have in common. */
void evidence_add_object(const struct judge *judge, struct group *group);

/* Counts the tasks that wait on the objects which evidence_add_object will ask for, given the
 * groups. Keys: the object, and its kind times 2, plus 1 for those that wait to receive. False: no
 * memory. */
bool evidence_count_waiters(const struct judge *judge, const struct group *groups, size_t count,
                            struct table *ret);

/* How many tasks wait to send on the channel of a task that sends or receives, or to receive.
 * False: that was not counted: it is of both sides where all tasks of the group wait on one
 * channel, else of the other side. */
bool evidence_waiters(const struct verdicts *verdicts, const struct snapshot *snapshot,
                      const struct group *group, uint32_t task, bool receive, uint32_t *ret);

#endif
