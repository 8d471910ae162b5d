/* From an image to a snapshot: each runtime has an inspector that tells of its tasks.
 *
 * To add a runtime: one file with one inspector, and one row in inspect.c. */
#ifndef LEAKSPY_ANALYZER_INSPECT_INSPECT_H
#define LEAKSPY_ANALYZER_INSPECT_INSPECT_H

#include <stdbool.h>

#include "analyzer/base/err.h"
#include "analyzer/debug/unwind.h"
#include "analyzer/image/image.h"
#include "analyzer/inspect/c_library.h"
#include "analyzer/snapshot/builder.h"

struct inspection {
    struct image *image;
    struct snapshot_builder *builder;
    uint32_t *module_rows;       /* by row of image->modules: row of the snapshot's modules */
    struct debug_unwind *unwind; /* see inspection_unwind */
    struct c_library *libc;      /* see inspection_c_library */
};

/* The unwinder that inspectors of native code share, made when it is asked for first. NULL: there
 * is none (no memory, or no file can be read). */
struct debug_unwind *inspection_unwind(struct inspection *inspection);

/* What the C library of the process is, made when it is asked for first. NULL: no memory. */
struct c_library *inspection_c_library(struct inspection *inspection);

struct inspector {
    const char *name;
    /* Adds the tasks of one runtime, if the process has it; marks the threads that are that
     * runtime's workers. False only when nothing can be said of the process at all; what one
     * runtime does not tell is counted as loss, or noted (builder_note). */
    bool (*inspect)(struct inspection *inspection, struct err *err);
};

extern const struct inspector inspect_go, inspect_libgo, inspect_taskrt, inspect_threads;

/* Fills an initialized, empty snapshot from an image. On failure it is to be deinitialized too. */
bool inspect_image(struct image *image, struct snapshot *ret, struct err *err);

#endif
