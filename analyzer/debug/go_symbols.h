/* What the section headers and symbols of a file say of a Go runtime in it: where its data is.
 * Reads only these, since it is asked of every file of a process. */
#ifndef LEAKSPY_ANALYZER_DEBUG_GO_SYMBOLS_H
#define LEAKSPY_ANALYZER_DEBUG_GO_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/debug/head.h"
#include "preload/goscan/goscan.h"

struct go_symbols {
    bool has_sections;     /* the file can be read, and has section headers */
    bool is_go;            /* one of them is of Go's own linker */
    bool has_symbols;      /* symbols of the runtime's data were found */
    struct go_hints hints; /* layout is not set */
    uint64_t all_m;        /* runtime.allm; 0: not known */
    uint64_t scheduler;    /* runtime.sched; 0: not known */
    struct debug_sections debug;
};

/* Reads the file at `path`, whose addresses are `bias` less than those of the process. What cannot
 * be read, or is no ELF file of 64 bits, leaves *ret all zeroes. */
void go_symbols_read(const char *path, uint64_t bias, struct go_symbols *ret);

#endif
