/* The kernel's id of the calling thread, without a system call: the C library keeps it in the
 * thread's descriptor, and tells debuggers where.
 *
 * Source: glibc 2.36, nptl_db/structs.def and nptl_db/db_info.c.
 */
#ifndef LEAKSPY_OWN_TID_H
#define LEAKSPY_OWN_TID_H

#include <stdbool.h>
#include <stdint.h>

/* Learns where it is kept, and tries it. At start, once, on a thread that the C library made. */
void own_tid_init(void);

/* Whether that was learned: then it takes no system call. */
bool own_tid_is_known(void);

/* On a thread that the C library made, and not in a child of vfork or a bare clone, which finds its
 * parent's there; where it keeps no id, it is asked of the kernel. Lock-free, async-signal-safe. */
uint32_t own_tid(void);

/* The same of the thread with this handle, which may have ended. 0: it has, or that cannot be read.
 * By a system call. */
uint32_t own_tid_of(uint64_t handle);

#endif
