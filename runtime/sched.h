/* The workers: what run.c, sched.c and idle.c share, and the few things that task.c needs of them.
 */
#ifndef TASKRT_SCHED_H
#define TASKRT_SCHED_H

#include "runtime/internal.h"

#include <pthread.h>

#define RT_RING 256U /* tasks that wait on one worker; a power of two */

struct rt_worker {
    /* Run queue. `next` runs first: the task that the current one made runnable last. The ring is
     * filled by its worker alone, and emptied by it and by thieves; they agree through ring_head.
     */
    struct taskrt_task *_Atomic next;
    _Atomic uint32_t ring_head;
    _Atomic uint32_t ring_tail;
    _Atomic uint32_t ticks; /* tasks that it began to run; also read by the watcher */
    uint32_t next_streak;   /* how many of the last ones came from `next` */
    unsigned int looks_at;  /* another worker, which may be stuck; see rt_take_from_stuck */
    uint32_t seen_ticks;    /* of that one, when it was looked at last */
    uint32_t random;

    /* What is to be done once the stack of the task that ran last has been left. */
    enum { RT_PARK, RT_YIELD, RT_EXIT } action;
    int64_t deadline_ns;
    rt_unlock_fn *unlock;
    void *unlock_arg;

    struct taskrt_task *_Atomic current; /* also read by tools */
    _Atomic uint32_t tid;     /* the same: the kernel's id of its thread, while it runs */
    _Atomic(void *) sched_sp; /* of the loop below the tasks, on the thread's own stack */
    struct rt_task_cache cache;

    struct taskrt_task *_Atomic ring[RT_RING];

    /* Idling; under idle_lock. */
    struct rt_worker *idle_next;
    bool idle;
    bool searching;                 /* by the worker; of an idle one, by whoever wakes it */
    _Atomic uint32_t wake;          /* futex */
    _Atomic uint32_t watched_ticks; /* by the watcher: what it saw when it looked last */

    unsigned int number;
    pthread_t thread;
    void *fiber; /* of the thread's own stack, for a sanitizer */
    void *fake_stack;
    const void *stack_bottom;
    size_t stack_bytes;
} __attribute__((aligned(RT_CACHE_LINE)));

/* The one runtime of the process, while taskrt_run runs. */
struct rt_runtime {
    struct rt_worker *workers;
    unsigned int count;
    struct taskrt_task *first_task; /* taskrt_run returns when it has ended */
    _Atomic bool stopping;
    int result;

    /* Tasks that did not fit a ring. */
    struct rt_lock queue_lock;
    struct taskrt_task *queue_first;
    struct taskrt_task *queue_last;
    _Atomic size_t queue_count;

    /* idle.c */
    struct rt_lock idle_lock;
    struct rt_worker *idle_first;
    _Atomic uint32_t idle_count;
    _Atomic uint32_t searching_count;
    struct rt_worker *poller;        /* the idle worker that sleeps in epoll; under idle_lock */
    _Atomic bool watch_off;          /* the poller does not look at `next` of the others */
    _Atomic int64_t poller_until_ns; /* when it wakes by itself; INT64_MIN: there is none */
};

extern struct rt_runtime rt_runtime;

void rt_resume_watch_slow(void);

/* Called after a task was put in `next`: wakes the watcher if it had given up looking. */
static inline void rt_resume_watch(void)
{
    if (atomic_load(&rt_runtime.watch_off))
        rt_resume_watch_slow();
}

/* sched.c */
struct rt_worker *rt_first_worker(void);
/* To the global queue: the first task, before there are workers. */
void rt_push_first(struct taskrt_task *task);
/* To the end of the worker's ring; half of a full one goes to the global queue with it. By the
 * worker's own thread. */
void rt_push(struct rt_worker *worker, struct taskrt_task *task);
/* From the front of the worker's ring; NULL: it is empty. By the worker's own thread. */
struct taskrt_task *rt_pop(struct rt_worker *worker);
/* From the global queue: its first is returned, more of the worker's share go to its ring; NULL: it
 * is empty. By the worker's own thread. */
struct taskrt_task *rt_pop_global(struct rt_worker *worker);
/* Half of the victim's ring: the last is returned, the others go to the worker's own ring. */
struct taskrt_task *rt_steal(struct rt_worker *worker, struct rt_worker *victim);
bool rt_ring_empty(const struct rt_worker *worker);
/* A worker's thread, until the runtime stops. `arg`: the struct rt_worker. Returns NULL. */
void *rt_run_worker(void *arg);
/* Ends the run with this result, unless it ends already: no worker takes another task. */
void rt_stop(int result);
/* Made-ready tasks from timers and descriptors: a list through link, to the worker's queue. */
void rt_push_list(struct rt_worker *worker, struct taskrt_task *list);
void rt_fiber_arrived(struct taskrt_task *self);

/* idle.c */

/* Called after a task was queued where other workers can find it: sees to it that one looks. */
void rt_wake_worker(void);
/* Waits until there is something to run for the worker; NULL: the runtime stops. */
struct taskrt_task *rt_idle(struct rt_worker *worker);
/* Deadlines and descriptors that are due, when no idle worker sees to them. */
void rt_poll_busy(struct rt_worker *worker);
/* A task of another worker whose current one keeps its thread, or NULL. For a worker that always
 * has tasks of its own, now and then: where none is idle, nobody else would ever run it. */
struct taskrt_task *rt_take_from_stuck(struct rt_worker *worker);
/* Wakes all idle workers, so that they see that the runtime stops. */
void rt_wake_all(void);
/* Where a worker sleeps: exported for its name, which tells tools that the thread has nothing to
 * do. With `poll` for descriptors too (their number is returned), until timeout_ns has passed. */
int taskrt_worker_idle(struct rt_worker *worker, bool poll, int64_t timeout_ns, void *events)
    __attribute__((visibility("default"), noinline));

#endif
