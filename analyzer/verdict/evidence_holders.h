/* Who holds what the tasks of a group wait for, by what was asked outside of the process. */
#ifndef LEAKSPY_ANALYZER_VERDICT_EVIDENCE_HOLDERS_H
#define LEAKSPY_ANALYZER_VERDICT_EVIDENCE_HOLDERS_H

#include "analyzer/verdict/judge.h"

/* Adds a sentence for each holder of locks of files, a few at most. */
void evidence_add_holders(const struct judge *judge, struct group *group);

#endif
