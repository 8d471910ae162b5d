/* Whether the sampler is the last thread of the process. */
#ifndef LEAKSPY_OUTLIVED_H
#define LEAKSPY_OUTLIVED_H

#include <stdbool.h>

/* Has every thread that the recorder knows ended, the first one too? libc ends the process when the
 * last of its threads has ended. It cannot where some were left by a system call, or by the return
 * from the function of a clone() child: what the process then lasts for is the sampler. The status
 * to end with is that of the last one, which the kernel takes for the process's (Linux 5.16 and
 * newer; before, it was the first thread's). The sampler only. */
bool outlived_all(int *ret_status);

#endif
