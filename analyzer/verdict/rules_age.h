/* Rules that go by time: by the deadline of a wait, or by its age. */
#ifndef LEAKSPY_ANALYZER_VERDICT_RULES_AGE_H
#define LEAKSPY_ANALYZER_VERDICT_RULES_AGE_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/verdict/judge.h"

/* Whether a wait ends by itself: it has a deadline, or is a sleep. */
bool age_deadline(const struct judge *judge, uint32_t index);
void age_explain_deadline(const struct judge *judge, struct group *group);

/* Whether it has just begun and was not seen twice yet; see snapshot_is_fresh. */
bool age_fresh(const struct judge *judge, uint32_t index);
void age_explain_fresh(const struct judge *judge, struct group *group);

bool age_below_threshold(const struct judge *judge, uint32_t index);

/* How long it has lasted against the threshold; and that its runtime stopped, where it did. */
void age_explain_stuck(const struct judge *judge, struct group *group);

#endif
