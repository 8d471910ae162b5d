/* What the kernel says of parked threads. */
#ifndef LEAKSPY_BLOCKED_H
#define LEAKSPY_BLOCKED_H

#include <stdbool.h>
#include <stdint.h>

struct blocked_call {
    bool running;
    int64_t number; /* of the system call; -1: it is parked, but in none */
    uint64_t args[6];
    uint64_t sp;
};

/* In which system call the thread `tid` of the process `pid` is. False: /proc does not tell. In the
 * process itself: the sampler, with descriptors of its own. */
bool blocked_call(uint32_t pid, uint32_t tid, struct blocked_call *ret);

/* Does the kernel agree that a thread is parked where it says it is? A handler that leaves a parked
 * call by longjmp leaves the wait published behind: the thread runs, or its stack is shorter than
 * the wrapper's frame, whose end is `cfa`. False only then; true also where /proc does not tell.
 * The sampler, with descriptors of its own. */
bool blocked_below(uint32_t tid, uint64_t cfa);

/* Is the thread `tid` parked in the kernel for the mutex at `lock`, called by the frame whose stack
 * pointer after return is `cfa`? False also where /proc does not tell. The sampler, with
 * descriptors of its own. */
bool blocked_in_lock(uint32_t tid, uint64_t lock, uint64_t cfa);

/* How often the thread has gone to sleep, which names the sleep that it is in. 0: /proc does not
 * tell. The sampler, with descriptors of its own. */
uint32_t blocked_sleeps(uint32_t tid);

#endif
