/* Functions of the C library that have no name in its symbol table, by who calls or jumps to them:
 * a stack may have them and not the function that the program called, which has left its frame. */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_INNER_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_INNER_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/debug/names.h"
#include "analyzer/inspect/thread_calls.h"

#define THREAD_INNER_MAX_BYTES 256

struct thread_inner {
    bool looked;
    struct table of_start; /* number of `functions` + 1, by where an inner function begins */
    const struct thread_function
        *functions[THREAD_INNER_MAX_BYTES]; /* NULL: several, of several ops */
    uint32_t count;
};

/* Of one file, whose code is looked at by the first thread_inner_find. False: no memory;
 * deinitialize it all the same. */
bool thread_inner_init(struct thread_inner *inner);
void thread_inner_deinit(struct thread_inner *inner);

/* The function that parks through the inner one around `address`, in the numbering of the file; of
 * several that park alike, the one with the shortest name. The code is read from `memory`, `bias`
 * further. NULL: there is none, or it is not the only kind. */
const struct thread_function *thread_inner_find(struct thread_inner *inner,
                                                const struct debug_names *names,
                                                struct mem_reader *memory, uint64_t bias,
                                                uint64_t address);

#endif
