/* Whether threads that wait for each other do so at one moment.
 *
 * What each waits for, and who holds it, was read one after another, while the others ran: waits
 * and holders of different moments can look like a cycle that never was. */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_CYCLES_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_CYCLES_H

#include <stdbool.h>
#include <stddef.h>

#include "analyzer/inspect/thread_waits.h"
#include "analyzer/snapshot/snapshot.h"

/* Of the threads that stand in cycles or wait behind one: looks at each, reads all holders anew,
 * and looks at each again. Those that stood still through all of this, with the same holder as was
 * told, have SNAPSHOT_SETTLED afterwards: all of them stood so at one moment. Those that did not
 * have it no longer, and their holder is not told. The others stay as they were.
 *
 * The rows of `waits` are in the order in which they were told; `first`: index in snapshot->tasks
 * of the first that has not ended. For images with functions->look. Reads the process; may take
 * some 50 ms longer where a thread that was stopped is not back in its call. False: no memory. */
bool thread_cycles_prove(struct thread_waits *waits, struct snapshot *snapshot, size_t first);

#endif
