/* What the library of the tests has beside the parts that it tests. */
#ifndef LEAKSPY_TESTS_PARTS_H
#define LEAKSPY_TESTS_PARTS_H

#include "preload/recorder.h"

struct parts_wait {
    uint16_t call, flags;
    uint32_t arg;
    uint64_t object;
};

/* A wrapper, which must be a function of the library to be known as one: publishes, calls
 * `meanwhile` (NULL: nothing) with `arg`, and restores. */
void parts_park(struct rec_task *task, const struct parts_wait *what, void (*meanwhile)(void *),
                void *arg);

#endif
