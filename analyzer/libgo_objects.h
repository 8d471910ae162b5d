/* What goroutines of a libgo wait on: their sudogs and channels, and what stands on their stacks.
 */
#ifndef LEAKSPY_LIBGO_OBJECTS_H
#define LEAKSPY_LIBGO_OBJECTS_H

#include <stdbool.h>

#include "analyzer/libgo_looks.h"
#include "analyzer/libgo_runtime.h"

/* Fills what the wait of a parked goroutine is on, from its reason, which is known, its stack and
 * the memory behind them. it->stack is set; it->cases refers to `cases` (GO_MAX_CASES), which this
 * fills. False: the goroutine is not what it seems. */
bool libgo_object_read(const struct libgo_runtime *runtime, struct mem_reader *memory,
                       const struct libgo_look *look, struct go_case *cases,
                       struct go_goroutine *it);

#endif
