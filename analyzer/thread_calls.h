/* What a thread that is parked in a system call does: tables from numbers of system calls, and from
 * functions of the C library on its stack, to the ops of reports. */
#ifndef LEAKSPY_THREAD_CALLS_H
#define LEAKSPY_THREAD_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image.h"
#include "preload/recording.h"

struct thread_call {
    const char *name; /* the system call's; NULL: it is not known */
    enum rec_op op;
    uint64_t object; /* by the kind of the op's object; of a futex, the futex word's address */
    uint32_t arg;    /* how many descriptors it waits for, where `fds` */
    bool fds;
    bool deadline; /* it ends by itself */
};

/* Reads what a thread's system call says by itself: number and args. `memory`: where what its
 * arguments point to is read (of poll, select). */
void thread_call_read(int64_t number, const uint64_t args[6], struct mem_reader *memory,
                      struct thread_call *ret);

/* The system call that the kernel has taken up again after an interruption: then the number is that
 * of restart_syscall, and the arguments stand. */
#define THREAD_CALL_RESTART 219

#define THREAD_CALL_FUTEX 202

/* A function of the C library in which threads park; by its name without leading underscores and
 * "__GI_", without "_chk" and a version behind it. */
struct thread_function {
    const char *name;
    enum rec_op op;
};

/* The function that a symbol is for; NULL: none that parks. */
const struct thread_function *thread_function_find(const char *symbol);

/* The number of the system call that a function of that op and name makes, when it is one that the
 * kernel takes up again by restart_syscall; -1: none. */
int64_t thread_call_restarted(const struct thread_function *function);

/* Whether a wait in the system call `call` can be one of the function `function`. */
bool thread_function_fits(const struct thread_function *function, const struct thread_call *call);

/* Whether a function is one of those that the C library starts threads and programs with. */
bool thread_function_is_outermost(const char *symbol);

#endif
