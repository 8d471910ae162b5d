/* libtaskrt: tasks and channels for C.
 *
 * Many tasks on a thread a core. A task costs a small stack and is cheap to start, to park and to
 * switch to. Tasks talk through channels; select waits for many at once. A task that waits never
 * blocks the thread that runs it.
 *
 * Conventions: functions return 0 or a negative errno value. Deadlines are absolute, in ns of
 * CLOCK_MONOTONIC (taskrt_now_ns() + 5 * TASKRT_S); TASKRT_NEVER waits for ever, 0 does not wait
 * (-EAGAIN where a deadline would give -ETIMEDOUT). Everything but taskrt_run and the functions
 * marked "anywhere" may be called from tasks only: elsewhere it returns -EPERM (NULL for functions
 * that return pointers; taskrt_yield does nothing).
 *
 * Misuse has a defined result; each function says which. Pointers to mutexes, conditions and wait
 * groups must be valid; other pointers may be NULL where their function says what happens then.
 *
 * A task may go on in another thread after any call that can wait: do not keep the address of a
 * thread-local variable across one, nor a lock that belongs to a thread; use taskrt_mutex. Of
 * errno, the compiler keeps the address by itself in a function that uses it before and after a
 * wait, and may give what the thread before has: taskrt_errno does not. A call that blocks the
 * thread itself (read on a blocking descriptor) keeps that thread from other tasks; the other
 * threads go on. In a child of fork only exec and _exit may follow. In C++, exceptions belong to
 * the task, which may wait in a catch block too; but not if the C++ library came by dlopen, after
 * this one. While it runs, the runtime has descriptors of its own, which the program must not close
 * (close_range).
 *
 * Environment: TASKRT_THREADS, how many threads, in decimal digits and nothing else (1024 at most;
 * default, also for 0: as many as there are processors that the process may run on);
 * TASKRT_GUARD=mprotect or canary, how stack overflows are caught (stack.c).
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
 * are still there are then abandoned: one that runs in another thread is let go on until it next
 * waits, yields or ends, then nothing of theirs runs any more. The calling thread becomes one of
 * the runtime's; the others are named taskrt-1, taskrt-2 and so on. Channels, mutexes, conditions
 * and wait groups may be used and freed after the run, also in the next one: who waited there is
 * forgotten, and a mutex that an abandoned task had is free.
 * 0; -EDEADLK: every task was parked and nothing could wake one (no deadline, nobody waiting for a
 * descriptor); -ENOMEM, or what epoll_create1 and eventfd give: it could not start; -EBUSY: one
 * runs already, or called from a task; -EINVAL: `fn` is NULL. */
int taskrt_run(taskrt_fn *fn, void *arg);

/* Anywhere. CLOCK_MONOTONIC in ns. */
int64_t taskrt_now_ns(void);

/* Anywhere. errno of the thread that the caller runs in now. */
int taskrt_errno(void);

struct taskrt_options {
    const char *name;   /* NULL: none; copied, cut at 31 bytes */
    size_t stack_bytes; /* 0: 64 KiB; made a power of two, 16 KiB or more. -ENOMEM above 8 GiB */
};

/* Starts `fn(arg)` as a new task. `options` may be NULL. With `ret` NULL the task is detached:
 * freed when it ends. Otherwise *ret is its handle, to be given to taskrt_join or taskrt_detach
 * once. 0; -ENOMEM; -EPERM; -EINVAL: `fn` is NULL.
 * A task that overruns its stack takes the process with it: by SIGSEGV, since 16 KiB below a stack
 * fault. A frame larger than that may step over them, into another stack: compile with
 * -fstack-clash-protection. Before Linux 6.13 only about 16,380 stacks can be guarded
 * (vm.max_map_count / 4). Of one without a guard, it is seen by what it left in the lowest 64 bytes
 * when the task next waits, yields or ends: SIGABRT with a message. It may have damaged another
 * stack by then. */
int taskrt_spawn(const struct taskrt_options *options, taskrt_fn *fn, void *arg,
                 struct taskrt_task **ret);

/* Waits until the task has ended, and frees the handle. 0; -ETIMEDOUT, -EAGAIN: the handle stays
 * valid; -EDEADLK: joins itself; -EINVAL: somebody else is joining it, it is detached, or NULL. A
 * handle that was given up gives -EINVAL too, until its memory belongs to another task. */
int taskrt_join(struct taskrt_task *task, int64_t deadline_ns);

/* Gives up the handle: the task is freed when it ends. 0; -EINVAL as for taskrt_join. */
int taskrt_detach(struct taskrt_task *task);

struct taskrt_task *taskrt_self(void);                   /* anywhere; NULL outside tasks */
const char *taskrt_name(const struct taskrt_task *task); /* anywhere; "": none. NULL for NULL */
void taskrt_yield(void);
int taskrt_sleep(int64_t duration_ns); /* 0 or less: like taskrt_yield */

/* Channels. Elements are copied: `element_bytes` each (0 is fine), `capacity` of them buffered
 * (0: a send waits for its receiver). Channels may be made and freed anywhere. NULL: no memory, or
 * sizes that overflow. */
struct taskrt_chan *taskrt_chan_create(size_t element_bytes, size_t capacity);

/* Frees a channel; NULL is fine. 0; -EBUSY: tasks are parked on it, or one that was just woken by a
 * deadline, or from a select that it is a case of, has not run yet; nothing was freed. */
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

/* Elements that are buffered now, and at most; 0 for NULL. Anywhere. */
size_t taskrt_chan_length(struct taskrt_chan *chan);
size_t taskrt_chan_capacity(const struct taskrt_chan *chan);

enum taskrt_direction { TASKRT_RECEIVE = 0, TASKRT_SEND = 1 }; /* another: as TASKRT_RECEIVE */

struct taskrt_case {
    enum taskrt_direction direction;
    struct taskrt_chan *chan; /* NULL: never ready */
    void *element;            /* as for taskrt_send and taskrt_receive */
    int result;               /* out, of the case that was chosen: 0 or -EPIPE */
};

/* Waits until one of `count` cases can go on, carries that one out and returns its index; of
 * several that can, any. -ETIMEDOUT at the deadline; -EAGAIN with a deadline of 0 (the form with a
 * default); -EINVAL: count above 65535, or cases NULL; -ENOMEM (more than 8 cases). No cases and no
 * deadline: waits for ever. */
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

/* Hands over in the order of arrival. lock: 0; -ETIMEDOUT; -EAGAIN with a deadline of 0; -EDEADLK:
 * the caller has it already. unlock: 0; -EPERM: the caller does not have it. */
int taskrt_mutex_lock(struct taskrt_mutex *mutex);
int taskrt_mutex_lock_until(struct taskrt_mutex *mutex, int64_t deadline_ns);
int taskrt_mutex_unlock(struct taskrt_mutex *mutex);

/* Waits for a signal with the mutex unlocked; it is locked again on every return but -EPERM (the
 * caller does not have the mutex). 0; -ETIMEDOUT; -EAGAIN with a deadline of 0. Not woken without a
 * signal. Who signals need not have the mutex; a signal that nobody waits for is lost. */
int taskrt_cond_wait(struct taskrt_cond *cond, struct taskrt_mutex *mutex);
int taskrt_cond_wait_until(struct taskrt_cond *cond, struct taskrt_mutex *mutex,
                           int64_t deadline_ns);
int taskrt_cond_signal(struct taskrt_cond *cond);    /* wakes the one that waits longest */
int taskrt_cond_broadcast(struct taskrt_cond *cond); /* wakes all */

/* Counts work. add: 0; -EINVAL: the count would become negative or overflow, it stays as it was.
 * wait, until the count is 0: 0; -ETIMEDOUT; -EAGAIN with a deadline of 0. */
int taskrt_waitgroup_add(struct taskrt_waitgroup *group, int64_t delta);
int taskrt_waitgroup_done(struct taskrt_waitgroup *group); /* add(-1) */
int taskrt_waitgroup_wait(struct taskrt_waitgroup *group);
int taskrt_waitgroup_wait_until(struct taskrt_waitgroup *group, int64_t deadline_ns);

/* Waits until `fd` can be read or written (POLLIN, POLLOUT of <poll.h>). The ready events (also
 * POLLERR, POLLHUP); -ETIMEDOUT; -EAGAIN with a deadline of 0; -EBADF; -EINVAL: other events, or
 * none. Only where it has to wait, which it has not with a deadline that has come: -EEXIST: a task
 * waits for the same fd and direction already; -EPERM: such a file is always ready (a regular
 * file); -ENOMEM; -ENOSPC: the user watches too many (fs.epoll.max_user_watches); -ELOOP: an epoll
 * descriptor that watches others too deep; -EINVAL: the runtime's own; -EBADF also for an fd of
 * 1048576 or more. Tasks that wait when the fd is closed without taskrt_fd_close wait on, as with
 * epoll, until a task waits for another fd of that number: then they return -EBADF. */
int taskrt_wait_fd(int fd, int events, int64_t deadline_ns);

/* Closes `fd`; tasks that wait for it return -EBADF. 0 or the error of close. */
int taskrt_fd_close(int fd);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
