/* Mutex, condition, wait group: a lock, a queue of waiters and a word each. */
#include "runtime/sync.h"

#include <errno.h>

/* Parks the caller at the end of the queue, whose lock it holds; takes it off at the deadline. */
static int wait_in(struct rt_queue *queue, struct rt_lock *lock, struct taskrt_task *self,
                   enum taskrt_reason reason, void *object, int64_t deadline_ns)
{
    struct rt_waiter waiter = {.task = self};
    rt_queue_push(queue, &waiter);
    int result = rt_park(self, reason, (uintptr_t)object, 1, deadline_ns, rt_unlock_one, lock);
    if (result == -ETIMEDOUT) {
        rt_lock(lock);
        rt_queue_remove(queue, &waiter);
        rt_unlock(lock);
    }
    return result;
}

/* Takes the next waiter off; NULL: none. The queue's lock is held; rt_ready it after unlocking. */
static struct taskrt_task *claim_one(struct rt_queue *queue)
{
    struct rt_waiter *waiter = rt_queue_claim(queue);
    if (!waiter)
        return NULL;
    struct taskrt_task *task = rt_end_wait(waiter, 0);
    task->link = NULL;
    return task;
}

/* Takes all waiters off, as a list through link. */
static struct taskrt_task *claim_all(struct rt_queue *queue)
{
    struct taskrt_task *first = NULL;
    struct taskrt_task **last = &first;
    struct taskrt_task *task;
    while ((task = claim_one(queue)) != NULL) {
        *last = task;
        last = &task->link;
    }
    return first;
}

/* Mutex. */

static void enter_mutex(struct rt_mutex *mutex)
{
    if (rt_lock_in_run(&mutex->lock, &mutex->run)) {
        mutex->waiters = (struct rt_queue){NULL, NULL};
        RT_SET(mutex->owner, NULL);
    }
}

/* NULL: it is free from now on. */
static void set_owner(struct rt_mutex *mutex, struct taskrt_task *owner)
{
    mutex->owner_id = owner ? RT_GET(owner->id) : 0;
    RT_SET(mutex->owner, owner);
}

static bool owns(const struct rt_mutex *mutex, const struct taskrt_task *self)
{
    return RT_GET(mutex->owner) == self && mutex->owner_id == RT_GET(self->id);
}

static int mutex_lock(struct rt_mutex *mutex, struct taskrt_task *self, int64_t deadline_ns)
{
    enter_mutex(mutex);
    bool taken = RT_GET(mutex->owner) != NULL;
    int result = !taken ? 0 : owns(mutex, self) ? -EDEADLK : rt_deadline_check(deadline_ns);
    if (!taken)
        set_owner(mutex, self);
    if (!taken || result < 0) {
        rt_unlock(&mutex->lock);
        return result;
    }
    return wait_in(&mutex->waiters, &mutex->lock, self, TASKRT_REASON_MUTEX, mutex, deadline_ns);
}

static bool is_owner(struct rt_mutex *mutex, const struct taskrt_task *self)
{
    enter_mutex(mutex); /* what an earlier run left does not count */
    bool owner = owns(mutex, self);
    rt_unlock(&mutex->lock);
    return owner;
}

static int mutex_unlock(struct rt_mutex *mutex, struct taskrt_task *self)
{
    enter_mutex(mutex);
    if (!owns(mutex, self)) {
        rt_unlock(&mutex->lock);
        return -EPERM;
    }
    struct taskrt_task *heir = claim_one(&mutex->waiters);
    set_owner(mutex, heir);
    rt_unlock(&mutex->lock);
    if (heir)
        rt_ready(heir);
    return 0;
}

int taskrt_mutex_lock(struct taskrt_mutex *mutex)
{
    struct taskrt_task *self = rt_self();
    return self ? mutex_lock((struct rt_mutex *)mutex, self, TASKRT_NEVER) : -EPERM;
}

int taskrt_mutex_lock_until(struct taskrt_mutex *mutex, int64_t deadline_ns)
{
    struct taskrt_task *self = rt_self();
    return self ? mutex_lock((struct rt_mutex *)mutex, self, deadline_ns) : -EPERM;
}

int taskrt_mutex_unlock(struct taskrt_mutex *mutex)
{
    struct taskrt_task *self = rt_self();
    return self ? mutex_unlock((struct rt_mutex *)mutex, self) : -EPERM;
}

/* Condition. */

static void enter_cond(struct rt_cond *cond)
{
    if (rt_lock_in_run(&cond->lock, &cond->run))
        cond->waiters = (struct rt_queue){NULL, NULL};
}

static int cond_wait(struct rt_cond *cond, struct rt_mutex *mutex, int64_t deadline_ns)
{
    struct taskrt_task *self = rt_self();
    if (!self || !is_owner(mutex, self))
        return -EPERM;
    int result = rt_deadline_check(deadline_ns);
    if (result < 0)
        return result;
    enter_cond(cond); /* before the mutex is free, so that no signal is missed */
    mutex_unlock(mutex, self);
    result = wait_in(&cond->waiters, &cond->lock, self, TASKRT_REASON_COND, cond, deadline_ns);
    mutex_lock(mutex, self, TASKRT_NEVER);
    return result;
}

int taskrt_cond_wait(struct taskrt_cond *cond, struct taskrt_mutex *mutex)
{
    return cond_wait((struct rt_cond *)cond, (struct rt_mutex *)mutex, TASKRT_NEVER);
}

int taskrt_cond_wait_until(struct taskrt_cond *cond, struct taskrt_mutex *mutex,
                           int64_t deadline_ns)
{
    return cond_wait((struct rt_cond *)cond, (struct rt_mutex *)mutex, deadline_ns);
}

int taskrt_cond_signal(struct taskrt_cond *opaque)
{
    struct rt_cond *cond = (struct rt_cond *)opaque;
    if (!rt_self())
        return -EPERM;
    enter_cond(cond);
    struct taskrt_task *task = claim_one(&cond->waiters);
    rt_unlock(&cond->lock);
    rt_ready_all(task);
    return 0;
}

int taskrt_cond_broadcast(struct taskrt_cond *opaque)
{
    struct rt_cond *cond = (struct rt_cond *)opaque;
    if (!rt_self())
        return -EPERM;
    enter_cond(cond);
    struct taskrt_task *list = claim_all(&cond->waiters);
    rt_unlock(&cond->lock);
    rt_ready_all(list);
    return 0;
}

/* Wait group. */

static void enter_group(struct rt_waitgroup *group)
{
    if (rt_lock_in_run(&group->lock, &group->run))
        group->waiters = (struct rt_queue){NULL, NULL};
}

static int waitgroup_add(struct rt_waitgroup *group, int64_t delta)
{
    if (!rt_self())
        return -EPERM;
    enter_group(group);
    int64_t count;
    if (__builtin_add_overflow(group->count, delta, &count) || count < 0) {
        rt_unlock(&group->lock);
        return -EINVAL;
    }
    group->count = count;
    struct taskrt_task *list = count == 0 ? claim_all(&group->waiters) : NULL;
    rt_unlock(&group->lock);
    rt_ready_all(list);
    return 0;
}

static int waitgroup_wait(struct rt_waitgroup *group, int64_t deadline_ns)
{
    struct taskrt_task *self = rt_self();
    if (!self)
        return -EPERM;
    enter_group(group);
    int result = group->count == 0 ? 0 : rt_deadline_check(deadline_ns);
    if (group->count == 0 || result < 0) {
        rt_unlock(&group->lock);
        return result;
    }
    return wait_in(&group->waiters, &group->lock, self, TASKRT_REASON_WAITGROUP, group,
                   deadline_ns);
}

int taskrt_waitgroup_add(struct taskrt_waitgroup *group, int64_t delta)
{
    return waitgroup_add((struct rt_waitgroup *)group, delta);
}

int taskrt_waitgroup_done(struct taskrt_waitgroup *group)
{
    return waitgroup_add((struct rt_waitgroup *)group, -1);
}

int taskrt_waitgroup_wait(struct taskrt_waitgroup *group)
{
    return waitgroup_wait((struct rt_waitgroup *)group, TASKRT_NEVER);
}

int taskrt_waitgroup_wait_until(struct taskrt_waitgroup *group, int64_t deadline_ns)
{
    return waitgroup_wait((struct rt_waitgroup *)group, deadline_ns);
}
