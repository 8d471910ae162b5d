/* What the kernel says of parked threads, by /proc. Called by the sampler, which has a table of
 * descriptors of its own, or by a process that records another one. */
#ifndef LEAKSPY_BLOCKED_H
#define LEAKSPY_BLOCKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/proc.h"

struct blocked_call {
    bool running;
    int64_t number; /* of the system call; -1: it is parked, but in none */
    uint64_t args[6];
    uint64_t sp, pc; /* 0: not known */
};

/* In which system call the thread `tid` of the process `pid` is. False: /proc does not tell. */
bool blocked_call(uint32_t pid, uint32_t tid, struct blocked_call *ret);

/* Whether a thread is still inside the wrapper whose frame ends at `cfa`. It is not if a signal
 * handler left the wrapper by longjmp, which leaves the wait published: then the thread runs, or
 * its stack pointer is above `cfa`. */
bool blocked_below(const struct blocked_call *call, uint64_t cfa);

/* Whether that call waits for the mutex at `lock`, from the frame whose stack pointer after the
 * return is `cfa`. */
bool blocked_is_in_lock(const struct blocked_call *call, uint64_t lock, uint64_t cfa);

/* Whether that call waits for a mutex (*ret_lock) that is none of `bytes` bytes at `object`, from
 * the frame at `cfa`. */
bool blocked_relocks(const struct blocked_call *call, uint64_t object, size_t bytes, uint64_t cfa,
                     uint64_t *ret_lock);

/* How often the thread `tid` of the process `pid` has gone to sleep: the same number twice is the
 * same sleep. 0: /proc does not tell. */
uint32_t blocked_sleeps(uint32_t pid, uint32_t tid);

#endif
