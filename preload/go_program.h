/* Where the parts of Go's own runtime are: in the program, or in a library (-buildmode=c-shared).
 */
#ifndef LEAKSPY_GO_PROGRAM_H
#define LEAKSPY_GO_PROGRAM_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/goscan.h"

#define GO_PROGRAM_RANGES 16

struct go_program {
    struct go_range ranges[GO_PROGRAM_RANGES]; /* what is mapped of its file */
    size_t range_count;
    struct go_hints hints;
    uint64_t tls_bytes; /* of an executable's thread-local storage, which ends at the thread
                           pointer; 0: none */
};

/* Takes what is mapped of a file, and its thread-local storage, from its program headers. `bias`:
 * what they say of addresses is less by that. Any thread. */
void go_program_take_segments(struct go_program *ret, const ElfW(Phdr) * headers, size_t count,
                              uint64_t bias);

/* Is this process a program of Go's own compiler? Looks at the section headers of the executable,
 * which also a stripped one has; through its variables where it has none. Half a dozen system
 * calls, no memory. At start, or in the sampler.
 */
bool go_program_find(struct go_program *ret);

#endif
