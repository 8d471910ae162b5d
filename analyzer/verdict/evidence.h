/* The sentences of a verdict: each one something that a person can check. */
#ifndef LEAKSPY_ANALYZER_VERDICT_EVIDENCE_H
#define LEAKSPY_ANALYZER_VERDICT_EVIDENCE_H

#include "analyzer/verdict/verdict.h"

struct judge;

/* Adds a sentence; dropped when the group has its fill or there is no memory. */
void evidence_add(struct group *group, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Why the wait counts as too long. */
void evidence_add_threshold(const struct judge *judge, struct group *group);

/* Who waits for whom, round each cycle that the group has a part in. */
void evidence_add_cycles(const struct judge *judge, struct group *group);

#endif
