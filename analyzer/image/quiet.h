/* For how long nothing has run in a process: so long at least its tasks have been parked that were
 * so when they were read meanwhile. */
#ifndef LEAKSPY_ANALYZER_IMAGE_QUIET_H
#define LEAKSPY_ANALYZER_IMAGE_QUIET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"

/* The threads as they were before the tasks were read. */
struct image_quiet {
    struct image_thread *threads;
    size_t count;
    bool quiet; /* none of them ran */
};

void image_quiet_begin(struct image_quiet *ret, const struct image *image);

/* For how long (ns) no thread has run that could have run a task; 0: that is not known, or one did.
 * Threads that have not been on a CPU from before the tasks were read until now were not when each
 * of them was read. Reads the threads again (image->functions->refresh). Ends what was begun. */
int64_t image_quiet_end(struct image_quiet *quiet, struct image *image);

#endif
