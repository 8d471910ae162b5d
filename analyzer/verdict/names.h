/* The names of tasks and objects, as sentences and reports call them. Those that are given room
 * write to it, and return it. */
#ifndef LEAKSPY_ANALYZER_VERDICT_NAMES_H
#define LEAKSPY_ANALYZER_VERDICT_NAMES_H

#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"

/* The name of a task, where it has one of its own; NULL: none, or the program's, as threads have
 * that were given none. */
const char *names_own(const struct snapshot *snapshot, uint32_t index);

/* "thread 7 (worker)"; "thread 7" where its name is the program's. */
const char *names_task(const struct snapshot *snapshot, uint32_t task, char to[64]);

/* "mutex 0x1234" or "descriptor 5". */
const char *names_object(enum rec_object kind, uint64_t address, char to[64]);

/* "thread" or "threads", as the count wants. */
const char *names_plural(const char *word, uint64_t count, char to[64]);

#endif
