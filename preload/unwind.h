/* Call stacks, of the calling thread and of parked tasks.
 *
 * libunwind reads the call frame information, but only once for each return address. What it does
 * there ("the caller's stack pointer is ours plus 48, the return address is right below") is
 * learned by letting it take one step over fake memory, in which every word holds its own address.
 * The result is kept as a rule. To walk a stack is then one table look-up a frame: no lock, no
 * allocation, no call of libunwind. Where a step needs more than the stack pointer and the frame
 * pointer (signal frames), libunwind takes it each time.
 */
#ifndef LEAKSPY_UNWIND_H
#define LEAKSPY_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UNWIND_MAX_FRAMES 64

/* A stack: `count` return addresses, innermost first, and how it ended (enum rec_site_flag). */
struct unwind_stack {
    size_t count;
    uint16_t flags;
    uint64_t pcs[UNWIND_MAX_FRAMES];
};

/* The words of stack memory that were read for a stack. As long as the registers and all of these
 * words are the same, so is the stack. */
#define UNWIND_MAX_READS 32
struct unwind_trace {
    uint64_t pc; /* 0: there is none */
    uint64_t sp, fp, high;
    uint32_t flushes;
    uint32_t count;
    struct {
        uint64_t address, value;
    } reads[UNWIND_MAX_READS];
};

/* Opens libunwind, if it may: before there are threads, and where the file that is found under its
 * name is to be trusted. False: it is not there; stacks are then followed by frame pointers only.
 */
bool unwind_init(bool may_open);

/* The stack of the calling thread, from the frame that a return to `pc` leads to; after that return
 * its stack and frame pointers are `sp` and `fp`. [low, high) is the memory of the stack; 0, 0: not
 * known. *trace (NULL: not wanted) is filled if all words were read from there. Not in signal
 * handlers. */
void unwind_own(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t low, uint64_t high,
                struct unwind_trace *trace, struct unwind_stack *ret);

/* Whether unwind_own with low = sp would find the stack that *trace is of. The trace was made by
 * the calling thread. */
bool unwind_is_same(const struct unwind_trace *trace, uint64_t pc, uint64_t sp, uint64_t fp,
                    uint64_t high);

/* The stack of a task that is parked in a wrapper; `cfa` and `fp` as it published them (struct
 * rec_task). Called by the sampler. The task may run meanwhile: reads that fail do no harm, and the
 * caller has to check afterwards that the task did not move. */
void unwind_parked(uint64_t cfa, uint64_t fp, struct unwind_stack *ret);

/* The same, of a task that is parked without a wrapper's frame (REC_WAIT_PASSING). */
void unwind_passing(uint64_t cfa, uint64_t fp, struct unwind_stack *ret);

/* The same, of a thread that is parked in a system call at `pc`, with the stack pointer `sp`. Its
 * frame pointer is not known: where a frame needs it, and none before has saved it, the stack is
 * BROKEN. */
void unwind_asleep(uint64_t pc, uint64_t sp, struct unwind_stack *ret);

/* Whether the calling thread's stack has a frame of this library whose CFA (stack pointer after the
 * return) is `cfa`. Also in signal handlers; true where it cannot be told. */
bool unwind_own_stack_has_ours(uint64_t cfa);

/* The lock of libunwind and of the module table. It is also taken around fork, so that nobody is
 * inside libunwind when the process is copied. All signals are blocked while it is held. False: a
 * fork holds it and may itself wait for the calling thread, or is one of the calling thread's own
 * (never in the sampler, which waits). */
bool unwind_lock(void);
void unwind_unlock(void);

/* Around fork: blocks all signals, and takes the lock if it can be had. The second one is called in
 * parent and child. A handler of a fork may fork as well. */
void unwind_before_fork(void);
void unwind_after_fork(bool in_child);

/* In a fork child: frees the lock, unless the calling thread holds it. If another thread was inside
 * libunwind at the fork, libunwind is not called any more: stacks then follow frame pointers. */
void unwind_forget(void);

/* Forgets all rules: modules were loaded or unloaded. */
void unwind_flush(void);

#endif
