/* The scheduler: workers, their run queues, and the one place where a task parks.
 *
 * A worker is a thread. Its loop (rt_run_worker) takes a runnable task, switches to it, and is
 * switched back to when the task parks, yields or ends; what remains to be done for that task is
 * done here, after its stack has been left (finish_switch), because the moment its lock is released
 * another worker may resume it.
 *
 * A task that is made runnable goes to `next` of the waker's worker: it runs as soon as the waker
 * parks, with warm caches and without disturbing another thread. The one that was in `next` moves
 * to the ring, where idle workers may take it (and one is woken to do so). Should the waker go on
 * computing, the idle worker that watches (idle.c) takes `next` too; where none is idle, a busy one
 * does.
 */
#include "runtime/internal.h"
#include "runtime/sched.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#if RT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if RT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Two tasks that wake each other let others run after so many turns. */
#define MAX_NEXT_STREAK 64U
#define POLL_TICKS 64U    /* how often a busy worker looks beyond its own queue */
#define STUCK_TICKS 1024U /* how often at the queue of another worker; a multiple of POLL_TICKS */

struct rt_runtime rt_runtime;
_Atomic uint32_t rt_run_number = 1;
static _Thread_local struct rt_worker *this_worker __attribute__((tls_model("initial-exec")));
static _Thread_local struct taskrt_task *this_task __attribute__((tls_model("initial-exec")));

/* The address of a thread-local must not be kept while a task may move to another thread. */
#if defined(__clang__)
#define NEVER_INLINE __attribute__((noinline, optnone))
#else
#define NEVER_INLINE __attribute__((noipa))
#endif

NEVER_INLINE static struct rt_worker *get_worker(void)
{
    return this_worker;
}

NEVER_INLINE static void set_worker(struct rt_worker *worker)
{
    this_worker = worker;
}

NEVER_INLINE struct taskrt_task *rt_self(void)
{
    return this_task;
}

int64_t taskrt_inspect_current(void)
{
    return (const char *)&this_task - (const char *)__builtin_thread_pointer();
}

struct rt_worker *rt_first_worker(void)
{
    return &rt_runtime.workers[0];
}

int64_t rt_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * TASKRT_S + now.tv_nsec;
}

int rt_deadline_check(int64_t deadline_ns)
{
    if (deadline_ns == TASKRT_NEVER)
        return 0;
    if (deadline_ns == 0)
        return -EAGAIN;
    return deadline_ns <= rt_now_ns() ? -ETIMEDOUT : 0;
}

uint32_t rt_random(struct taskrt_task *self)
{
    uint32_t x = self->worker->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return self->worker->random = x;
}

/* Switching. */

static void switch_to_task(struct rt_worker *worker, struct taskrt_task *task)
{
#if RT_ASAN
    __sanitizer_start_switch_fiber(&worker->fake_stack, (void *)task->stack_low,
                                   task->stack_high - task->stack_low);
#elif RT_TSAN
    __tsan_switch_to_fiber(task->fiber, 0);
#endif
    rt_switch(&worker->sched_sp, RT_GET(task->context_sp));
#if RT_ASAN
    __sanitizer_finish_switch_fiber(worker->fake_stack, NULL, NULL);
#endif
}

static void switch_to_worker(struct rt_worker *worker, struct taskrt_task *self)
{
#if RT_ASAN
    __sanitizer_start_switch_fiber(worker->action == RT_EXIT ? NULL : &self->fiber,
                                   worker->stack_bottom, worker->stack_bytes);
#elif RT_TSAN
    __tsan_switch_to_fiber(worker->fiber, 0);
#endif
    rt_switch(&self->context_sp, RT_GET(worker->sched_sp));
    rt_fiber_arrived(self);
}

void rt_fiber_arrived(struct taskrt_task *self)
{
#if RT_ASAN
    /* Whence the task came is some worker's loop: remember its stack, to go back there. */
    __sanitizer_finish_switch_fiber(self->fiber, &self->worker->stack_bottom,
                                    &self->worker->stack_bytes);
#else
    (void)self;
#endif
}

/* What a C++ library keeps of a thread (Itanium C++ ABI, 2.2.2): the exceptions that are handled by
 * catch blocks, and how many are on their way to one. */
struct cxa_eh_globals {
    void *caught;
    unsigned int uncaught;
};

/* Never to be remembered across a switch. NULL: there is no such library, as in programs in C. */
extern struct cxa_eh_globals *__cxa_get_globals(void) __attribute__((weak));

/* What the task, or whatever called taskrt_run, keeps there is its own: between two tasks, threads
 * have nothing of it. */
static inline struct cxa_eh_globals take_exceptions(void)
{
    struct cxa_eh_globals taken = {NULL, 0};
    if (__cxa_get_globals) {
        struct cxa_eh_globals *globals = __cxa_get_globals();
        taken = *globals;
        if (taken.caught || taken.uncaught)
            *globals = (struct cxa_eh_globals){NULL, 0};
    }
    return taken;
}

static inline void put_exceptions(const struct cxa_eh_globals *taken)
{
    if (taken->caught || taken->uncaught)
        *__cxa_get_globals() = *taken;
}

/* Until some worker goes on with the task. */
static void leave(struct rt_worker *worker, struct taskrt_task *self)
{
    struct cxa_eh_globals exceptions = take_exceptions();
    switch_to_worker(worker, self);
    put_exceptions(&exceptions);
}

__attribute__((noinline)) int rt_park(struct taskrt_task *self, enum taskrt_reason reason,
                                      uint64_t object, uint32_t object_count, int64_t deadline_ns,
                                      rt_unlock_fn *unlock, void *unlock_arg)
{
    struct rt_worker *worker = self->worker;
    RT_SET(self->wait_count, RT_GET(self->wait_count) + 1);
    /* Each after wait_count: whoever sees one of these sees that this is another wait. */
    RT_PUBLISH(self->reason, reason);
    RT_PUBLISH(self->object, object);
    RT_PUBLISH(self->object_count, object_count);
    RT_PUBLISH(self->deadline_ns, deadline_ns);
    atomic_store_explicit(&self->waiting, true, memory_order_relaxed);
    worker->action = RT_PARK;
    worker->deadline_ns = deadline_ns;
    worker->unlock = unlock;
    worker->unlock_arg = unlock_arg;
    leave(worker, self);
    if (deadline_ns != TASKRT_NEVER && self->wait_result != -ETIMEDOUT)
        rt_timer_remove(self);
    return self->wait_result;
}

void rt_unlock_one(void *lock)
{
    rt_unlock(lock);
}

void rt_yield(struct taskrt_task *self)
{
    self->worker->action = RT_YIELD;
    leave(self->worker, self);
}

void rt_exit(struct taskrt_task *self)
{
    self->worker->action = RT_EXIT;
    switch_to_worker(self->worker, self);
    __builtin_unreachable();
}

void rt_ready(struct taskrt_task *task)
{
    struct rt_worker *worker = get_worker();
    atomic_store_explicit(&task->state, TASKRT_STATE_RUNNABLE, memory_order_release);
    struct taskrt_task *displaced =
        atomic_exchange(&worker->next, task); /* in one order with watch_off, see idle.c */
    if (displaced) {
        rt_push(worker, displaced);
        rt_wake_worker();
    } else {
        rt_resume_watch();
    }
}

void rt_ready_all(struct taskrt_task *list)
{
    while (list) {
        struct taskrt_task *following = list->link; /* it may run, and end, from rt_ready on */
        rt_ready(list);
        list = following;
    }
}

struct rt_waiter *rt_queue_claim(struct rt_queue *queue)
{
    struct rt_waiter *waiter;
    while ((waiter = queue->first) != NULL) {
        rt_queue_remove(queue, waiter);
        if (rt_claim(waiter->task))
            return waiter;
    }
    return NULL;
}

/* Queues. */

bool rt_ring_empty(const struct rt_worker *worker)
{
    return atomic_load(&worker->ring_head) == atomic_load(&worker->ring_tail);
}

static void push_global(struct taskrt_task *first, struct taskrt_task *last, size_t count)
{
    struct rt_runtime *rt = &rt_runtime;
    last->link = NULL;
    rt_lock(&rt->queue_lock);
    if (rt->queue_last)
        rt->queue_last->link = first;
    else
        rt->queue_first = first;
    rt->queue_last = last;
    atomic_fetch_add(&rt->queue_count, count);
    rt_unlock(&rt->queue_lock);
}

void rt_push_first(struct taskrt_task *task)
{
    push_global(task, task, 1);
}

/* Moves half of the worker's full ring, and the task, to the global queue; false: the ring is not
 * full any more. */
static bool spill(struct rt_worker *worker, struct taskrt_task *task, uint32_t head)
{
    struct taskrt_task *batch[RT_RING / 2];
    for (uint32_t i = 0; i < RT_RING / 2; i++)
        batch[i] = atomic_load_explicit(&worker->ring[(head + i) % RT_RING], memory_order_relaxed);
    if (!atomic_compare_exchange_strong(&worker->ring_head, &head, head + RT_RING / 2))
        return false;
    for (uint32_t i = 0; i + 1 < RT_RING / 2; i++)
        batch[i]->link = batch[i + 1];
    batch[RT_RING / 2 - 1]->link = task;
    push_global(batch[0], task, RT_RING / 2 + 1);
    return true;
}

void rt_push(struct rt_worker *worker, struct taskrt_task *task)
{
    for (;;) {
        uint32_t head = atomic_load_explicit(&worker->ring_head, memory_order_acquire);
        uint32_t tail = atomic_load_explicit(&worker->ring_tail, memory_order_relaxed);
        if (tail - head < RT_RING) {
            atomic_store_explicit(&worker->ring[tail % RT_RING], task, memory_order_relaxed);
            atomic_store(&worker->ring_tail,
                         tail + 1); /* in one order with idle_count, see idle.c */
            return;
        }
        if (spill(worker, task, head))
            return;
    }
}

struct taskrt_task *rt_pop(struct rt_worker *worker)
{
    uint32_t head = atomic_load_explicit(&worker->ring_head, memory_order_acquire);
    for (;;) {
        uint32_t tail = atomic_load_explicit(&worker->ring_tail, memory_order_relaxed);
        if (head == tail)
            return NULL;
        struct taskrt_task *task =
            atomic_load_explicit(&worker->ring[head % RT_RING], memory_order_relaxed);
        if (atomic_compare_exchange_weak_explicit(&worker->ring_head, &head, head + 1,
                                                  memory_order_acq_rel, memory_order_acquire))
            return task;
    }
}

struct taskrt_task *rt_steal(struct rt_worker *worker, struct rt_worker *victim)
{
    uint32_t head = atomic_load_explicit(&victim->ring_head, memory_order_acquire);
    for (;;) {
        uint32_t tail = atomic_load_explicit(&victim->ring_tail, memory_order_acquire);
        uint32_t count = tail - head;
        count -= count / 2;
        if (count == 0)
            return NULL;
        if (count > RT_RING / 2) { /* head and tail are of two moments */
            head = atomic_load_explicit(&victim->ring_head, memory_order_acquire);
            continue;
        }
        struct taskrt_task *batch[RT_RING / 2];
        for (uint32_t i = 0; i < count; i++)
            batch[i] =
                atomic_load_explicit(&victim->ring[(head + i) % RT_RING], memory_order_relaxed);
        if (!atomic_compare_exchange_weak_explicit(&victim->ring_head, &head, head + count,
                                                   memory_order_acq_rel, memory_order_acquire))
            continue;
        for (uint32_t i = 0; i + 1 < count; i++)
            rt_push(worker, batch[i]);
        return batch[count - 1];
    }
}

struct taskrt_task *rt_pop_global(struct rt_worker *worker)
{
    struct rt_runtime *rt = &rt_runtime;
    if (atomic_load(&rt->queue_count) == 0)
        return NULL;
    rt_lock(&rt->queue_lock);
    size_t queued = atomic_load(&rt->queue_count);
    size_t take = queued / rt->count + 1;
    if (take > RT_RING / 4)
        take = RT_RING / 4;
    if (take > queued)
        take = queued;
    struct taskrt_task *list = rt->queue_first;
    struct taskrt_task *last = NULL;
    for (size_t i = 0; i < take; i++) {
        last = rt->queue_first;
        rt->queue_first = last->link;
    }
    if (last)
        last->link = NULL;
    if (!rt->queue_first)
        rt->queue_last = NULL;
    atomic_fetch_sub(&rt->queue_count, take);
    rt_unlock(&rt->queue_lock);
    if (!list)
        return NULL;
    struct taskrt_task *task = list;
    list = list->link;
    while (list) {
        struct taskrt_task *following = list->link;
        rt_push(worker, list);
        list = following;
    }
    return task;
}

void rt_push_list(struct rt_worker *worker, struct taskrt_task *list)
{
    while (list) {
        struct taskrt_task *following = list->link;
        atomic_store_explicit(&list->state, TASKRT_STATE_RUNNABLE, memory_order_release);
        rt_push(worker, list);
        list = following;
    }
}

/* The loop. */

static struct taskrt_task *take_next(struct rt_worker *worker)
{
    if (!atomic_load_explicit(&worker->next, memory_order_relaxed))
        return NULL;
    return atomic_exchange_explicit(&worker->next, NULL, memory_order_acq_rel);
}

static struct taskrt_task *find_task(struct rt_worker *worker)
{
    struct taskrt_task *task;
    if (RT_GET(worker->ticks) % POLL_TICKS == 0) {
        rt_poll_busy(worker);
        if (RT_GET(worker->ticks) % STUCK_TICKS == 0 && (task = rt_take_from_stuck(worker)) != NULL)
            return task;
        if ((task = rt_pop_global(worker)) != NULL)
            return task;
    }
    if (worker->next_streak < MAX_NEXT_STREAK && (task = take_next(worker)) != NULL) {
        worker->next_streak++;
        return task;
    }
    worker->next_streak = 0;
    if ((task = rt_pop(worker)) != NULL || (task = take_next(worker)) != NULL ||
        (task = rt_pop_global(worker)) != NULL)
        return task;
    return rt_idle(worker);
}

/* The task has left its stack; what it asked for is done now. */
static void finish_switch(struct rt_worker *worker, struct taskrt_task *task)
{
    if (task->canary)
        rt_canary_check(task);
    switch (worker->action) {
    case RT_PARK: {
        rt_unlock_fn *unlock = worker->unlock;
        int64_t deadline_ns = worker->deadline_ns;
        atomic_store_explicit(&task->state, TASKRT_STATE_PARKED, memory_order_release);
        /* From the last of these two on, somebody else may be running the task. */
        if (deadline_ns != TASKRT_NEVER)
            rt_timer_add(task, deadline_ns);
        if (unlock)
            unlock(worker->unlock_arg);
        if (deadline_ns != TASKRT_NEVER)
            rt_poller_deadline(deadline_ns);
        break;
    }
    case RT_YIELD:
        atomic_store_explicit(&task->state, TASKRT_STATE_RUNNABLE, memory_order_release);
        rt_push(worker, task);
        rt_resume_watch(); /* whoever runs now may keep the thread */
        break;
    case RT_EXIT:
        if (task == rt_runtime.first_task) {
            rt_stop(0);
            break;
        }
        rt_task_ended(worker, task);
        break;
    }
}

/* Noted twice: where the thread itself finds it at once, and where another process does. */
static void set_current(struct rt_worker *worker, struct taskrt_task *task)
{
    this_task = task;
    RT_SET(worker->current, task);
}

void *rt_run_worker(void *arg)
{
    struct rt_worker *worker = arg;
    rt_lock(&rt_runtime.idle_lock); /* until all workers are there, see run.c */
    rt_unlock(&rt_runtime.idle_lock);
    set_worker(worker);
    struct cxa_eh_globals exceptions = take_exceptions();
    RT_SET(worker->tid, (uint32_t)gettid());
#if RT_TSAN
    worker->fiber = __tsan_get_current_fiber();
#endif
    while (!atomic_load_explicit(&rt_runtime.stopping, memory_order_acquire)) {
        struct taskrt_task *task = find_task(worker);
        if (!task)
            break;
        RT_SET(worker->ticks, RT_GET(worker->ticks) + 1);
        task->worker = worker;
        set_current(worker, task);
        atomic_store_explicit(&task->state, TASKRT_STATE_RUNNING, memory_order_release);
        switch_to_task(worker, task);
        set_current(worker, NULL);
        finish_switch(worker, task);
    }
    put_exceptions(&exceptions);
    RT_SET(worker->tid, 0);
    set_worker(NULL);
    return NULL;
}

void rt_stop(int result)
{
    bool before = false;
    if (atomic_compare_exchange_strong(&rt_runtime.stopping, &before, true)) {
        rt_runtime.result = result;
        rt_wake_all();
    }
}
