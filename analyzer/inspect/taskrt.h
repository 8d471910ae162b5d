/* The tasks of a libtaskrt whose table was found, into a snapshot. */
#ifndef LEAKSPY_ANALYZER_INSPECT_TASKRT_H
#define LEAKSPY_ANALYZER_INSPECT_TASKRT_H

#include <stdbool.h>

#include "analyzer/inspect/inspect.h"
#include "runtime/taskrt_inspect.h"

/* `table` is of taskrt_find. False: no memory. */
bool inspect_taskrt_tell(struct inspection *inspection, const struct taskrt_inspect *table);

#endif
