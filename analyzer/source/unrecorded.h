/* What a recording of a running process does not tell of its threads. */
#ifndef LEAKSPY_ANALYZER_SOURCE_UNRECORDED_H
#define LEAKSPY_ANALYZER_SOURCE_UNRECORDED_H

#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"

/* Notes which threads sleep and are not told, as those that were started without libc, or that libc
 * started for itself, and have slept for at least `threshold_ns`, and since before `since_ns`
 * (CLOCK_MONOTONIC), when the recording had not been read yet: where the snapshot is of a recording
 * whose process runs and may be looked at, and where the kernel says since when its threads sleep.
 * Asks the kernel, and where there is one that sleeps so, once more after 20 ms. */
void unrecorded_note(struct snapshot *snapshot, uint64_t since_ns, int64_t threshold_ns);

#endif
