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
};

/* The last ones do not park: they are only called everywhere. */
extern const struct parker parkers_lock[], parkers_io[], parkers_other[], parkers_life[];
extern const size_t parkers_lock_count, parkers_io_count, parkers_other_count, parkers_life_count;

/* Removes what outlives the process. */
void parkers_finish(void);

/* After parkers_finish: as if no call had been prepared. */
void parkers_renew(void);
void parkers_lock_renew(void), parkers_other_renew(void);

/* fork; _Fork, while this process is inside one. */
pid_t parkers_fork(void);
extern bool parkers_are_inside_fork;

/* Everything is tried with it, also where it takes long; with LEAKSPY_CONFORMANCE, with all. */
bool parker_is_usual(const struct parker *parker);

/* The n-th of all that park; NULL: there are no more. */
const struct parker *parker_at(size_t n);

#endif
