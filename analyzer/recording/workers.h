/* Which threads of a recording are those that runtimes run their tasks on. */
#ifndef LEAKSPY_ANALYZER_RECORDING_WORKERS_H
#define LEAKSPY_ANALYZER_RECORDING_WORKERS_H

#include <stdbool.h>

#include "analyzer/snapshot/snapshot.h"

/* Adds those of libtaskrt and of libgo to the snapshot's workers, once everything else was read,
 * and marks as the runtime's own what waits as they do without a task: the recording does not name
 * them, as it does those of Go's own runtime. False: no memory. */
bool workers_find(struct snapshot *snapshot);

#endif
