/* The family `errors`: every error that is documented of what is intercepted, provoked; the rows
 * are called "FUNCTION, ERROR, when". documented.def says which there are, and what cannot be
 * provoked. */
#ifndef LEAKSPY_CONFORM_ERRORS_H
#define LEAKSPY_CONFORM_ERRORS_H

#include "tests/conformance/conform.h"

#define FAILS(function, error, when, ...)                                                          \
    ROW(function, #error ", " when)                                                                \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

/* The same with calls[i], one after the other, which have a name: `function`. */
#define EACH(calls, error, when, ...)                                                              \
    for (size_t i = 0; i < LENGTH(calls); i++)                                                     \
        if (row_begins(rows, calls[i].function, "%s, %s", #error, when)) {                         \
            __VA_ARGS__;                                                                           \
        }

family_fn errors_of_descriptors, errors_of_sockets, errors_of_ipc, errors_of_locks,
    errors_of_threads, errors_of_processes, errors_of_files;

/* An address where nothing is. */
extern void *const nowhere;

/* What another thread does once this one is blocked in the call: it sends a signal that is handled
 * (NULL), or calls `act`. */
void begin_while_blocked(void (*act)(void));
void end_while_blocked(void);

#define WHILE_BLOCKED(act, ...)                                                                    \
    do {                                                                                           \
        begin_while_blocked(act);                                                                  \
        __VA_ARGS__;                                                                               \
        end_while_blocked();                                                                       \
    } while (0)
#define INTERRUPTED(...) WHILE_BLOCKED(NULL, __VA_ARGS__)

/* This process gives up what only root may do, for good: for rows that are alone. */
void become_nobody(void);

/* No more of it than there is (RLIMIT_NOFILE, RLIMIT_FSIZE), until the next row. */
void limit_to(int resource, unsigned long most);

#endif
