/* Call stacks, of the calling thread and of parked tasks.
 *
 * libunwind is the judge of call frame information, but it is asked once an address only: what it
 * would do at a return address (stack pointer plus 48, return address below, frame pointer saved
 * there) is learned by letting it take one step over memory that answers with its own addresses,
 * and kept as a rule. Walking a stack is then a table look-up a frame: no lock, no allocation,
 * nothing of libunwind's. Where libunwind would need more than stack pointer and frame pointer
 * (signal frames), it takes the step itself.
 */
#ifndef LEAKSPY_UNWIND_H
#define LEAKSPY_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_MOST_FRAMES 64

/* A stack: `count` return addresses, innermost first, and how it ended (enum rec_site_flag). */
struct unwind_stack {
    size_t count;
    uint16_t flags;
    uint64_t pcs[UNWIND_MOST_FRAMES];
};

/* What a stack was told by: the words of stack memory that were read, and what stood there. Where
 * the same registers find the same words again, the stack is the same. */
#define UNWIND_MOST_READS 32
struct unwind_trace {
    uint64_t pc; /* 0: there is none */
    uint64_t sp, fp, high;
    uint32_t flushes;
    uint32_t count;
    struct {
        uint64_t address, value;
    } reads[UNWIND_MOST_READS];
};

/* Opens libunwind. At start, before there are threads. False: it is not there; stacks are then
 * followed by frame pointers only. */
bool unwind_init(void);

/* The stack of the calling thread, from the frame whose return address is `pc` and whose stack and
 * frame pointers after that return are `sp` and `fp`. [low, high) is the stack's memory; 0, 0: not
 * known. *trace (NULL: not wanted) is set where all of it was read from there. Not in signal
 * handlers. */
void unwind_own(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t low, uint64_t high,
                struct unwind_trace *trace, struct unwind_stack *ret);

/* Would unwind_own with low = sp tell the same stack as it did when it set *trace? The trace is the
 * calling thread's own. */
bool unwind_is_same(const struct unwind_trace *trace, uint64_t pc, uint64_t sp, uint64_t fp,
                    uint64_t high);

/* The stack of a task that is parked in a wrapper, from the sampler; `cfa` and `fp` are as
 * published (struct rec_task). Every read may fail, and does no harm. What comes back means
 * something only if the task has not moved meanwhile: the caller checks. */
void unwind_parked(uint64_t cfa, uint64_t fp, struct unwind_stack *ret);

/* The same, of a task that is parked without a wrapper's frame (REC_WAIT_PASSING). */
void unwind_passing(uint64_t cfa, uint64_t fp, struct unwind_stack *ret);

/* Is there a frame of this library's whose stack pointer after return is `cfa` on the calling
 * thread's stack? Also in signal handlers; true where it cannot be told. */
bool unwind_own_stack_has_ours(uint64_t cfa);

/* The unwinder's lock, which also guards the module table. Held around fork, so that nobody is
 * inside libunwind when the process is copied, and by the sampler for its sweep. Signals are
 * blocked meanwhile. False: a fork has it and does not get on (never for the sampler, which waits).
 */
bool unwind_lock(void);
void unwind_unlock(void);

/* Around fork: with the lock, if that can be had, and all signals blocked. The second one in parent
 * and child. */
void unwind_before_fork(void);
void unwind_after_fork(void);

/* In a fork child: the lock is free, unless the calling thread has it. Where another thread was
 * inside libunwind (a fork that nobody told us of), stacks follow frame pointers from now on. */
void unwind_forget(void);

/* Modules came or went: forgets all rules. */
void unwind_flush(void);

#endif
