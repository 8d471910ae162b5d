/* Whether the sampler is the last thread of the process. */
#ifndef LEAKSPY_OUTLIVED_H
#define LEAKSPY_OUTLIVED_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a thread of this process has ended, also the first one, which the kernel knows as long as
 * there are others. False where that cannot be told. The sampler only. */
bool outlived_thread(uint32_t os_tid);

/* Whether every thread that the recorder knows has ended, the first one too. libc ends the process
 * with the last of its threads, but does not notice threads that end by a bare system call, or by
 * returning from the function of a clone() child. Then the sampler alone keeps the process alive,
 * and has to end as well, with *ret_status: the kernel takes the status of the thread that ends
 * last for that of the process (Linux 5.16 and newer; before, that of the first thread). The
 * sampler only. */
bool outlived_all(int *ret_status);

#endif
