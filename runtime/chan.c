/* Channels: one engine, select_cases; sending and receiving are one-liners over it.
 *
 * An operation locks the channels of all its cases, in the order of their addresses. If a case can
 * go on, one of those that can is carried out, chosen at random. If none can, the task queues a
 * waiter at every channel and parks, which unlocks the channels. Whoever can serve a waiter takes
 * it off its queue, claims the wait, copies the element to or from the parked task's memory, and
 * makes the task ready; the task then removes its other waiters itself. Until it has, its channels
 * cannot be freed (`returning`), though it may be in no queue any more.
 */
#include "runtime/chan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CASES 65535U
#define INLINE_CASES 8U /* more are allocated */

struct select_op {
    struct taskrt_task *self;
    struct taskrt_case *cases;
    size_t count;
    struct taskrt_chan **locked; /* the distinct channels, by address */
    size_t locked_count;
    struct rt_waiter *waiters; /* one a case */
};

static void copy_element(const struct taskrt_chan *chan, void *to, const void *from)
{
    if (!to || chan->element_bytes == 0)
        return;
    if (from)
        memcpy(to, from, chan->element_bytes);
    else
        memset(to, 0, chan->element_bytes);
}

static char *slot(struct taskrt_chan *chan, size_t index)
{
    size_t at = chan->head + index;
    if (at >= RT_GET(chan->capacity))
        at -= RT_GET(chan->capacity);
    return chan->buffer + at * chan->element_bytes;
}

static void put(struct taskrt_chan *chan, const void *from)
{
    uint64_t length = RT_GET(chan->length);
    copy_element(chan, slot(chan, length), from);
    RT_SET(chan->length, length + 1);
}

static void take(struct taskrt_chan *chan, void *to)
{
    copy_element(chan, to, slot(chan, 0));
    if (++chan->head == RT_GET(chan->capacity))
        chan->head = 0;
    RT_SET(chan->length, RT_GET(chan->length) - 1);
}

/* The first waiter whose wait nobody ended yet, claimed (rt_queue_claim); NULL: none. */
static struct rt_waiter *claim(struct taskrt_chan *chan, struct rt_queue *queue)
{
    struct rt_waiter *waiter = rt_queue_claim(queue);
    if (waiter && waiter->alone)
        chan->returning--;
    return waiter;
}

/* The first waiter whose wait has not ended; drops the others. */
static struct rt_waiter *live_waiter(struct rt_queue *queue)
{
    while (queue->first &&
           !atomic_load_explicit(&queue->first->task->waiting, memory_order_acquire))
        rt_queue_remove(queue, queue->first);
    return queue->first;
}

static bool case_ready(const struct taskrt_case *c)
{
    struct taskrt_chan *chan = c->chan;
    if (!chan)
        return false;
    if (RT_GET(chan->closed))
        return true;
    if (c->direction == TASKRT_SEND)
        return RT_GET(chan->length) < RT_GET(chan->capacity) || live_waiter(&chan->receivers);
    return RT_GET(chan->length) > 0 || live_waiter(&chan->senders);
}

/* Carries out a case if it can go on: true, with its result and the task to make ready, if any. */
static bool try_send(struct taskrt_chan *chan, const void *element, int *result,
                     struct taskrt_task **woken)
{
    *result = 0;
    if (RT_GET(chan->closed)) {
        *result = -EPIPE;
        return true;
    }
    struct rt_waiter *receiver = claim(chan, &chan->receivers);
    if (receiver) {
        copy_element(chan, receiver->target, element);
        *woken = rt_end_wait(receiver, 0);
        return true;
    }
    if (RT_GET(chan->length) == RT_GET(chan->capacity))
        return false;
    put(chan, element);
    return true;
}

static bool try_receive(struct taskrt_chan *chan, void *element, int *result,
                        struct taskrt_task **woken)
{
    *result = 0;
    bool buffered = RT_GET(chan->length) > 0;
    if (buffered)
        take(chan, element);
    struct rt_waiter *sender = claim(chan, &chan->senders);
    if (sender) { /* its element is the next to be buffered, or the one to be received */
        if (buffered)
            put(chan, sender->source);
        else
            copy_element(chan, element, sender->source);
        *woken = rt_end_wait(sender, 0);
        return true;
    }
    if (buffered)
        return true;
    if (!RT_GET(chan->closed))
        return false;
    copy_element(chan, element, NULL);
    *result = -EPIPE;
    return true;
}

static bool try_case(struct taskrt_case *c, struct taskrt_task **woken)
{
    if (!c->chan)
        return false;
    if (c->direction == TASKRT_SEND)
        return try_send(c->chan, c->element, &c->result, woken);
    return try_receive(c->chan, c->element, &c->result, woken);
}

/* Tries the cases, whose channels are locked. The index of the one that was carried out, or -1. */
static int try_any(struct select_op *op, struct taskrt_task **woken)
{
    if (op->count == 1)
        return try_case(&op->cases[0], woken) ? 0 : -1;
    for (;;) {
        uint32_t ready = 0;
        size_t chosen = 0;
        for (size_t i = 0; i < op->count; i++)
            if (case_ready(&op->cases[i]) && rt_random(op->self) % ++ready == 0)
                chosen = i;
        if (ready == 0)
            return -1;
        if (try_case(&op->cases[chosen], woken))
            return (int)chosen;
        /* The other side's deadline came in between: look again. */
    }
}

/* The memory of the operation may be gone as soon as the last channel is unlocked. */
static void unlock_all(void *arg)
{
    struct select_op *op = arg;
    struct taskrt_chan **locked = op->locked;
    for (size_t left = op->locked_count; left > 0; left--, locked++)
        rt_unlock(&(*locked)->lock);
}

static void lock_chan(struct taskrt_chan *chan)
{
    if (!rt_lock_in_run(&chan->lock, &chan->run))
        return;
    chan->senders = chan->receivers = (struct rt_queue){NULL, NULL};
    chan->returning = 0;
}

static void lock_all(struct select_op *op)
{
    for (size_t i = 0; i < op->locked_count; i++)
        lock_chan(op->locked[i]);
}

static int by_address(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t) * (struct taskrt_chan *const *)a;
    uintptr_t right = (uintptr_t) * (struct taskrt_chan *const *)b;
    return (left > right) - (left < right);
}

static void sort_channels(struct select_op *op)
{
    size_t count = 0;
    for (size_t i = 0; i < op->count; i++)
        if (op->cases[i].chan)
            op->locked[count++] = op->cases[i].chan;
    if (count > INLINE_CASES) {
        qsort(op->locked, count, sizeof *op->locked, by_address);
    } else {
        for (size_t i = 1; i < count; i++) {
            struct taskrt_chan *chan = op->locked[i];
            size_t at = i;
            for (; at > 0 && (uintptr_t)op->locked[at - 1] > (uintptr_t)chan; at--)
                op->locked[at] = op->locked[at - 1];
            op->locked[at] = chan;
        }
    }
    op->locked_count = 0;
    for (size_t i = 0; i < count; i++)
        if (i == 0 || op->locked[i] != op->locked[i - 1])
            op->locked[op->locked_count++] = op->locked[i];
}

/* A task comes back to its channels when it was woken, unless it had one case, and was not woken by
 * its deadline. */
static void queue_waiters(struct select_op *op, bool has_deadline)
{
    bool alone = op->count == 1 && has_deadline;
    for (size_t i = 0; i < op->count; i++) {
        struct taskrt_case *c = &op->cases[i];
        struct rt_waiter *waiter = &op->waiters[i];
        *waiter = (struct rt_waiter){.task = op->self,
                                     .source = c->element,
                                     .target = c->element,
                                     .index = (int32_t)i,
                                     .alone = alone};
        if (!c->chan)
            continue;
        rt_queue_push(c->direction == TASKRT_SEND ? &c->chan->senders : &c->chan->receivers,
                      waiter);
        c->chan->returning += op->count > 1 || alone;
    }
}

static void remove_waiters(struct select_op *op)
{
    for (size_t i = 0; i < op->count; i++) {
        struct taskrt_case *c = &op->cases[i];
        if (!c->chan)
            continue;
        rt_queue_remove(c->direction == TASKRT_SEND ? &c->chan->senders : &c->chan->receivers,
                        &op->waiters[i]);
        c->chan->returning--;
    }
}

/* The engine. `reason`, `object` and `object_count` are what a tool shall see if the task parks. */
static int select_cases(struct select_op *op, enum taskrt_reason reason, uint64_t object,
                        int64_t deadline_ns)
{
    struct taskrt_task *woken = NULL;
    lock_all(op);
    int chosen = try_any(op, &woken);
    if (chosen >= 0) {
        unlock_all(op);
        if (woken)
            rt_ready(woken);
        return chosen;
    }
    int result = rt_deadline_check(deadline_ns);
    if (result < 0) {
        unlock_all(op);
        return result;
    }
    queue_waiters(op, deadline_ns != TASKRT_NEVER);
    rt_unlock_fn *unlock = op->locked_count == 1 ? rt_unlock_one
                           : op->locked_count    ? unlock_all
                                                 : NULL;
    void *unlock_arg = op->locked_count == 1 ? (void *)&op->locked[0]->lock : op;
    result =
        rt_park(op->self, reason, object, (uint32_t)op->count, deadline_ns, unlock, unlock_arg);
    struct rt_waiter *by = op->self->woken_by;
    if (op->count > 1 || result == -ETIMEDOUT) {
        lock_all(op);
        remove_waiters(op);
        unlock_all(op);
    }
    if (result == -ETIMEDOUT)
        return result;
    op->cases[by->index].result = result;
    return by->index;
}

static int one_case(enum taskrt_direction direction, struct taskrt_chan *chan, void *element,
                    int64_t deadline_ns)
{
    struct rt_waiter waiter;
    struct taskrt_case c = {.direction = direction, .chan = chan, .element = element};
    struct select_op op = {.self = rt_self(),
                           .cases = &c,
                           .count = 1,
                           .locked = &chan,
                           .locked_count = chan != NULL,
                           .waiters = &waiter};
    if (!op.self)
        return -EPERM;
    int result =
        select_cases(&op, direction == TASKRT_SEND ? TASKRT_REASON_SEND : TASKRT_REASON_RECEIVE,
                     (uintptr_t)chan, deadline_ns);
    return result < 0 ? result : c.result;
}

int taskrt_send(struct taskrt_chan *chan, const void *element)
{
    return one_case(TASKRT_SEND, chan, (void *)element, TASKRT_NEVER);
}

int taskrt_receive(struct taskrt_chan *chan, void *element)
{
    return one_case(TASKRT_RECEIVE, chan, element, TASKRT_NEVER);
}

int taskrt_try_send(struct taskrt_chan *chan, const void *element)
{
    return one_case(TASKRT_SEND, chan, (void *)element, 0);
}

int taskrt_try_receive(struct taskrt_chan *chan, void *element)
{
    return one_case(TASKRT_RECEIVE, chan, element, 0);
}

int taskrt_send_until(struct taskrt_chan *chan, const void *element, int64_t deadline_ns)
{
    return one_case(TASKRT_SEND, chan, (void *)element, deadline_ns);
}

int taskrt_receive_until(struct taskrt_chan *chan, void *element, int64_t deadline_ns)
{
    return one_case(TASKRT_RECEIVE, chan, element, deadline_ns);
}

int taskrt_select(struct taskrt_case *cases, size_t count, int64_t deadline_ns)
{
    struct select_op op = {.self = rt_self(), .cases = cases, .count = count};
    if (!op.self)
        return -EPERM;
    if (count > MAX_CASES || (count > 0 && !cases))
        return -EINVAL;
    struct {
        struct rt_waiter waiters[INLINE_CASES];
        struct taskrt_chan *locked[INLINE_CASES];
    } few;
    void *many = NULL;
    op.waiters = few.waiters;
    op.locked = few.locked;
    if (count > INLINE_CASES) {
        many = malloc(count * (sizeof *op.waiters + sizeof *op.locked));
        if (!many)
            return -ENOMEM;
        op.self->block = many; /* should the run end meanwhile */
        op.waiters = many;
        op.locked = (struct taskrt_chan **)(op.waiters + count);
    }
    sort_channels(&op);
    int result = select_cases(&op, TASKRT_REASON_SELECT, (uintptr_t)cases, deadline_ns);
    if (many) {
        op.self->block = NULL;
        free(many);
    }
    return result;
}

struct taskrt_chan *taskrt_chan_create(size_t element_bytes, size_t capacity)
{
    size_t bytes;
    if (__builtin_mul_overflow(element_bytes, capacity, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct taskrt_chan), &bytes) || bytes > PTRDIFF_MAX)
        return NULL;
    struct taskrt_chan *chan = malloc(bytes);
    if (!chan)
        return NULL;
    memset(chan, 0, sizeof *chan);
    chan->element_bytes = element_bytes;
    RT_SET(chan->capacity, capacity);
    return chan;
}

int taskrt_chan_destroy(struct taskrt_chan *chan)
{
    if (!chan)
        return 0;
    lock_chan(chan);
    bool used = chan->senders.first || chan->receivers.first || chan->returning;
    rt_unlock(&chan->lock);
    if (used)
        return -EBUSY;
    free(chan);
    return 0;
}

int taskrt_chan_close(struct taskrt_chan *chan)
{
    if (!rt_self())
        return -EPERM;
    if (!chan)
        return -EINVAL;
    lock_chan(chan);
    if (RT_GET(chan->closed)) {
        rt_unlock(&chan->lock);
        return -EPIPE;
    }
    RT_SET(chan->closed, 1);
    struct taskrt_task *first = NULL;
    struct taskrt_task **last = &first;
    struct rt_waiter *waiter;
    while ((waiter = claim(chan, &chan->receivers)) != NULL) {
        copy_element(chan, waiter->target, NULL);
        *last = rt_end_wait(waiter, -EPIPE);
        last = &waiter->task->link;
    }
    while ((waiter = claim(chan, &chan->senders)) != NULL) {
        *last = rt_end_wait(waiter, -EPIPE);
        last = &waiter->task->link;
    }
    *last = NULL;
    rt_unlock(&chan->lock);
    rt_ready_all(first);
    return 0;
}

size_t taskrt_chan_length(struct taskrt_chan *chan)
{
    return chan ? RT_GET(chan->length) : 0;
}

size_t taskrt_chan_capacity(const struct taskrt_chan *chan)
{
    return chan ? RT_GET(chan->capacity) : 0;
}
