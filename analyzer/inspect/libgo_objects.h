/* What goroutines of a libgo wait on: their sudogs and channels, and what stands on their stacks.
 */
#ifndef LEAKSPY_ANALYZER_INSPECT_LIBGO_OBJECTS_H
#define LEAKSPY_ANALYZER_INSPECT_LIBGO_OBJECTS_H

#include <stdbool.h>

#include "analyzer/inspect/libgo_looks.h"
#include "analyzer/inspect/libgo_runtime.h"

/* How many single reads one picture may take for all that; far more than a program of a million
 * goroutines needs. */
#define LIBGO_MAX_READS (UINT64_C(1) << 26)

struct libgo_reading {
    const struct libgo_runtime *runtime;
    struct mem_reader *memory;
    uint64_t reads_left; /* 0: the last ones were refused */
    bool has_found;      /* a sudog that named its goroutine: the layout is the one that is known */
};

void libgo_reading_init(struct libgo_reading *ret, const struct libgo_runtime *runtime,
                        struct mem_reader *memory);

/* Fills what the wait of a parked goroutine is on, from its reason, which is known, its stack and
 * the memory behind them. it->stack is set; it->cases refers to `cases` (GO_MAX_CASES), which this
 * fills. False: the goroutine is not what it seems. */
bool libgo_object_read(struct libgo_reading *reading, const struct libgo_look *look,
                       struct go_case *cases, struct go_goroutine *it);

#endif
