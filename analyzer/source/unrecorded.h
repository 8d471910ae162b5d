/* What a recording of a running process does not tell of its threads. */
#ifndef LEAKSPY_ANALYZER_SOURCE_UNRECORDED_H
#define LEAKSPY_ANALYZER_SOURCE_UNRECORDED_H

#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"

/* Notes which threads sleep in calls that the library does not see, as inside of fgets or
 * getaddrinfo, for at least `threshold_ns`, or nobody knows for how long: where the snapshot is of
 * a recording whose process runs, and may be looked at. Asks the kernel, and where there is one
 * that sleeps so, once more after 20 ms. */
void unrecorded_note(struct snapshot *snapshot, int64_t threshold_ns);

#endif
