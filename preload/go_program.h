/* Is this process a program of Go's own compiler, and where are its parts? */
#ifndef LEAKSPY_GO_PROGRAM_H
#define LEAKSPY_GO_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/goscan.h"

#define GO_PROGRAM_RANGES 16

struct go_program {
    struct go_range ranges[GO_PROGRAM_RANGES]; /* what is mapped of the executable */
    size_t range_count;
    struct go_hints hints;
    uint64_t tls_bytes; /* of its thread-local storage, which ends at the thread pointer; 0: none */
};

/* Looks at the section headers of the executable, which also a stripped one has; through its
 * variables where it has none. Half a dozen system calls, no memory. At start, or in the sampler.
 */
bool go_program_find(struct go_program *ret);

#endif
