/* The objects of glibc that threads wait on: which one a futex word belongs to, and who holds it.
 *
 * Source of the layouts: glibc 2.36 (the same since 2.30), x86-64: pthread_mutex_t, pthread_cond_t
 * (until 2.40; and that of 2.41, which has no __g_refs), pthread_rwlock_t of its bits/ headers,
 * struct pthread_barrier of nptl/internaltypes.h, struct pthread of nptl/descr.h (found by the
 * tables that it keeps for debuggers, nptl_db/structs.def).
 */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_LOCKS_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/image/image.h"
#include "preload/recording.h"

/* A wait on a futex inside a function of the C library that parks in `op`. */
struct thread_lock {
    enum rec_op op;  /* what it is: of a condition's wait, the mutex may be what is waited for */
    uint64_t object; /* where the object begins; 0: not known */
    uint64_t joined_word; /* of a join: where struct pthread has the id; see thread_layout */
    uint32_t joined;      /* the kernel's id of the thread that is joined; 0: none */
};

/* args: of the futex call. */
void thread_lock_find(enum rec_op op, const uint64_t args[6], struct mem_reader *memory,
                      struct thread_lock *ret);

/* Whether the futex word of a call that no function's name explains is that of a mutex: a robust
 * one, or one with priority inheritance. */
bool thread_lock_is_mutex(const uint64_t args[6], struct mem_reader *memory);

/* Who holds a mutex, or a rwlock for writing: the kernel's id of a thread, 0: nobody. False: the
 * op has no such thing, it cannot be read, or what is there is no id. */
bool thread_lock_owner(enum rec_op op, uint64_t object, struct mem_reader *memory,
                       uint32_t *ret_tid);

/* How often a rwlock is held for reading, which nothing says by whom; 0: it is not, that is not
 * known, or the op is none of rwlocks. */
uint32_t thread_lock_readers(enum rec_op op, uint64_t object, struct mem_reader *memory);

/* Whether threads of other processes may hold it: then the holder's id is one of the holder's own
 * PID namespace, where it may be that of another thread. Of every robust mutex, too: glibc marks
 * those alike. */
bool thread_lock_is_shared(enum rec_op op, uint64_t object, struct mem_reader *memory);

/* Where struct pthread has what; all 0: not known. */
struct thread_layout {
    uint32_t tid, start_routine;
};

/* Whether `address` is that of a descriptor (what a pthread_t is). */
bool thread_is_descriptor(uint64_t address, struct mem_reader *memory);

/* The descriptor in `bytes` of memory that was read from `address`: the one
 * that points at itself and holds `tid`. 0: it is not there. */
uint64_t thread_find_descriptor(const struct thread_layout *layout, const void *memory,
                                uint64_t address, size_t bytes, uint32_t tid);

#endif
