/* What the cases of selects are. */
#ifndef LEAKSPY_ANALYZER_VERDICT_EVIDENCE_CASES_H
#define LEAKSPY_ANALYZER_VERDICT_EVIDENCE_CASES_H

#include "analyzer/verdict/judge.h"

/* Adds a sentence that names the cases of a group's selects: with their channels where all tasks
 * wait on the same ones, else how many send and receive, where that is the same for all. None for a
 * group that waits otherwise, or of which no cases are known. */
void evidence_add_cases(const struct judge *judge, struct group *group);

#endif
