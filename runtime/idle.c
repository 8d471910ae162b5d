/* Workers with nothing to do: how they sleep, who is woken, and when everything is stuck.
 *
 * An idle worker sleeps in the kernel, in taskrt_worker_idle. One of them, the poller, sleeps in
 * epoll and so also sees to descriptors and deadlines; while other workers are busy it is the
 * watcher too: it wakes now and then, less and less often, to take a task that waits in `next` of a
 * worker whose current task does not give up its thread. When every worker is idle it sleeps for
 * good. When none is, those that still take tasks look at the others themselves, now and then.
 *
 * No wake-up is lost: whoever queues a task looks at idle_count afterwards, whoever goes idle
 * raises idle_count and looks at all queues afterwards, both in the one order of
 * memory_order_seq_cst.
 *
 * Every worker idle, no task queued, no deadline and no waiter for a descriptor: since only a
 * running task could change any of that, nothing ever will. That is -EDEADLK.
 */
#include "runtime/internal.h"
#include "runtime/sched.h"

#include <errno.h>

#define SEARCH_ROUNDS 64 /* over all rings before sleeping: some 10 us */
#define WATCH_FIRST_NS (50 * TASKRT_US)
#define WATCH_LAST_NS (5 * TASKRT_MS)
#define QUIET_LOOKS 16 /* some 50 ms without anything happening end the watch */

/* Sleeping and waking. */

static bool unlink_idle(struct rt_runtime *rt, struct rt_worker *worker)
{
    if (!worker->idle)
        return false;
    struct rt_worker **at = &rt->idle_first;
    while (*at != worker)
        at = &(*at)->idle_next;
    *at = worker->idle_next;
    worker->idle = false;
    atomic_fetch_sub(&rt->idle_count, 1);
    return true;
}

/* Wakes a worker that the caller has just taken off the idle list, under idle_lock. */
static void wake(struct rt_runtime *rt, struct rt_worker *worker)
{
    if (worker == rt->poller) {
        rt_netpoll_interrupt();
        return;
    }
    atomic_store(&worker->wake, 1);
    rt_futex_wake(&worker->wake, 1);
}

void rt_wake_worker(void)
{
    struct rt_runtime *rt = &rt_runtime;
    if (atomic_load(&rt->idle_count) == 0)
        return;
    uint32_t nobody = 0; /* one that searches will find this task too, and wake the next */
    if (!atomic_compare_exchange_strong(&rt->searching_count, &nobody, 1))
        return;
    rt_lock(&rt->idle_lock);
    struct rt_worker *worker = rt->idle_first;
    if (worker && worker == rt->poller && worker->idle_next)
        worker = worker->idle_next; /* the poller has something to do where it is */
    if (worker) {
        unlink_idle(rt, worker);
        worker->searching = true;
        wake(rt, worker);
    } else {
        atomic_fetch_sub(&rt->searching_count, 1);
    }
    rt_unlock(&rt->idle_lock);
}

void rt_wake_all(void)
{
    struct rt_runtime *rt = &rt_runtime;
    rt_lock(&rt->idle_lock);
    while (rt->idle_first) {
        struct rt_worker *worker = rt->idle_first;
        unlink_idle(rt, worker);
        wake(rt, worker);
    }
    rt_unlock(&rt->idle_lock);
}

void rt_poller_deadline(int64_t deadline_ns)
{
    if (deadline_ns < atomic_load(&rt_runtime.poller_until_ns))
        rt_netpoll_interrupt();
}

/* Looking for work elsewhere. */

static struct taskrt_task *search_once(struct rt_worker *worker)
{
    struct rt_runtime *rt = &rt_runtime;
    struct taskrt_task *task = rt_pop_global(worker);
    for (unsigned int i = 1; !task && i < rt->count; i++)
        task = rt_steal(worker, &rt->workers[(worker->number + i) % rt->count]);
    return task;
}

static struct taskrt_task *search(struct rt_worker *worker)
{
    struct rt_runtime *rt = &rt_runtime;
    if (!worker->searching) {
        worker->searching = true;
        atomic_fetch_add(&rt->searching_count, 1);
    }
    struct taskrt_task *task = NULL;
    int rounds = rt->count > 1 ? SEARCH_ROUNDS : 1;
    for (int i = 0; !task && i < rounds && !atomic_load(&rt->stopping); i++) {
        task = search_once(worker);
        for (int pause = 0; !task && pause < 8; pause++)
            rt_cpu_relax();
    }
    worker->searching = false;
    if (atomic_fetch_sub(&rt->searching_count, 1) == 1 && task)
        rt_wake_worker(); /* where there was one there may be more */
    return task;
}

static bool anything_queued(struct rt_runtime *rt)
{
    if (atomic_load(&rt->queue_count) != 0)
        return true;
    for (unsigned int i = 0; i < rt->count; i++)
        if (!rt_ring_empty(&rt->workers[i]))
            return true;
    return false;
}

void rt_resume_watch_slow(void)
{
    if (atomic_exchange(&rt_runtime.watch_off, false))
        rt_netpoll_interrupt();
}

/* The watcher's part: a task in `next` of a worker that has begun no other since the last look.
 * *ret_moved is false if nothing has happened anywhere since then. */
static struct taskrt_task *watch(struct rt_worker *worker, bool *ret_moved)
{
    struct rt_runtime *rt = &rt_runtime;
    struct taskrt_task *task = NULL;
    *ret_moved = false;
    for (unsigned int i = 0; i < rt->count; i++) {
        struct rt_worker *other = &rt->workers[i];
        uint32_t ticks = RT_GET(other->ticks);
        bool stays = RT_GET(other->watched_ticks) == ticks;
        RT_SET(other->watched_ticks, ticks);
        bool waits = other != worker && atomic_load(&other->next);
        *ret_moved |= waits || !stays;
        if (!task && waits && stays)
            task = atomic_exchange_explicit(&other->next, NULL, memory_order_acq_rel);
    }
    return task;
}

/* One worker at a time, so that who looks needs to remember but one count: what it has seen before
 * it goes on to the next. */
struct taskrt_task *rt_take_from_stuck(struct rt_worker *worker)
{
    struct rt_runtime *rt = &rt_runtime;
    if (rt->count == 1 || atomic_load_explicit(&rt->idle_count, memory_order_relaxed) != 0)
        return NULL; /* those that are idle look after all others */
    struct rt_worker *other = &rt->workers[worker->looks_at];
    if (other != worker && RT_GET(other->ticks) == worker->seen_ticks) {
        struct taskrt_task *task =
            atomic_exchange_explicit(&other->next, NULL, memory_order_acq_rel);
        if (!task)
            task = rt_steal(worker, other);
        if (task)
            return task;
    }
    worker->looks_at = (worker->looks_at + 1) % rt->count;
    if (worker->looks_at == worker->number)
        worker->looks_at = (worker->looks_at + 1) % rt->count;
    worker->seen_ticks = RT_GET(rt->workers[worker->looks_at].ticks);
    return NULL;
}

/* Deadlines and descriptors. */

static struct taskrt_task *append(struct taskrt_task *list, struct taskrt_task *more)
{
    if (!list)
        return more;
    struct taskrt_task *last = list;
    while (last->link)
        last = last->link;
    last->link = more;
    return list;
}

static struct taskrt_task *due(void)
{
    int64_t earliest_ns = rt_timer_earliest();
    if (earliest_ns == TASKRT_NEVER)
        return NULL;
    int64_t now_ns = rt_now_ns();
    return earliest_ns <= now_ns ? rt_timer_expired(now_ns) : NULL;
}

void rt_poll_busy(struct rt_worker *worker)
{
    if (atomic_load_explicit(&rt_runtime.poller_until_ns, memory_order_relaxed) != INT64_MIN)
        return;
    struct taskrt_task *list = due();
    if (rt_netpoll_has_waiters()) {
        _Alignas(16) char events[RT_NETPOLL_EVENTS * RT_NETPOLL_EVENT_BYTES];
        int count = rt_netpoll_wait(0, events, RT_NETPOLL_EVENTS);
        if (rt_netpoll_interrupted(events, count))
            rt_netpoll_interrupt(); /* meant for a poller that came between: it must not miss it */
        list = append(list, rt_netpoll_claim(events, count));
    }
    if (list) {
        rt_push_list(worker, list);
        rt_wake_worker();
    }
}

int taskrt_worker_idle(struct rt_worker *worker, bool poll, int64_t timeout_ns, void *events)
{
    int count = 0;
    if (poll)
        count = rt_netpoll_wait(timeout_ns, events, RT_NETPOLL_EVENTS);
    else
        while (atomic_load(&worker->wake) == 0)
            rt_futex_wait(&worker->wake, 0);
    atomic_store(&worker->wake, 0);
    return count;
}

/* How long the poller may sleep; publishes when it will wake, then looks again. `watch_ns` is how
 * long until it shall look at `next` of the busy workers; 0: not at all. */
static int64_t poller_timeout(struct rt_runtime *rt, int64_t watch_ns)
{
    bool watching = watch_ns != 0 && atomic_load(&rt->idle_count) != rt->count;
    atomic_store(&rt->watch_off, !watching);
    /* What came before those who queued it could see watch_off: who yields is in a ring. */
    if (!watching && anything_queued(rt))
        return 0;
    for (unsigned int i = 0; !watching && i < rt->count; i++)
        if (atomic_load(&rt->workers[i].next))
            return 0;
    for (;;) {
        int64_t until_ns = rt_timer_earliest();
        int64_t now_ns = 0;
        if (watching || until_ns != TASKRT_NEVER)
            now_ns = rt_now_ns();
        if (watching && until_ns > now_ns + watch_ns)
            until_ns = now_ns + watch_ns;
        atomic_store(&rt->poller_until_ns, until_ns);
        if (rt_timer_earliest() < until_ns)
            continue;
        if (until_ns == TASKRT_NEVER)
            return TASKRT_NEVER;
        return until_ns > now_ns ? until_ns - now_ns : 0;
    }
}

/* The worker, not idle any more, has tasks to run: one is returned, others queued. */
static struct taskrt_task *take_list(struct rt_worker *worker, struct taskrt_task *list)
{
    struct rt_runtime *rt = &rt_runtime;
    struct taskrt_task *task = list;
    if (task->link)
        rt_push_list(worker, task->link);
    atomic_store_explicit(&task->state, TASKRT_STATE_RUNNABLE, memory_order_release);
    bool searching = worker->searching;
    worker->searching = false;
    if (!searching || atomic_fetch_sub(&rt->searching_count, 1) == 1)
        rt_wake_worker(); /* somebody else must poll now, or take the others */
    return task;
}

/* What the poller keeps while it falls asleep again and again. */
struct nap {
    int64_t watch_ns;
    int quiet;   /* looks in a row that saw nothing move */
    bool search; /* somebody woke the worker to look for tasks */
};

/* Sleeps until there is a task (returned), or somebody woke this worker, or for a while.
 * `idle_lock` is held on the call and not on return; the worker is not idle any more then. */
static struct taskrt_task *sleep_as_poller(struct rt_worker *worker, struct nap *nap)
{
    struct rt_runtime *rt = &rt_runtime;
    _Alignas(16) char events[RT_NETPOLL_EVENTS * RT_NETPOLL_EVENT_BYTES];
    rt->poller = worker;
    rt_unlock(&rt->idle_lock);
    int64_t timeout_ns = poller_timeout(rt, nap->quiet < QUIET_LOOKS ? nap->watch_ns : 0);
    int count = taskrt_worker_idle(worker, true, timeout_ns, events);

    /* Until the worker has left the idle list, it must not touch what could make a task runnable:
     * the others would see nothing to wait for and call it a deadlock. */
    rt_lock(&rt->idle_lock);
    bool by_itself = unlink_idle(rt, worker);
    rt->poller = NULL;
    atomic_store(&rt->watch_off, false);
    atomic_store(&rt->poller_until_ns, INT64_MIN);
    rt_unlock(&rt->idle_lock);
    nap->search = !by_itself;

    struct taskrt_task *list = append(due(), rt_netpoll_claim(events, count));
    if (by_itself && !list) {
        bool moved;
        list = watch(worker, &moved);
        if (list)
            list->link = NULL;
        nap->quiet = moved ? 0 : nap->quiet + 1;
        if (nap->watch_ns < WATCH_LAST_NS)
            nap->watch_ns *= 2;
    }
    return list ? take_list(worker, list) : NULL;
}

enum idle_answer { IDLE_RETRY, IDLE_STOP, IDLE_SLEEP };

/* Puts the worker on the idle list; on IDLE_SLEEP idle_lock is held. */
static enum idle_answer enter_idle(struct rt_worker *worker)
{
    struct rt_runtime *rt = &rt_runtime;
    rt_lock(&rt->idle_lock);
    worker->idle = true;
    worker->idle_next = rt->idle_first;
    rt->idle_first = worker;
    uint32_t idle = atomic_fetch_add(&rt->idle_count, 1) + 1;
    if (atomic_load(&rt->stopping) || anything_queued(rt)) {
        unlink_idle(rt, worker);
        rt_unlock(&rt->idle_lock);
        return IDLE_RETRY;
    }
    if (idle == rt->count && rt_timer_earliest() == TASKRT_NEVER && !rt_netpoll_has_waiters()) {
        rt_unlock(&rt->idle_lock);
        return IDLE_STOP;
    }
    return IDLE_SLEEP;
}

struct taskrt_task *rt_idle(struct rt_worker *worker)
{
    struct rt_runtime *rt = &rt_runtime;
    struct nap nap = {.watch_ns = WATCH_FIRST_NS, .search = true};
    while (!atomic_load(&rt->stopping)) {
        struct taskrt_task *task;
        if (nap.search && (task = search(worker)) != NULL)
            return task;
        nap.search = true;
        switch (enter_idle(worker)) {
        case IDLE_RETRY:
            continue;
        case IDLE_STOP:
            rt_stop(-EDEADLK);
            continue;
        case IDLE_SLEEP:
            break;
        }
        if (rt->poller) {
            rt_unlock(&rt->idle_lock);
            taskrt_worker_idle(worker, false, TASKRT_NEVER, NULL);
            continue;
        }
        task = sleep_as_poller(worker, &nap);
        if (task)
            return task;
    }
    return NULL;
}
