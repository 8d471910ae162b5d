/* libtaskrt: tasks and channels for C.
 *
 * Many tasks on a thread a core. A task costs a small stack and is cheap to start, to park and to
 * switch to. Tasks talk through channels; select waits for many at once. A task that waits never
 * blocks the thread that runs it.
 *
 * Conventions: functions return 0 or a negative errno value. Deadlines are absolute, in ns of
 * CLOCK_MONOTONIC (taskrt_now_ns() + 5 * TASKRT_S); TASKRT_NEVER waits for ever, 0 does not wait
 * (-EAGAIN where a deadline would give -ETIMEDOUT). Everything but taskrt_run, taskrt_now_ns and
 * the functions marked "anywhere" may be called from tasks only: elsewhere it returns -EPERM (NULL
 * for functions that return pointers).
 *
 * Misuse has a defined result; each function says which.
 */
#ifndef TASKRT_H
#define TASKRT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TASKRT_VERSION 1
#define TASKRT_NEVER INT64_MAX
#define TASKRT_US INT64_C(1000)
#define TASKRT_MS INT64_C(1000000)
#define TASKRT_S INT64_C(1000000000)

/* What follows is what the library exports. */
#pragma GCC visibility push(default)

struct taskrt_task;
struct taskrt_chan;

typedef void taskrt_fn(void *arg);

/* Starts the runtime, runs `fn(arg)` as the first task and returns when it has returned; tasks that
 * are still there are then abandoned (their stacks are freed, nothing of theirs runs any more).
 * Not from a task; one runtime a process at a time.
 * 0; -EDEADLK: every task was parked and nothing could wake one; -ENOMEM; -EBUSY: running already.
 */
int taskrt_run(taskrt_fn *fn, void *arg);

/* Anywhere. CLOCK_MONOTONIC in ns. */
int64_t taskrt_now_ns(void);

struct taskrt_options {
    const char *name;   /* NULL: none; copied, cut at 31 bytes */
    size_t stack_bytes; /* 0: 64 KiB; rounded up to pages; less than 16 KiB is made 16 KiB */
};

/* Starts `fn(arg)` as a new task. `options` may be NULL. With `ret` NULL the task is detached:
 * freed when it ends. Otherwise *ret is its handle, to be given to taskrt_join or taskrt_detach
 * once. 0; -ENOMEM; -EPERM. */
int taskrt_spawn(const struct taskrt_options *options, taskrt_fn *fn, void *arg,
                 struct taskrt_task **ret);

/* Waits until the task has ended, and frees the handle. 0; -ETIMEDOUT (the handle stays valid);
 * -EDEADLK: joins itself; -EINVAL: somebody else is joining it. */
int taskrt_join(struct taskrt_task *task, int64_t deadline_ns);

/* Gives up the handle: the task is freed when it ends. 0; -EINVAL: somebody is joining it. */
int taskrt_detach(struct taskrt_task *task);

struct taskrt_task *taskrt_self(void); /* anywhere; NULL outside tasks */
const char *taskrt_name(const struct taskrt_task *task);
void taskrt_yield(void);
int taskrt_sleep(int64_t duration_ns); /* 0 or less: like taskrt_yield */

/* Channels. Elements are copied: `element_bytes` each (0 is fine), `capacity` of them buffered
 * (0: a send waits for its receiver). Channels may be made and freed anywhere. NULL: no memory, or
 * sizes that overflow. */
struct taskrt_chan *taskrt_chan_create(size_t element_bytes, size_t capacity);

/* Frees a channel; NULL is fine. 0; -EBUSY: tasks are parked on it, nothing was freed. */
int taskrt_chan_destroy(struct taskrt_chan *chan);

/* 0: sent or received. On a closed channel sends give -EPIPE, and receives give what is still
 * buffered, then -EPIPE with *element zeroed; tasks that are parked when it is closed get the same.
 * A NULL channel is never ready. `element` may be NULL (sends zeroes, drops what is received). */
int taskrt_send(struct taskrt_chan *chan, const void *element);
int taskrt_receive(struct taskrt_chan *chan, void *element);
int taskrt_try_send(struct taskrt_chan *chan, const void *element); /* -EAGAIN: would wait */
int taskrt_try_receive(struct taskrt_chan *chan, void *element);    /* -EAGAIN: would wait */
int taskrt_send_until(struct taskrt_chan *chan, const void *element, int64_t deadline_ns);
int taskrt_receive_until(struct taskrt_chan *chan, void *element, int64_t deadline_ns);

/* 0; -EPIPE: it was closed already; -EINVAL: NULL. */
int taskrt_chan_close(struct taskrt_chan *chan);

/* Elements that are buffered now, and at most. Anywhere. */
size_t taskrt_chan_length(struct taskrt_chan *chan);
size_t taskrt_chan_capacity(const struct taskrt_chan *chan);

enum taskrt_direction { TASKRT_RECEIVE = 0, TASKRT_SEND = 1 };

struct taskrt_case {
    enum taskrt_direction direction;
    struct taskrt_chan *chan; /* NULL: never ready */
    void *element;            /* as for taskrt_send and taskrt_receive */
    int result;               /* out, of the case that was chosen: 0 or -EPIPE */
};

/* Waits until one of `count` cases can go on, carries that one out and returns its index; of
 * several that can, any. -ETIMEDOUT at the deadline; -EAGAIN with a deadline of 0 (the form with a
 * default); -EINVAL: count above 65535. No cases and no deadline: waits for ever. */
int taskrt_select(struct taskrt_case *cases, size_t count, int64_t deadline_ns);

/* A mutex, a condition, a wait group. All zeroes is the initial state; no destroy needed. */
struct taskrt_mutex {
    uintptr_t opaque[5];
};
struct taskrt_cond {
    uintptr_t opaque[4];
};
struct taskrt_waitgroup {
    uintptr_t opaque[5];
};

/* Hands over in the order of arrival. lock: 0; -ETIMEDOUT; -EDEADLK: the caller has it already.
 * unlock: 0; -EPERM: the caller does not have it. */
int taskrt_mutex_lock(struct taskrt_mutex *mutex);
int taskrt_mutex_lock_until(struct taskrt_mutex *mutex, int64_t deadline_ns);
int taskrt_mutex_unlock(struct taskrt_mutex *mutex);

/* Waits for a signal with the mutex unlocked; it is locked again on every return but -EPERM (the
 * caller does not have the mutex). 0; -ETIMEDOUT. Not woken without a signal. */
int taskrt_cond_wait(struct taskrt_cond *cond, struct taskrt_mutex *mutex);
int taskrt_cond_wait_until(struct taskrt_cond *cond, struct taskrt_mutex *mutex,
                           int64_t deadline_ns);
int taskrt_cond_signal(struct taskrt_cond *cond);    /* wakes the one that waits longest */
int taskrt_cond_broadcast(struct taskrt_cond *cond); /* wakes all */

/* Counts work. add: 0; -EINVAL: the count would become negative. wait: until the count is 0. */
int taskrt_waitgroup_add(struct taskrt_waitgroup *group, int64_t delta);
int taskrt_waitgroup_done(struct taskrt_waitgroup *group); /* add(-1) */
int taskrt_waitgroup_wait(struct taskrt_waitgroup *group);
int taskrt_waitgroup_wait_until(struct taskrt_waitgroup *group, int64_t deadline_ns);

/* Waits until `fd` can be read or written (POLLIN, POLLOUT of <poll.h>). The ready events (also
 * POLLERR, POLLHUP); -ETIMEDOUT; -EAGAIN with a deadline of 0; -EBADF; -EEXIST: a task waits for
 * the same fd and direction already; -EPERM: such a file is always ready (a regular file). Tasks
 * that wait when the fd is closed without taskrt_fd_close wait for ever, as with epoll. */
int taskrt_wait_fd(int fd, int events, int64_t deadline_ns);

/* Closes `fd`; tasks that wait for it return -EBADF. 0 or the error of close. */
int taskrt_fd_close(int fd);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
