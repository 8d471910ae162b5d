/* The C library of a process: whether it is glibc, where that keeps what of its threads, and which
 * of its functions the program called, as its own frames on a stack say. */
#ifndef LEAKSPY_ANALYZER_INSPECT_C_LIBRARY_H
#define LEAKSPY_ANALYZER_INSPECT_C_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"
#include "analyzer/inspect/thread_calls.h"
#include "analyzer/inspect/thread_list.h"
#include "analyzer/inspect/thread_locks.h"

struct c_library;

/* `image` has to outlive it. NULL: no memory. */
struct c_library *c_library_create(struct image *image);
void c_library_destroy(struct c_library *libc);

/* Whether the C library is glibc, whose objects have the layouts of thread_locks.h. */
bool c_library_is_glibc(const struct c_library *libc);

/* Where glibc has what in its descriptors of threads. */
struct thread_layout c_library_layout(const struct c_library *libc);

/* Where glibc keeps its list of threads. */
struct thread_list_layout c_library_thread_list(const struct c_library *libc);

/* The function by which the program came to park: of the C library's frames at the inner end of a
 * stack (pcs: return addresses, innermost first), the outermost that parks as the inner ones do.
 * NULL: none is known. */
const struct thread_function *c_library_parked_in(struct c_library *libc, const uint64_t *pcs,
                                                  size_t count, const struct thread_call *call);

/* How many frames at the outer end of a stack belong to what starts threads and programs. */
size_t c_library_outermost(struct c_library *libc, const uint64_t *pcs, size_t count);

#endif
