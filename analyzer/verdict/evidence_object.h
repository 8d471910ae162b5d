/* The sentences of a verdict about what tasks wait on, and who else waits on it. */
#ifndef LEAKSPY_ANALYZER_VERDICT_EVIDENCE_OBJECT_H
#define LEAKSPY_ANALYZER_VERDICT_EVIDENCE_OBJECT_H

#include "analyzer/verdict/verdict.h"

struct judge;

/* What the tasks wait on: one object and its state, or what the many have in common. */
void evidence_add_object(const struct judge *judge, struct group *group);

#endif
