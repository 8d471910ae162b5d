/* The arguments of a call that waits for several descriptors. The wrapper keeps them in its own
 * frame and publishes their address. The caller's pointers among them may be wrong (the kernel says
 * EFAULT): only the sampler follows them, which survives that. */
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
