/* The list that glibc keeps of all its threads: those too that have ended and that nobody joined.
 *
 * Source: glibc 2.36, nptl/allocatestack.c and sysdeps/generic/ldsodefs.h
 * (_rtld_global._dl_stack_used, _dl_stack_user; before 2.34 stack_used and __stack_user of
 * libpthread), found as libthread_db finds them (nptl_db/structs.def). */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_LIST_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"

/* Where the lists are; all 0: not known. */
struct thread_list_layout {
    uint64_t heads[2];       /* addresses of struct list_head: {next, prev} */
    uint32_t list;           /* the same in struct pthread */
    uint32_t tid;            /* pid_t; 0 before the thread has begun, and when it has ended */
    uint32_t cancelhandling; /* int; says that it ends */
    uint32_t start_routine;  /* the function that it was started with */
};

struct listed_thread {
    uint64_t descriptor;
    uint64_t start_routine;
    uint32_t tid; /* 0: it has ended, and its descriptor waits for a join */
};

/* Reads the list of a process. *ret: to be freed. Returns how many; 0, too, where the list cannot
 * be read or changed meanwhile. */
size_t thread_list_read(const struct thread_list_layout *layout, struct mem_reader *memory,
                        struct listed_thread **ret);

#endif
