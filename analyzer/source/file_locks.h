/* Who holds the locks of files that threads of a running process wait for. */
#ifndef LEAKSPY_ANALYZER_SOURCE_FILE_LOCKS_H
#define LEAKSPY_ANALYZER_SOURCE_FILE_LOCKS_H

#include "analyzer/snapshot/snapshot.h"

/* Fills snapshot->holders, where the snapshot is of a process that runs, or of its recording: of
 * the waits that stand before and after the kernel was asked. */
void file_locks_find(struct snapshot *snapshot);

#endif
