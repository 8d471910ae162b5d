/* What a report says of `killed`, compared with the book that the program kept (killed.h). */
#ifndef LEAKSPY_E2E_KILL_CLAIMS_H
#define LEAKSPY_E2E_KILL_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/e2e/killed.h"

/* The numbers of a report that are compared; what was, and what may have been on its way. */
struct kill_range {
    int64_t low, high;
};

/* Of what moment a report tells. */
struct kill_moment {
    uint64_t now_ns; /* CLOCK_MONOTONIC that its ages refer to */
    bool copied;     /* it was copied while it was written: of threads that moved meanwhile (see
                        BOOK_MOVED) nothing is compared, and numbers and stacks are not */
    bool shuffled; /* nor who is deadlocked: the header is not what was copied first, so that waits
                      which never were at one time may all seem to last */
};

/* How many claims were compared. */
struct kill_counts {
    unsigned reports, waits, deadlocks, unjoined, moved;
};

/* Compares the numbers and each group of a report with the book of the process, NULL where it had
 * not begun one. Prints what is false, and returns how much that is. */
unsigned kill_compare(const json_t *json, const struct book_process *process,
                      const struct kill_moment *moment, struct kill_counts *counts);

#endif
