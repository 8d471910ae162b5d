/* A recording as a snapshot. */
#ifndef LEAKSPY_ANALYZER_SOURCE_RECORDING_H
#define LEAKSPY_ANALYZER_SOURCE_RECORDING_H

#include "analyzer/base/err.h"
#include "analyzer/snapshot/snapshot.h"

/* Reads the recording at `path`, of a process that runs or has ended, into an initialized, empty
 * snapshot. Rows that make no sense are left out and counted in snapshot->loss. On failure the
 * snapshot is to be deinitialized as well. Errors: those of rec_file_open, ERR_IO, ERR_MEMORY. */
bool source_recording_read(const char *path, struct snapshot *ret, struct err *err);

/* Waits until the sampler of the recording at `path` has looked at all tasks so many times more:
 * not where it looks less than once a second or has not looked for so long, or where the process
 * has ended; and for ten seconds at most. Returns whether it has. */
bool source_recording_await_looks(const char *path, int looks);

#endif
