/* Whether the sampler is the last thread of the process. */
#ifndef LEAKSPY_OUTLIVED_H
#define LEAKSPY_OUTLIVED_H

#include <stdbool.h>

/* Whether every thread that the recorder knows has ended, the first one too. libc ends the process
 * with the last of its threads, but does not notice threads that end by a bare system call, or by
 * returning from the function of a clone() child. Then the sampler alone keeps the process alive,
 * and has to end as well, with *ret_status: the kernel takes the status of the thread that ends
 * last for that of the process (Linux 5.16 and newer; before, that of the first thread). The
 * sampler only. */
bool outlived_all(int *ret_status);

#endif
