/* Goroutines of gccgo's libgo: where each has its slot, and what it is about to wait for.
 *
 * Whatever is called from the wrappers runs on a goroutine's stack, which may have no more than a
 * kilobyte left: nothing here calls libc, and no frame is large.
 */
#ifndef LEAKSPY_LIBGO_H
#define LEAKSPY_LIBGO_H

#include "preload/goscan/libgo_layout.h"
#include "preload/recorder.h"

/* What a goroutine is to us. The address of a g is its for good: libgo keeps those of goroutines
 * that have ended, and uses them again. Written by whoever runs on g, or makes it. */
struct goroutine {
    uint64_t g;            /* KEY; 0: the row is free */
    struct rec_task *task; /* NULL: it has no slot, yet or again */
    struct rec_task *kept; /* for the next goroutine that is given this g */
    uint64_t object;       /* of the select or the semaphore that it is in */
    uint32_t arg;          /* cases of the select, or enum libgo_semaphore */
    bool lost;             /* there was no room for a slot */
};

/* What a semaphore is part of. */
enum libgo_semaphore {
    LIBGO_SEMAPHORE,
    LIBGO_MUTEX,
    LIBGO_RWMUTEX_READ,
    LIBGO_RWMUTEX_WRITE,
    LIBGO_WAITGROUP,
    LIBGO_SEMAPHORES
};

/* What is known of the libgo in this process. Written at start, or when it is loaded. */
struct libgo {
    bool present;
    bool layout_known;      /* it is the libgo that enum libgo_layout describes */
    int64_t g_offset;       /* from the thread pointer to runtime.g; 0: ask get_g */
    int64_t segment_offset; /* the same to __morestack_current_segment; 0: not known */
    void *(*get_g)(void);
    struct goroutine *table; /* open addressing; the index is g / 2048 */
    uint64_t mask;
};

extern HIDDEN struct libgo libgo;

/* Looks for libgo in the process: at start, and when a goroutine is made that nobody expected. With
 * a C stack. */
void libgo_init(void);

/* Looks for its variables only. False: there is no libgo. */
bool libgo_attach(void);

/* Writes the wait reasons into a new recording, and forgets the slots of the one before. Also in a
 * fork child. */
void libgo_add_calls(void);

/* The row of `g`; made if there is none. NULL: no room. Any thread. */
struct goroutine *libgo_row(uint64_t g);

/* A slot for a goroutine whose start was not seen. NULL: no room (counted once). */
struct rec_task *libgo_adopt(struct goroutine *self);

/* Makes room for what is known of timers. When the layout is known. */
void libgo_timers_init(void);

/* Whether a timer is set that will send on a channel. False also where that is not known: of a
 * timer that was started before there was a recording, or displaced by many others. The sampler. */
bool libgo_has_timer(uint64_t channel);

/* What lies at `offset` from the thread pointer. */
static inline uint64_t libgo_thread_word(int64_t offset)
{
#if defined(__x86_64__)
    uint64_t word;
    __asm__ volatile("movq %%fs:(%1), %0" : "=r"(word) : "r"(offset));
    return word;
#else
    return *(volatile uint64_t *)((char *)__builtin_thread_pointer() + offset);
#endif
}

/* The row of the goroutine that runs. NULL: none runs here, or no room. */
static inline struct goroutine *libgo_self(void)
{
    uint64_t g =
        likely(libgo.g_offset != 0) ? libgo_thread_word(libgo.g_offset) : (uint64_t)libgo.get_g();
    struct goroutine *row = &libgo.table[(g >> 11) & libgo.mask];
    return likely(row->g == g && g != 0) ? row : libgo_row(g);
}

#endif
