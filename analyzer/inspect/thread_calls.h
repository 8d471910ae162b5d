/* What a thread that is parked does, by what the C library calls it: a table from functions on its
 * stack to the ops of reports. What the system call itself says: preload/goscan/system_calls.h. */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_CALLS_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"
#include "preload/goscan/system_calls.h"
#include "preload/recording.h"

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
