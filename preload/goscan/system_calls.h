/* What a thread that is parked in a system call does, by the call's number and arguments. */
#ifndef LEAKSPY_SYSTEM_CALLS_H
#define LEAKSPY_SYSTEM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/reader.h"
#include "preload/recording.h"

struct thread_call {
    const char *name; /* the system call's; NULL: it is not known */
    enum rec_op op;
    uint64_t object; /* by the kind of the op's object; of a futex, the futex word's address; of
                        processes as waitpid is given it, 0: not known */
    int32_t pidfd;   /* the descriptor of the process that it waits for, where has_pidfd */
    uint32_t arg;    /* how many descriptors it waits for, where `fds`; 0: for none, or which
                        they are cannot be read */
    bool fds;
    bool has_pidfd;
    bool deadline; /* it ends by itself */
    int timeout;   /* it does so, too, where its descriptor is a socket that has this option:
                      SO_RCVTIMEO, SO_SNDTIMEO; 0: none */
};

/* Reads what a thread's system call says by itself: number and args. `memory`: where what its
 * arguments point to is read (of poll, select, io_uring_enter). */
void thread_call_read(int64_t number, const uint64_t args[6], struct mem_reader *memory,
                      struct thread_call *ret);

#endif
