/* A running process that was not recorded, as a snapshot. */
#ifndef LEAKSPY_SOURCE_PROCESS_H
#define LEAKSPY_SOURCE_PROCESS_H

#include <sys/types.h>

#include "analyzer/err.h"
#include "analyzer/snapshot.h"

/* Looks at a process once and fills an initialized, empty snapshot; on failure it is to be
 * deinitialized too. Errors: those of image_open_process; it ended before anything was told of it,
 * or executed another program meanwhile. */
bool source_process_read(pid_t pid, struct snapshot *ret, struct err *err);

#endif
