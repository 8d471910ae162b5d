/* The goroutines of a libgo that was found, into a snapshot. */
#ifndef LEAKSPY_ANALYZER_INSPECT_LIBGO_H
#define LEAKSPY_ANALYZER_INSPECT_LIBGO_H

#include <stdbool.h>

#include "analyzer/inspect/inspect.h"
#include "analyzer/inspect/libgo_runtime.h"

/* False: no memory. */
bool inspect_libgo_tell(struct inspection *inspection, const struct libgo_runtime *runtime);

#endif
