/* What the files of libtaskrt share. Hidden: nothing here is part of the interface.
 *
 * Who may do what:
 *   - public functions (taskrt_*) are thin; they call rt_* functions and never each other, so that
 *     an interposer sees the program's calls and nothing else;
 *   - a task gives up its thread in one place, rt_park (sched.c), which is told what it waits on;
 *   - a waker first claims the wait (rt_claim), so that of several wakers and a deadline exactly
 *     one ends it; the winner hands over the result and makes the task runnable (rt_ready).
 *
 * Lock order: channels by address, then cond, mutex, wait group, task, descriptor; then timers;
 * then idle; then the global queue and the pools of stack.c. Spin locks are never held across a
 * switch by the task that took them: rt_park releases them once the task's context is saved.
 */
#ifndef TASKRT_INTERNAL_H
#define TASKRT_INTERNAL_H

#include "runtime/taskrt.h"
#include "runtime/taskrt_inspect.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define RT_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define RT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RT_ASAN 1
#elif __has_feature(thread_sanitizer)
#define RT_TSAN 1
#endif
#endif
#ifndef RT_ASAN
#define RT_ASAN 0
#endif
#ifndef RT_TSAN
#define RT_TSAN 0
#endif

#define RT_CACHE_LINE 64
#define RT_NAME_BYTES 32

/* Fields that tools read while they change: one aligned word each, written whole. */
#define RT_SET(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define RT_PUBLISH(field, value) atomic_store_explicit(&(field), (value), memory_order_release)
#define RT_GET(field) atomic_load_explicit(&(field), memory_order_relaxed)

/* A lock of one word for sections of a few instructions; waits in the kernel when it has to. */
struct rt_lock {
    _Atomic uint32_t word; /* 0 free, 1 taken, 2 taken and somebody may sleep */
};

void rt_lock_slow(struct rt_lock *lock);
void rt_lock_wake(struct rt_lock *lock);

static inline void rt_lock(struct rt_lock *lock)
{
    uint32_t free = 0;
    if (!atomic_compare_exchange_strong_explicit(&lock->word, &free, 1, memory_order_acquire,
                                                 memory_order_relaxed))
        rt_lock_slow(lock);
}

static inline void rt_unlock(struct rt_lock *lock)
{
    if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
        rt_lock_wake(lock);
}

/* In a loop that waits for another processor. */
static inline void rt_cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("yield");
#endif
}

void rt_futex_wait(_Atomic uint32_t *word, uint32_t value);
void rt_futex_wake(_Atomic uint32_t *word, int count);

/* A task that waits in a queue. Lives in the frame of the waiting call. */
struct rt_waiter {
    struct rt_waiter *next;
    struct rt_waiter *prev;
    struct taskrt_task *task;
    const void *source; /* of a send */
    void *target;       /* of a receive */
    int32_t index;      /* of the select case */
    bool queued;        /* under the lock of the queue */
    bool alone;         /* of a channel: who claims it ends all that the task has to do there */
};

/* All zeroes is the empty queue. */
struct rt_queue {
    struct rt_waiter *first;
    struct rt_waiter *last;
};

static inline void rt_queue_push(struct rt_queue *queue, struct rt_waiter *waiter)
{
    waiter->next = NULL;
    waiter->prev = queue->last;
    if (queue->last)
        queue->last->next = waiter;
    else
        queue->first = waiter;
    queue->last = waiter;
    waiter->queued = true;
}

static inline void rt_queue_remove(struct rt_queue *queue, struct rt_waiter *waiter)
{
    if (!waiter->queued)
        return;
    if (waiter->prev)
        waiter->prev->next = waiter->next;
    else
        queue->first = waiter->next;
    if (waiter->next)
        waiter->next->prev = waiter->prev;
    else
        queue->last = waiter->prev;
    waiter->queued = false;
}

/* The first waiter whose wait nobody ended yet, taken off the queue and claimed; NULL: none. The
 * caller holds the queue's lock, and makes the task ready after releasing it. */
struct rt_waiter *rt_queue_claim(struct rt_queue *queue);

/* Which run this is. What an earlier run left in queues is not to be touched: its stacks are gone.
 */
extern _Atomic uint32_t rt_run_number;

/* Takes the lock of a queue; true: nobody has used it in this run, the caller must empty the queue.
 */
static inline bool rt_lock_in_run(struct rt_lock *lock, uint32_t *run)
{
    rt_lock(lock);
    /* Not before: a caller outside of tasks may have waited into the next run. */
    uint32_t now = atomic_load_explicit(&rt_run_number, memory_order_relaxed);
    bool first = *run != now;
    *run = now;
    return first;
}

/* A node of the heap of deadlines, in its task. Under the lock of timer.c. */
struct rt_timer {
    struct rt_timer *child;
    struct rt_timer *next; /* sibling */
    struct rt_timer *prev; /* sibling before, or the parent of a first child */
    int64_t deadline_ns;
    bool queued;
};

struct rt_worker;

struct taskrt_task {
    /* What tools read (taskrt_inspect.h). Written by the task's spawner before it is RUNNABLE, then
     * by the worker that runs the task; `state` is stored last, with release. */
    struct taskrt_task *_Atomic next_all;
    _Atomic uint32_t state;
    _Atomic uint32_t reason;
    _Atomic uint32_t object_count;
    _Atomic uint32_t reserved;
    _Atomic uint64_t object;
    _Atomic uint64_t wait_count;
    _Atomic int64_t deadline_ns;
    _Atomic int64_t parked_ns;
    _Atomic uint64_t id;
    _Atomic(void *) context_sp;
    _Atomic uint64_t tool; /* belongs to one tool */
    taskrt_fn *_Atomic start;
    _Atomic uint64_t spawner_id;
    uintptr_t stack_low; /* fixed: a task's memory is bound to its stack for good */
    uintptr_t stack_high;
    char name[RT_NAME_BYTES];

    /* The scheduler's. */
    struct taskrt_task *link;   /* next in whichever queue or free list holds the task */
    struct rt_worker *worker;   /* that runs it */
    void *arg;                  /* of start */
    void *block;                /* from malloc, which is of no use once the task is gone */
    _Atomic bool waiting;       /* the wait was not ended yet; see rt_claim */
    bool canary;                /* the stack has no guard, its lowest words are checked */
    bool cold;                  /* its stack's memory was given back to the kernel */
    uint8_t stack_class;        /* stack.c */
    int wait_result;            /* of the wait; by whoever claimed it */
    struct rt_waiter *woken_by; /* of a queue; by whoever claimed the wait; NULL: the deadline */
    struct rt_timer timer;

    /* The end of the task. Under `lock`. */
    struct rt_lock lock;
    bool detached;
    struct taskrt_task *joiner;

    void *fiber; /* a sanitizer's idea of the stack */
} __attribute__((aligned(RT_CACHE_LINE)));

/* sched.c */

typedef void rt_unlock_fn(void *arg);

/* The one place where a task waits. `reason`, `object` and `object_count` are what tools are told;
 * `deadline_ns` ends the wait (TASKRT_NEVER: none). The caller has put the task where a waker will
 * find it, behind a lock, which `unlock(unlock_arg)` releases once the task can be resumed (NULL:
 * only the deadline ends the wait, if there is one).
 * Returns what the waker set as the result, -ETIMEDOUT at the deadline. Task context. */
int rt_park(struct taskrt_task *self, enum taskrt_reason reason, uint64_t object,
            uint32_t object_count, int64_t deadline_ns, rt_unlock_fn *unlock, void *unlock_arg);

/* For rt_park, where there is one lock, which is the argument. */
void rt_unlock_one(void *lock);

/* True for exactly one caller a wait: that one sets `wait_result`, and `woken_by` where the task
 * may have waiters in queues (rt_end_wait does both), then calls rt_ready. The caller holds the
 * lock that the task parked with, or that of the timers. */
static inline bool rt_claim(struct taskrt_task *task)
{
    return atomic_exchange_explicit(&task->waiting, false, memory_order_acq_rel);
}

/* What the claimed wait of a waiter gives. Returns its task, to be made ready. */
static inline struct taskrt_task *rt_end_wait(struct rt_waiter *waiter, int result)
{
    waiter->task->wait_result = result;
    waiter->task->woken_by = waiter;
    return waiter->task;
}

/* Makes a claimed (or new) task runnable, next on the caller's worker. Not with the lock that it
 * parked with, whose memory may go as soon as it runs (that of a descriptor does not), nor with
 * that of idling or of the global queue, which this takes. Others that come before those in the
 * lock order may be held. */
void rt_ready(struct taskrt_task *task);

/* The same for a list through `link`; NULL: an empty one. */
void rt_ready_all(struct taskrt_task *list);

/* The calling task, or NULL outside tasks. Never inlined: a task moves between threads. */
struct taskrt_task *rt_self(void);

/* Goes to the end of its worker's queue, whence another worker may take it. Task context, with no
 * lock held. */
void rt_yield(struct taskrt_task *self);
/* Ends the task. The same. */
_Noreturn void rt_exit(struct taskrt_task *self);

/* The next number of its worker's generator: good for being fair, no secret. Task context. */
uint32_t rt_random(struct taskrt_task *self);

/* Whether a wait until `deadline_ns` is over before it begins: 0 go on, -EAGAIN, -ETIMEDOUT. */
int rt_deadline_check(int64_t deadline_ns);

/* The clock of all deadlines, CLOCK_MONOTONIC. */
int64_t rt_now_ns(void);

/* Tells the worker that sleeps in the kernel for deadlines of one that comes sooner. */
void rt_poller_deadline(int64_t deadline_ns);

/* task.c */

int rt_spawn(struct taskrt_task *self, const struct taskrt_options *options, taskrt_fn *fn,
             void *arg, struct taskrt_task **ret);
void rt_task_main(struct taskrt_task *self); /* called by the assembly entry */
/* The worker has left the stack of a task that ended: wakes the joiner, or frees the task. */
void rt_task_ended(struct rt_worker *worker, struct taskrt_task *task);

/* stack.c: tasks with their stacks. */

#define RT_CACHE_TASKS 64
struct rt_task_cache { /* of one worker: free tasks with a default stack */
    struct taskrt_task *first;
    uint32_t count;
};

/* A FREE task with a stack of at least `stack_bytes`; NULL: no memory. */
struct taskrt_task *rt_task_alloc(struct rt_task_cache *cache, size_t stack_bytes);
void rt_task_free(struct rt_task_cache *cache, struct taskrt_task *task);
/* After the last worker stopped: every task is FREE again, stack memory goes to the kernel. */
void rt_tasks_reset(void);
/* Aborts when a stack without a guard has been overrun. */
void rt_canary_check(const struct taskrt_task *task);

/* timer.c: deadlines, in ns of rt_now_ns. */

/* The task has parked: from now on its deadline may claim the wait. It has none yet. */
void rt_timer_add(struct taskrt_task *task, int64_t deadline_ns);
/* The same task, woken by something else; nothing where its deadline came as well. */
void rt_timer_remove(struct taskrt_task *task);
/* Without the lock. TASKRT_NEVER: there is none. */
int64_t rt_timer_earliest(void);
/* Claims every task whose deadline has passed; they are returned as a list through `link`. */
struct taskrt_task *rt_timer_expired(int64_t now_ns);
/* After the last worker stopped: forgets those of tasks that were abandoned. */
void rt_timer_reset(void);

/* netpoll.c */

int rt_netpoll_init(void); /* 0 or a negative errno */
void rt_netpoll_deinit(void);
/* Waits for descriptors for `timeout_ns` (0: not at all, TASKRT_NEVER: for ever), or until
 * rt_netpoll_interrupt. Returns how many events it wrote to `events`, which has room for `capacity`
 * of them, RT_NETPOLL_EVENT_BYTES each; 0: none, or a signal came. */
int rt_netpoll_wait(int64_t timeout_ns, void *events, int capacity);
/* Claims the tasks that the events concern; they are returned in order, a list through `link`. */
struct taskrt_task *rt_netpoll_claim(const void *events, int count);
bool rt_netpoll_interrupted(const void *events, int count); /* one of them is an interruption */
/* Ends the wait of the poller, or the next one. */
void rt_netpoll_interrupt(void);
bool rt_netpoll_has_waiters(void);

/* Room for the events of one call of rt_netpoll_wait. */
#define RT_NETPOLL_EVENTS 64
#define RT_NETPOLL_EVENT_BYTES 16

/* switch_<arch>.S */

/* Saves the callee-saved registers on the stack and the stack pointer in *save_sp, goes on at
 * load_sp. The layout of what is saved is in the macros below, and in taskrt_inspect. */
void rt_switch(_Atomic(void *) *save_sp, void *load_sp);
void taskrt_task_entry(void);

#if defined(__x86_64__)
#define RT_CONTEXT_BYTES 64 /* mxcsr and x87 control word, r15, r14, r13, r12, rbx, rbp, rip */
#define RT_CONTEXT_FP 48
#define RT_CONTEXT_PC 56
#define RT_ENTRY_SKIP 1   /* bytes of the nop at the entry */
#define RT_CONTEXT_ARG 32 /* r12: the task, for taskrt_task_entry */
#elif defined(__aarch64__)
#define RT_CONTEXT_BYTES 176 /* x29, x30, x19 to x28, d8 to d15, fpcr, fpsr */
#define RT_CONTEXT_FP 0
#define RT_CONTEXT_PC 8
#define RT_ENTRY_SKIP 4
#define RT_CONTEXT_ARG 16 /* x19 */
#else
#error "libtaskrt has no context switch for this architecture"
#endif

#endif
