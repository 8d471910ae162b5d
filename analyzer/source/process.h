/* A running process that was not recorded, as a snapshot. */
#ifndef LEAKSPY_ANALYZER_SOURCE_PROCESS_H
#define LEAKSPY_ANALYZER_SOURCE_PROCESS_H

#include <sys/types.h>

#include "analyzer/base/err.h"
#include "analyzer/snapshot/snapshot.h"

struct kept_stacks;

/* Looks at a process once and fills an initialized, empty snapshot; on failure it is to be
 * deinitialized too. Errors: those of image_open_process; it ended before anything was told of it,
 * or executed another program meanwhile. `kept`: what is kept
 * from one look at this process to the next; NULL: it is the only one. */
bool source_process_read(pid_t pid, struct kept_stacks *kept, struct snapshot *ret,
                         struct err *err);

#endif
