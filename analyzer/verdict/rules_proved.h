/* Rules for waits of which is proved that nothing will end them, however young they are. */
#ifndef LEAKSPY_ANALYZER_VERDICT_RULES_PROVED_H
#define LEAKSPY_ANALYZER_VERDICT_RULES_PROVED_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/verdict/judge.h"

/* Whether a task is in a cycle of tasks that wait for each other. Its sentences are those of
 * evidence_add_cycles. */
bool proved_cycle(const struct judge *judge, uint32_t index);

/* Whether it waits on a channel that is none, or in a select over nothing but such. Of a goroutine
 * the runtime's own words say so; of a task, the object that it gave the call; of a select, its
 * cases. */
bool proved_nothing(const struct judge *judge, uint32_t index);
void proved_explain_nothing(const struct judge *judge, struct group *group);

/* Whether its runtime's collector has looked: what still runs leads to nothing that could wake
 * it. */
bool proved_unreachable(const struct judge *judge, uint32_t index);
void proved_explain_unreachable(const struct judge *judge, struct group *group);

#endif
