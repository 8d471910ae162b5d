/* Deadlines: a pairing heap whose nodes lie in the tasks, so that adding one can never fail.
 *
 * A task is in the heap only while the wait that its deadline belongs to lasts: it is added by
 * rt_park once it is parked, and the task takes itself out before it returns from there. Claims are
 * made under the heap's lock, so an old deadline can never end a newer wait.
 */
#include "runtime/internal.h"

#include <errno.h>

static struct rt_lock heap_lock;
static struct rt_timer *root;
static _Atomic int64_t earliest_ns = TASKRT_NEVER; /* of the root; read without the lock */

static struct taskrt_task *task_of(struct rt_timer *timer)
{
    return (struct taskrt_task *)((char *)timer - offsetof(struct taskrt_task, timer));
}

/* Joins two heaps; either may be empty. */
static struct rt_timer *meld(struct rt_timer *a, struct rt_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->deadline_ns < a->deadline_ns) {
        struct rt_timer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Joins the siblings that begin with `first`: in pairs from the left, then all from the right. */
static struct rt_timer *meld_siblings(struct rt_timer *first)
{
    struct rt_timer *pairs = NULL; /* linked through next, the rightmost first */
    while (first) {
        struct rt_timer *a = first;
        struct rt_timer *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    struct rt_timer *heap = NULL;
    while (pairs) {
        struct rt_timer *a = pairs;
        pairs = a->next;
        a->next = NULL;
        heap = meld(heap, a);
    }
    return heap;
}

static void set_root(struct rt_timer *heap)
{
    root = heap;
    if (heap)
        heap->prev = heap->next = NULL;
    atomic_store(&earliest_ns, heap ? heap->deadline_ns : TASKRT_NEVER);
}

static void remove_locked(struct rt_timer *timer)
{
    struct rt_timer *below = meld_siblings(timer->child);
    timer->child = NULL;
    timer->queued = false;
    if (timer == root) {
        set_root(below);
        return;
    }
    if (timer->prev->child == timer)
        timer->prev->child = timer->next;
    else
        timer->prev->next = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
    set_root(meld(root, below));
}

void rt_timer_add(struct taskrt_task *task, int64_t deadline_ns)
{
    struct rt_timer *timer = &task->timer;
    rt_lock(&heap_lock);
    timer->child = timer->next = timer->prev = NULL;
    timer->deadline_ns = deadline_ns;
    timer->queued = true;
    set_root(meld(root, timer));
    rt_unlock(&heap_lock);
}

void rt_timer_remove(struct taskrt_task *task)
{
    rt_lock(&heap_lock);
    if (task->timer.queued)
        remove_locked(&task->timer);
    rt_unlock(&heap_lock);
}

int64_t rt_timer_earliest(void)
{
    return atomic_load(&earliest_ns);
}

struct taskrt_task *rt_timer_expired(int64_t now_ns)
{
    struct taskrt_task *first = NULL;
    struct taskrt_task **last = &first;
    rt_lock(&heap_lock);
    while (root && root->deadline_ns <= now_ns) {
        struct taskrt_task *task = task_of(root);
        remove_locked(root);
        if (!rt_claim(task))
            continue; /* woken in time */
        task->wait_result = -ETIMEDOUT;
        task->woken_by = NULL;
        task->link = NULL;
        *last = task;
        last = &task->link;
    }
    rt_unlock(&heap_lock);
    return first;
}

void rt_timer_reset(void)
{
    set_root(NULL);
}
