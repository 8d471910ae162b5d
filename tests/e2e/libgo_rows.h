/* Every way to park a goroutine of libgo: what libgo_waits.go parks in, and how that is to be told
 * by a recording as by a look at the process. */
#ifndef LEAKSPY_TESTS_LIBGO_ROWS_H
#define LEAKSPY_TESTS_LIBGO_ROWS_H

#include "tests/e2e/harness.h"

/* `where`: what the program's marks call the wait. */
struct libgo_row {
    const char *where, *verdict, *op, *object, *function;
    int capacity, length; /* of the channel; -1: it waits on none */
    bool deadline;
};

extern const struct libgo_row libgo_rows[];
enum { LIBGO_ROWS = 23 };

/* Starts the program, with the preload or without, and waits until all of it is parked, or will be
 * soon. One program serves for all rows: it does the same for each. */
struct target *libgo_start(bool preload);

/* The group of a row, of the program that was started last. */
struct expected_group libgo_group(const struct libgo_row *row);

/* The line of the program's source that is marked "what where.". */
int libgo_line(const char *what, const char *where);

/* The group of a row is in a report, and its channel is told, with how many wait on each side of
 * it. Returns the group. */
const json_t *assert_libgo_row(json_t *report, const struct libgo_row *row);

/* How many rows are findings. */
size_t libgo_findings(void);

#endif
