/* Waiting for descriptors: one epoll instance a run.
 *
 * Each wait arms its descriptor once (EPOLLONESHOT), so what is ready already is reported too, and
 * a descriptor that was closed and opened anew behind our back is noticed: arming it fails with
 * ENOENT, who waited for the old file is told, and it is added again. The generation in the event's
 * data tells reports of an old registration (kept alive by a duplicate of the descriptor), and of
 * earlier waits, from those of the present ones. Dropping them loses nothing: what is still so when
 * the descriptor is armed is reported anew.
 */
#include "runtime/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAGE_FDS 1024 /* descriptors a page of the table */
#define PAGES 1024

_Static_assert(sizeof(struct epoll_event) <= RT_NETPOLL_EVENT_BYTES, "an event fits its room");

enum { READ, WRITE, DIRECTIONS };

static const uint32_t direction_events[DIRECTIONS] = {EPOLLIN, EPOLLOUT};

struct fd_state {
    struct rt_lock lock;
    uint32_t generation; /* how often it was armed */
    bool registered;
    struct rt_waiter *waiters[DIRECTIONS];
};

struct fd_page {
    struct fd_state fds[PAGE_FDS];
};

static struct fd_page *_Atomic pages[PAGES];
static _Atomic int64_t
    waiter_count; /* waits from before they are armed until their task runs again */
static int epoll_fd = -1;
static int interrupt_fd = -1;

#define INTERRUPT_DATA UINT64_MAX

int rt_netpoll_init(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return -errno;
    interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = INTERRUPT_DATA};
    if (interrupt_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, interrupt_fd, &event) < 0) {
        int error = -errno;
        rt_netpoll_deinit();
        return error;
    }
    return 0;
}

void rt_netpoll_deinit(void)
{
    if (interrupt_fd >= 0)
        close(interrupt_fd);
    if (epoll_fd >= 0)
        close(epoll_fd);
    interrupt_fd = epoll_fd = -1;
    atomic_store(&waiter_count, 0);
    for (int i = 0; i < PAGES; i++) {
        free(atomic_load(&pages[i]));
        atomic_store(&pages[i], NULL);
    }
}

bool rt_netpoll_has_waiters(void)
{
    return atomic_load(&waiter_count) != 0;
}

void rt_netpoll_interrupt(void)
{
    /* Edge-triggered: each write is reported once, nobody needs to read it. */
    uint64_t one = 1;
    int saved = errno;
    ssize_t written = write(interrupt_fd, &one, sizeof one);
    (void)written; /* the counter cannot overflow in 500 years of writes */
    errno = saved;
}

int rt_netpoll_wait(int64_t timeout_ns, void *events, int capacity)
{
    static _Atomic bool no_pwait2;
    int saved = errno;
    int count = -1;
    if (!atomic_load_explicit(&no_pwait2, memory_order_relaxed)) {
        struct timespec timeout = {.tv_sec = timeout_ns / TASKRT_S,
                                   .tv_nsec = timeout_ns % TASKRT_S};
        count = epoll_pwait2(epoll_fd, events, capacity,
                             timeout_ns == TASKRT_NEVER ? NULL : &timeout, NULL);
        /* Not only ENOSYS: a seccomp filter that does not know the call may say what it likes. */
        if (count < 0 && errno != EINTR)
            atomic_store(&no_pwait2, true);
    }
    if (count < 0 && atomic_load_explicit(&no_pwait2, memory_order_relaxed)) {
        int timeout_ms = INT_MAX; /* the poller looks at its deadlines and goes on from there */
        if (timeout_ns == TASKRT_NEVER)
            timeout_ms = -1;
        else if (timeout_ns < INT_MAX * TASKRT_MS)
            timeout_ms = (int)((timeout_ns + TASKRT_MS - 1) / TASKRT_MS);
        count = epoll_wait(epoll_fd, events, capacity, timeout_ms);
    }
    errno = saved;
    return count < 0 ? 0 : count;
}

static struct fd_state *find_fd(int fd, bool create)
{
    if (fd < 0 || fd >= PAGES * PAGE_FDS)
        return NULL;
    struct fd_page *_Atomic *at = &pages[fd / PAGE_FDS];
    struct fd_page *page = atomic_load(at);
    if (!page && create) {
        struct fd_page *fresh = calloc(1, sizeof *fresh);
        if (!fresh)
            return NULL;
        if (atomic_compare_exchange_strong(at, &page, fresh))
            page = fresh;
        else
            free(fresh);
    }
    return page ? &page->fds[fd % PAGE_FDS] : NULL;
}

/* Takes the waiter out of both directions. The lock is held. */
static void forget(struct fd_state *state, const struct rt_waiter *waiter)
{
    for (int i = 0; i < DIRECTIONS; i++)
        if (state->waiters[i] == waiter)
            state->waiters[i] = NULL;
}

/* Ends the wait, if nothing has yet. The lock is held; the caller makes the task ready. */
static struct taskrt_task *end_wait(struct fd_state *state, struct rt_waiter *waiter, int result)
{
    forget(state, waiter);
    if (!rt_claim(waiter->task))
        return NULL;
    struct taskrt_task *task = rt_end_wait(waiter, result);
    task->link = NULL;
    return task;
}

/* Ends the waits of all but one waiter (NULL: of all). The tasks go to the end of a list. */
static struct taskrt_task **end_others(struct fd_state *state, const struct rt_waiter *but,
                                       int result, struct taskrt_task **last)
{
    for (int i = 0; i < DIRECTIONS; i++) {
        struct rt_waiter *waiter = state->waiters[i];
        struct taskrt_task *task = waiter && waiter != but ? end_wait(state, waiter, result) : NULL;
        if (task) {
            *last = task;
            last = &task->link;
        }
    }
    return last;
}

/* EPOLL_CTL_ADD or MOD for what its waiters wait for. 0 or a negative errno. */
static int control(int fd, struct fd_state *state, int what)
{
    uint32_t events = EPOLLONESHOT;
    for (int i = 0; i < DIRECTIONS; i++)
        if (state->waiters[i])
            events |= direction_events[i];
    state->generation++;
    struct epoll_event event = {.events = events,
                                .data.u64 = (uint64_t)state->generation << 32 | (uint32_t)fd};
    return epoll_ctl(epoll_fd, what, fd, &event) == 0 ? 0 : -errno;
}

/* Arms the descriptor for what its waiters wait for, of whom one is new, or none (NULL). Where the
 * number stands for another file by now, or none, the others can wait no longer: they get -EBADF,
 * and go to the end of a list. The lock of the state is held. */
static int arm(int fd, struct fd_state *state, const struct rt_waiter *fresh,
               struct taskrt_task ***last)
{
    int result = -ENOENT;
    if (state->registered) {
        result = control(fd, state, EPOLL_CTL_MOD);
        if (result < 0)
            *last = end_others(state, fresh, -EBADF, *last);
    }
    if (result == -ENOENT && fresh) {
        result = control(fd, state, EPOLL_CTL_ADD);
        if (result == -EEXIST)
            result = control(fd, state, EPOLL_CTL_MOD);
    }
    state->registered = result == 0;
    return result;
}

static struct taskrt_task **report(int fd, uint32_t generation, uint32_t events,
                                   struct taskrt_task **last)
{
    struct fd_state *state = find_fd(fd, false);
    if (!state)
        return last;
    rt_lock(&state->lock);
    if (state->registered && state->generation == generation) {
        for (int i = 0; i < DIRECTIONS; i++) {
            struct rt_waiter *waiter = state->waiters[i];
            /* What was asked for, and the end of everything for everybody. */
            uint32_t concerns = direction_events[i] | EPOLLERR | EPOLLHUP;
            if (!waiter || !(events & concerns))
                continue;
            uint32_t asked = EPOLLERR | EPOLLHUP;
            for (int j = 0; j < DIRECTIONS; j++)
                if (state->waiters[j] == waiter)
                    asked |= direction_events[j];
            struct taskrt_task *task = end_wait(state, waiter, (int)(events & asked));
            if (task) {
                *last = task;
                last = &task->link;
            }
        }
        if (state->waiters[READ] || state->waiters[WRITE])
            arm(fd, state, NULL, &last);
    }
    rt_unlock(&state->lock);
    return last;
}

struct taskrt_task *rt_netpoll_claim(const void *events, int count)
{
    struct taskrt_task *first = NULL;
    struct taskrt_task **last = &first;
    const struct epoll_event *event = events;
    for (int i = 0; i < count; i++)
        if (event[i].data.u64 != INTERRUPT_DATA)
            last = report((int)(uint32_t)event[i].data.u64, (uint32_t)(event[i].data.u64 >> 32),
                          event[i].events, last);
    return first;
}

bool rt_netpoll_interrupted(const void *events, int count)
{
    const struct epoll_event *event = events;
    for (int i = 0; i < count; i++)
        if (event[i].data.u64 == INTERRUPT_DATA)
            return true;
    return false;
}

static int poll_now(int fd, int events)
{
    struct pollfd one = {.fd = fd, .events = (short)events};
    int ready;
    do
        ready = poll(&one, 1, 0);
    while (ready < 0 && errno == EINTR); /* by a signal that came meanwhile: it waits for nothing */
    if (ready < 0)
        return -errno;
    if (one.revents & POLLNVAL)
        return -EBADF;
    return one.revents ? one.revents : -EAGAIN;
}

static int wait_fd(struct taskrt_task *self, int fd, int events, int64_t deadline_ns)
{
    int result = rt_deadline_check(deadline_ns);
    if (result < 0) {
        int now = poll_now(fd, events);
        return now == -EAGAIN ? result : now;
    }
    struct fd_state *state = find_fd(fd, true);
    if (!state)
        return fd < 0 || fd >= PAGES * PAGE_FDS ? -EBADF : -ENOMEM;

    struct rt_waiter waiter = {.task = self};
    rt_lock(&state->lock);
    for (int i = 0; i < DIRECTIONS; i++) {
        struct rt_waiter *other = state->waiters[i];
        if (other && !atomic_load_explicit(&other->task->waiting, memory_order_acquire))
            forget(state, other); /* its deadline came; it has not run yet */
    }
    bool conflict = false;
    for (int i = 0; i < DIRECTIONS; i++)
        conflict |= (uint32_t)events & direction_events[i] && state->waiters[i];
    struct taskrt_task *ended = NULL; /* who waited for an earlier file of this number */
    struct taskrt_task **last = &ended;
    if (conflict && arm(fd, state, NULL, &last) == 0) {
        rt_unlock(&state->lock);
        return -EEXIST;
    }
    for (int i = 0; i < DIRECTIONS; i++)
        if ((uint32_t)events & direction_events[i])
            state->waiters[i] = &waiter;
    atomic_fetch_add(&waiter_count, 1);
    result = arm(fd, state, &waiter, &last);
    rt_ready_all(ended); /* they take the lock no more, and it stays until the run ends */
    if (result < 0) {
        forget(state, &waiter);
        rt_unlock(&state->lock);
    } else {
        result = rt_park(self, TASKRT_REASON_FD, (uint64_t)fd, 1, deadline_ns, rt_unlock_one,
                         &state->lock);
        if (result == -ETIMEDOUT) {
            rt_lock(&state->lock);
            forget(state, &waiter);
            rt_unlock(&state->lock);
        }
    }
    atomic_fetch_sub(&waiter_count, 1);
    return result;
}

int taskrt_wait_fd(int fd, int events, int64_t deadline_ns)
{
    _Static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLERR == EPOLLERR &&
                       POLLHUP == EPOLLHUP,
                   "poll's events are epoll's");
    struct taskrt_task *self = rt_self();
    if (!self)
        return -EPERM;
    if (fd < 0)
        return -EBADF;
    if (events == 0 || (events & ~(POLLIN | POLLOUT)) != 0)
        return -EINVAL;
    return wait_fd(self, fd, events, deadline_ns);
}

static bool lingers(int fd)
{
    struct linger linger = {0};
    socklen_t bytes = sizeof linger;
    int saved = errno;
    bool does = getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &bytes) == 0 && linger.l_onoff;
    errno = saved;
    return does;
}

int taskrt_fd_close(int fd)
{
    if (!rt_self())
        return -EPERM;
    /* Created, or a task that is the first to wait there could do so between here and the close. */
    struct fd_state *state = find_fd(fd, true);
    if (!state) /* out of range, or no memory */
        return close(fd) == 0 ? 0 : -errno;
    struct taskrt_task *woken = NULL;
    /* The last close of such a socket may take its time: it comes after the lock. */
    int last = lingers(fd) ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    rt_lock(&state->lock);
    end_others(state, NULL, -EBADF, &woken);
    if (state->registered)
        epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL); /* a duplicate would keep it */
    state->registered = false;
    int result = close(fd) == 0 ? 0 : -errno;
    rt_unlock(&state->lock);
    rt_ready_all(woken);
    if (last >= 0 && close(last) < 0 && result == 0)
        result = -errno;
    return result;
}
