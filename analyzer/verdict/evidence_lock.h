/* What the locks and waitgroups of Go say of themselves, in words. */
#ifndef LEAKSPY_ANALYZER_VERDICT_EVIDENCE_LOCK_H
#define LEAKSPY_ANALYZER_VERDICT_EVIDENCE_LOCK_H

#include <stdbool.h>

#include "analyzer/verdict/judge.h"
#include "analyzer/verdict/object_look.h"

#define EVIDENCE_LOCK_BYTES 160

/* Who has a lock whose owner is not told: "held for reading 2 times (by whom is not known)".
 * reads: the task waits to read. */
const char *evidence_lock_state(const struct object_look *look, bool reads,
                                char to[EVIDENCE_LOCK_BYTES]);

/* What a waitgroup still waits for: "; counter 3: Done is missing 3 times". "": nobody knows. */
const char *evidence_counter(const struct object_look *look, char to[EVIDENCE_LOCK_BYTES]);

/* What the waitgroups of a group's tasks have in common: ", each with the counter 1". "": nothing
 * that is known. */
const char *evidence_counters(const struct judge *judge, const struct group *group,
                              char to[EVIDENCE_LOCK_BYTES]);

#endif
