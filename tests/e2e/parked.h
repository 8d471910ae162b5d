/* Programs that park one named thread (or task) in one function.
 *
 * `parked NAME park` parks it; `parked NAME pass` makes the same call when it has no need to wait,
 * or is woken at once, and keeps the thread alive in what is not recorded, since of a thread that
 * has ended nothing is told in any case. Either prints the object of the wait ("object 0x…", or
 * "object none" when it is not to be compared) and "ready", and holds until stdin ends.
 */
#ifndef LEAKSPY_E2E_PARKED_H
#define LEAKSPY_E2E_PARKED_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/e2e/check.h"

struct row {
    const char *name;
    void (*prepare)(void);    /* so that the call would park; NULL: nothing to do */
    void (*release)(void);    /* so that it would not any more; before the call */
    void (*nudge)(void);      /* wakes the parked call; again and again until it has returned */
    void (*park)(void);       /* makes the call */
    uint64_t (*object)(void); /* NULL: not to be compared */
    void (*clean)(void);      /* removes what would outlive the process */
    bool c11;                 /* the thread is one of C11's */
};

/* Defines a row and begins the body of its park function. */
#define PARK(name_, ...)                                                                           \
    static void park_in_##name_(void);                                                             \
    extern const struct row row_##name_;                                                           \
    const struct row row_##name_ = {.name = #name_, .park = park_in_##name_, __VA_ARGS__};         \
    __attribute__((noinline)) static void park_in_##name_(void)

/* The thread that parks; for nudges. */
extern pthread_t parked_thread;

/* Whether the program was told to pass. */
extern bool passing;

/* An hour from now on the clock, or an hour. */
const struct timespec *in_an_hour(clockid_t clock);
extern const struct timespec one_hour;

/* How long to sleep: an hour, or a millisecond when passing. */
const struct timespec *sleep_time(void);

#endif
