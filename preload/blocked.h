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

enum blocked {
    BLOCKED_ELSEWHERE, /* or /proc does not tell */
    BLOCKED_THERE,
    BLOCKED_NOT, /* it runs, or waits for a processor, a page or a debugger */
};

/* Is the thread `tid` parked in the kernel for the lock in [lock, lock + lock_bytes), called by the
 * frame whose stack pointer after return is `cfa`? The sampler, with descriptors of its own. */
enum blocked blocked_in_lock(uint32_t tid, uint64_t lock, uint64_t lock_bytes, uint64_t cfa);

#endif
