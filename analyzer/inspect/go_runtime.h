/* Finds the Go runtime of a process or a core: in which of its files it is, and where its data is.
 * First by symbols, then by what the scanner finds by itself, then by DWARF, each only if needed.
 * How it is laid out is told by the program's own DWARF; else by the table of versions; else, where
 * that does not have the version, by DWARF in a separate file.
 */
#ifndef LEAKSPY_ANALYZER_INSPECT_GO_RUNTIME_H
#define LEAKSPY_ANALYZER_INSPECT_GO_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/debug/go_symbols.h"
#include "analyzer/image/image.h"
#include "preload/goscan/goscan.h"

struct go_runtime {
    enum go_result result; /* GO_NOT_GO: there is no Go runtime in the process */
    uint32_t module;       /* row of the image's modules */
    uint32_t next;         /* where go_runtime_open_next goes on */
    struct go_symbols symbols;
    struct go_layout layout; /* from DWARF, where it has something else than the table */
    const char *missing;     /* member of go_layout that DWARF did not have; NULL: none */
    struct goscan scan;      /* good when the result is GO_OK; its version may be known otherwise */
    void *scratch;
};

/* False: no memory. `image` has to outlive it. */
bool go_runtime_open(struct go_runtime *ret, struct image *image);

/* The same for the next one, of a library that brings its own (-buildmode=c-shared), or GO_NOT_GO.
 * Goroutines of plugins belong to the runtime of their program. */
bool go_runtime_open_next(const struct go_runtime *before, struct go_runtime *ret,
                          struct image *image);

void go_runtime_close(struct go_runtime *runtime);

/* Marks the threads that run Go code, or wait in it. */
void go_runtime_mark_threads(const struct go_runtime *runtime, struct image *image);

#endif
