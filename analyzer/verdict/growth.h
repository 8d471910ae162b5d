/* What a watch (report --watch) says of groups: how many there were at its first look, and how many
 * of them are there still. */
#ifndef LEAKSPY_ANALYZER_VERDICT_GROWTH_H
#define LEAKSPY_ANALYZER_VERDICT_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"
#include "analyzer/verdict/verdict.h"

/* Counts for each group. group_of: by task, its group's number from 1, 0: none; groups have their
 * members. Where tasks of one kind came to stand in two groups, it is not known how many of either
 * there were, and the group is not `watched`. False: no memory. */
bool growth_count(struct verdicts *verdicts, const struct snapshot *snapshot,
                  const uint32_t *group_of);

/* The sentence about it. */
void growth_explain(struct group *group, const struct snapshot *snapshot);

#endif
