/* How a thread or task publishes that it waits.
 *
 * A hook decides nothing: it publishes a wait, calls the real function, and restores. Everything
 * else (how long, where, on what) is the sampler's business. */
#ifndef LEAKSPY_WAITS_H
#define LEAKSPY_WAITS_H

#include <stdint.h>

#include "preload/recorder.h"

/* A published wait; lives in the frame of the wrapper. */
struct wait {
    struct rec_task *task;
    uint32_t outer_gen; /* the wait that this one interrupted (a signal handler's call); 0: none */
    uint64_t outer_what;
    uint64_t outer_object;
    uint64_t outer_cfa;
    uint64_t outer_fp;
};

/* The rare halves of the two functions below. */
void wait_begin_nested(struct wait *wait, uint64_t cfa);
void wait_end_nested(struct wait *wait);

/* The number of the task's next wait. One instruction where it is for a thread of its own, so that
 * a handler that waits in the middle never gets the same. */
__attribute__((always_inline)) static inline uint32_t wait_number(struct rec_task *task)
{
    uint32_t seq;
    do {
#if defined(__x86_64__)
        seq = 1;
        __asm__ volatile("xaddl %0, %1" : "+r"(seq), "+m"(task->seq) : : "memory", "cc");
#else
        seq = __atomic_fetch_add(&task->seq, 1, __ATOMIC_RELAXED);
#endif
    } while (unlikely(++seq == 0));
    return seq;
}

/* rec_task.what, in the byte order of the processors that there are recorders for. */
__attribute__((always_inline)) static inline uint64_t wait_what(uint16_t call, uint16_t flags,
                                                                uint32_t arg)
{
    _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "call comes first");
    return (uint64_t)call | (uint64_t)flags << 16 | (uint64_t)arg << 32;
}

/* Publishes that `task` waits. To be called from the wrapper itself, inlined: the frame that is
 * published is the wrapper's, whose caller is the first frame of the wait's stack.
 *
 * A signal handler may wait anywhere in here. What it publishes over our fields it does under a
 * seq of its own, so that a seq that is still ours after gen was stored proves the fields ours. */
__attribute__((always_inline)) static inline void
wait_publish(struct rec_task *task, uint16_t call, uint16_t flags, uint64_t object, uint32_t arg)
{
    for (;;) {
        uint32_t seq = wait_number(task);
        __atomic_thread_fence(__ATOMIC_RELEASE); /* gen was 0 before any field changes */
        SHARED_PUT(task->what, wait_what(call, flags, arg));
        SHARED_PUT(task->object, object);
        SHARED_PUT(task->cfa, (uint64_t)__builtin_dwarf_cfa());
        SHARED_PUT(task->fp, (uint64_t)__builtin_frame_address(0));
        __atomic_store_n(&task->gen, seq, __ATOMIC_RELEASE);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        if (likely(SHARED_GET(task->seq) == seq))
            return;
        SHARED_PUT(task->gen, 0);
    }
}

/* What a thread publishes that takes a lock which is free. `cfa` and `fp` are the caller's stack
 * pointer after the return, and its frame pointer. */
struct passing {
    uint64_t what, object, cfa, fp;
};

__attribute__((always_inline)) static inline struct passing
wait_passing(uint16_t call, uint64_t object, uint64_t cfa, uint64_t fp)
{
    return (struct passing){wait_what(call, REC_WAIT_PASSING, 0), object, cfa, fp};
}

/* Has `task` published just that, and is nothing told of it yet? Then there is nothing to do, and
 * nothing else to ask: who published it waited for nothing, and is recorded. That is so for a lock
 * that is taken over and over, which is what programs do most; a store would be waited for by the
 * instruction that takes the lock. The flags are read plainly, since GCC compares no volatile word
 * where it lies. */
__attribute__((always_inline)) static inline bool wait_is_published(const struct rec_task *task,
                                                                    struct passing passing)
{
#if defined(__SANITIZE_THREAD__)
    uint16_t flags = SHARED_GET(task->detail_flags);
#else
    uint16_t flags = task->detail_flags;
#endif
    return likely(!(flags & REC_DETAIL_WAITS) && task->cfa == passing.cfa &&
                  task->fp == passing.fp && task->object == passing.object &&
                  task->what == passing.what);
}

/* Publishes that `task`, which waits for nothing, takes a lock that is free. It is never taken
 * back: should another thread be quicker, the sampler finds out from the kernel. A handler that
 * waits in the middle spoils the fields: then they do not fit what the kernel says. */
__attribute__((always_inline)) static inline void wait_publish_passing(struct rec_task *task,
                                                                       struct passing passing)
{
    if (unlikely(SHARED_GET(task->detail_flags) & REC_DETAIL_WAITS))
        wait_number(task); /* what is told of it ends here */
    SHARED_PUT(task->cfa, passing.cfa);
    SHARED_PUT(task->fp, passing.fp);
    SHARED_PUT(task->object, passing.object);
    SHARED_PUT(task->what, passing.what);
}

/* As wait_publish, where there may be a wait around it. Ends with wait_end. */
__attribute__((always_inline)) static inline void wait_begin(struct wait *wait,
                                                             struct rec_task *task, uint16_t call,
                                                             uint16_t flags, uint64_t object,
                                                             uint32_t arg)
{
    wait->task = task;
    wait->outer_gen = SHARED_GET(task->gen);
    if (unlikely(wait->outer_gen != 0))
        wait_begin_nested(wait, (uint64_t)__builtin_dwarf_cfa());
    wait_publish(task, call, flags, object, arg);
}

/* The wait is over. */
__attribute__((always_inline)) static inline void wait_end(struct wait *wait)
{
    if (unlikely(wait->outer_gen != 0))
        wait_end_nested(wait);
    else
        __atomic_store_n(&wait->task->gen, 0, __ATOMIC_RELEASE);
}

#endif
