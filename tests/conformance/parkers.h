/* Every call that parks, as a row: how to make it park, how to make it come back, and what it says
 * then. The families `calls` and `contexts` do everything that can happen to a parked call, and
 * everywhere from where one can be called, with each of them. */
#ifndef LEAKSPY_CONFORM_PARKERS_H
#define LEAKSPY_CONFORM_PARKERS_H

#include "tests/conformance/conform.h"

struct parker {
    const char *function;       /* row of hooks.def */
    const char *how;            /* "": as one would expect */
    void (*prepare)(bool open); /* open: the call will not park */
    void (*call)(bool open);    /* says what came of it */
    void (*release)(void);      /* by the thread that prepared; NULL: a signal or time ends it */
    void (*left)(void);         /* says what the call left; NULL: nothing to be seen */
    unsigned flags;
};

enum parker_flag {
    REAPS = 1, /* it takes any child that ends */
    FORKS = 2, /* to prepare it takes a fork, open as well */
};

extern const struct parker parkers_lock[], parkers_io[], parkers_other[];
extern const size_t parkers_lock_count, parkers_io_count, parkers_other_count;

/* Removes what outlives the process. */
void parkers_finish(void);

/* Everything is tried with it, also where it takes long; with LEAKSPY_CONFORMANCE=all, with all. */
bool parker_is_usual(const struct parker *parker);

/* The n-th of all; NULL: there are no more. */
const struct parker *parker_at(size_t n);
const struct parker *parker_named(const char *function, const char *how);

#endif
