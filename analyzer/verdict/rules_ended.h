/* Rules for threads that ended and that nobody has joined. */
#ifndef LEAKSPY_ANALYZER_VERDICT_RULES_ENDED_H
#define LEAKSPY_ANALYZER_VERDICT_RULES_ENDED_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/verdict/judge.h"

/* Notes in the judge which threads are being joined, and which one may be later: what the rules
 * below go by. False: no memory. */
bool ended_prepare(struct judge *judge);

/* Whether a thread ended, and nobody has joined it. */
bool ended_is_finished(const struct judge *judge, uint32_t index);

/* Whether, beside that, a thread that was started at the same place is being joined now: a loop
 * joins the threads that a loop started, in order, and those that ended early are next. */
bool ended_beside_joined(const struct judge *judge, uint32_t index);
void ended_explain_beside_joined(const struct judge *judge, struct group *group);

/* Whether it ended for less than the threshold, in a process that goes on. A recording says of a
 * thread that ended unseen nothing but that; of a process, nobody knows when it was. */
bool ended_lately(const struct judge *judge, uint32_t index);

/* Whether it is the only one that its library joins when the next one ends. */
bool ended_is_joined_later(const struct judge *judge, uint32_t index);
void ended_explain_joined_later(const struct judge *judge, struct group *group);

/* That nobody joined them, and what that costs. */
void ended_explain_unjoined(const struct judge *judge, struct group *group);

#endif
