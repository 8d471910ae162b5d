/* What the C library's own frames on a stack say: which of its functions the program called. */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_NAMES_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"
#include "analyzer/inspect/thread_calls.h"
#include "analyzer/inspect/thread_list.h"
#include "analyzer/inspect/thread_locks.h"

struct thread_names;

/* `image` has to outlive it. NULL: no memory. */
struct thread_names *thread_names_create(struct image *image);
void thread_names_destroy(struct thread_names *names);

/* Whether the C library is glibc, whose objects have the layouts of thread_locks.h. */
bool thread_names_are_glibc(const struct thread_names *names);

/* Where glibc has what in its descriptors of threads. */
struct thread_layout thread_names_layout(const struct thread_names *names);

/* Where glibc keeps its list of threads. */
struct thread_list_layout thread_names_list(const struct thread_names *names);

/* The function by which the program came to park: of the C library's frames at the inner end of a
 * stack (pcs: return addresses, innermost first), the outermost that parks as the inner ones do.
 * NULL: none is known. */
const struct thread_function *thread_names_parked_in(struct thread_names *names,
                                                     const uint64_t *pcs, size_t count,
                                                     const struct thread_call *call);

/* How many frames at the outer end of a stack belong to what starts threads and programs. */
size_t thread_names_outermost(struct thread_names *names, const uint64_t *pcs, size_t count);

#endif
