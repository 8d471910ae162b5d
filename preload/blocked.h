/* Does the kernel agree that a thread is parked where it says it is? */
#ifndef LEAKSPY_BLOCKED_H
#define LEAKSPY_BLOCKED_H

#include <stdbool.h>
#include <stdint.h>

/* A handler that leaves a parked call by longjmp leaves the wait published behind: the thread runs, or
 * its stack is shorter than the wrapper's frame, whose end is `cfa`. False only then; true also where
 * /proc does not tell. The sampler, with descriptors of its own. */
bool blocked_below(uint32_t tid, uint64_t cfa);

#endif
