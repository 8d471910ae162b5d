/* What a call that waits for several descriptors was given. The wrapper puts it in its own frame
 * and publishes the address; the memory that it points to is the caller's, and may be anything (the
 * kernel says EFAULT): it is read by the sampler alone, which survives that. */
#ifndef LEAKSPY_POLLED_H
#define LEAKSPY_POLLED_H

#include <stdint.h>
#include <sys/syscall.h>

struct polled {
    int64_t number; /* of the system call: SYS_ppoll, SYS_pselect6 */
    uint64_t args[4];
};

/* For the wrapper's row: valid until the wrapper returns. */
#define POLLED_FDS(fds, count) ((uint64_t) & (struct polled){SYS_ppoll, {(uint64_t)(fds), (count)}})
#define POLLED_SETS(count, in, out, except)                                                        \
    ((uint64_t) &                                                                                  \
     (struct polled){SYS_pselect6,                                                                 \
                     {(uint64_t)(count), (uint64_t)(in), (uint64_t)(out), (uint64_t)(except)}})

#endif
