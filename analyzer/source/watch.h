/* leakspy's own clock, for sources that are looked at repeatedly (report --watch): which tasks
 * stayed parked on the same thing, since when, and what grew.
 *
 * The clock itself reads nothing and knows no time but what it is told; watch_run is the loop
 * around it.
 */
#ifndef LEAKSPY_ANALYZER_SOURCE_WATCH_H
#define LEAKSPY_ANALYZER_SOURCE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/base/err.h"
#include "analyzer/snapshot/snapshot.h"

struct watch;

/* NULL: no memory. */
struct watch *watch_create(void);
void watch_destroy(struct watch *watch);

/* Remembers what one look saw; looks come in order. begin_ns, end_ns: CLOCK_MONOTONIC before and
 * after the look. False: no memory; the watch is then to be destroyed. */
bool watch_look(struct watch *watch, const struct snapshot *snapshot, uint64_t begin_ns,
                uint64_t end_ns);

/* Gives the snapshot of the last look what all looks told: ages of waits, and of the ends of
 * threads that nobody joined, that were there before (never shorter than the source says),
 * SNAPSHOT_AT_LEAST, SNAPSHOT_STAYED, SNAPSHOT_SETTLED (but not of a recording, where the sampler's
 * looks count), how many were parked so at first. Call it once. False: no memory. */
bool watch_tell(struct watch *watch, struct snapshot *snapshot);

/* Fills an initialized, empty snapshot. */
struct watch_source {
    bool (*read)(void *arg, struct snapshot *ret, struct err *err);
    void *arg;
};

/* Looks for the first time, and the last time when `duration_ns` have gone by since; *ret (not
 * initialized) is what the last look saw, after watch_tell, and is to be deinitialized. Ends early,
 * with what was seen until then, at SIGINT, or when the process is gone. False: the source cannot
 * be read, nothing in it moves any more (ERR_USAGE), or no memory; *ret is then nothing. Changes
 * the disposition of SIGINT while it runs: for the main thread of a command. */
bool watch_run(const struct watch_source *source, int64_t duration_ns, struct snapshot *ret,
               struct err *err);

/* When to look next (CLOCK_MONOTONIC), after a look from `begin_ns` to `end_ns`: ten times in all
 * where that says something, never more than half of the time, and last at `last_ns`. */
uint64_t watch_next_look(uint64_t begin_ns, uint64_t end_ns, uint64_t last_ns, int64_t duration_ns);

#endif
