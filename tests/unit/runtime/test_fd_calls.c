/* Waiting for descriptors, where what matters is when the runtime's calls of the kernel begin and
 * end. They come here, where a test can hold them. */
#include "in_task.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS (20 * TASKRT_S) /* for what happens at once unless something is wrong */

static bool await(const atomic_int *flag)
{
    int64_t until_ns = taskrt_now_ns() + PATIENCE_NS;
    while (!atomic_load(flag))
        if (taskrt_now_ns() > until_ns)
            return false;
    return true;
}

/* A report that the poller has got, and shall do nothing with before the descriptor is armed again.
 */
static struct {
    atomic_int wanted;   /* the next report is to be held */
    atomic_int sleeping; /* the poller is in the kernel, or about to go there */
    atomic_int held;
    atomic_int armed; /* again */
} hold;

static void fall_asleep(bool sleeps)
{
    if (sleeps)
        atomic_store(&hold.sleeping, 1);
}

static int wake_up(bool sleeps, const struct epoll_event *events, int count)
{
    if (!sleeps)
        return count;
    atomic_store(&hold.sleeping, 0);
    if (count > 0 && events[0].data.u64 != UINT64_MAX && atomic_exchange(&hold.wanted, 0)) {
        atomic_store(&hold.held, 1);
        await(&hold.armed);
    }
    return count;
}

static bool no_pwait2; /* as in an old kernel; for the rest of the process */

int epoll_pwait2(int fd, struct epoll_event *events, int capacity, const struct timespec *timeout,
                 const sigset_t *mask)
{
    if (no_pwait2) {
        errno = ENOSYS;
        return -1;
    }
    bool sleeps = !timeout || timeout->tv_sec != 0 || timeout->tv_nsec != 0;
    fall_asleep(sleeps);
    int count = (int)syscall(SYS_epoll_pwait2, fd, events, capacity, timeout, mask, 8);
    return wake_up(sleeps, events, count);
}

enum { ROUNDED = 40, CAPPED, FOR_EVER, OTHER };

/* Where the test has refused the other one, it is in a child, whose status tells what is asked. */
int epoll_wait(int fd, struct epoll_event *events, int capacity, int timeout_ms)
{
    static const struct {
        int least_ms;
        int most_ms;
        int status;
    } rows[] = {{-1, -1, FOR_EVER}, {3540000, 3600000, ROUNDED}, {INT_MAX, INT_MAX, CAPPED}};
    for (size_t i = 0; no_pwait2 && i < sizeof rows / sizeof rows[0]; i++)
        if (timeout_ms >= rows[i].least_ms && timeout_ms <= rows[i].most_ms)
            _exit(rows[i].status);
    if (no_pwait2)
        _exit(OTHER);
    fall_asleep(timeout_ms != 0);
    int count = (int)syscall(SYS_epoll_pwait, fd, events, capacity, timeout_ms, NULL, 8);
    return wake_up(timeout_ms != 0, events, count);
}

int epoll_ctl(int fd, int what, int of, struct epoll_event *event)
{
    int result = (int)syscall(SYS_epoll_ctl, fd, what, of, event);
    if (atomic_load(&hold.held))
        atomic_store(&hold.armed, 1);
    return result;
}

static void wait_after_a_late_report(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    /* It is armed still, and what comes now is reported to nobody. */
    atomic_store(&hold.wanted, 1);
    while (!atomic_load(&hold.sleeping))
        taskrt_yield();
    expect_int(write(ends[1], "x", 1), 1);
    expect_int(await(&hold.held), true);
    char byte;
    expect_int(read(ends[0], &byte, 1), 1);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, taskrt_now_ns() + 20 * TASKRT_MS), -ETIMEDOUT);
    /* Nothing is lost by it. */
    expect_int(write(ends[1], "x", 1), 1);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, taskrt_now_ns() + PATIENCE_NS), POLLIN);
    taskrt_fd_close(ends[0]);
    taskrt_fd_close(ends[1]);
}

static void late_report__ends_no_later_wait(void **state)
{
    (void)state;
    in_task_on(2, wait_after_a_late_report, NULL, 0);
}

/* A close that a task begins to wait during. */
static struct {
    int fd; /* whose close takes a while */
    atomic_int ready;
    atomic_int closing;
    const struct taskrt_task *waiter;
    int result;
} slow_close = {.fd = -1};

int close(int fd)
{
    if (fd == slow_close.fd && !atomic_exchange(&slow_close.closing, 1)) {
        int64_t until_ns = taskrt_now_ns() + 100 * TASKRT_MS;
        while (taskrt_now_ns() < until_ns &&
               task_half(slow_close.waiter, taskrt_inspect.state) != TASKRT_STATE_PARKED)
            ;
    }
    return (int)syscall(SYS_close, fd);
}

static void wait_while_it_is_closed(void *arg)
{
    atomic_store(&slow_close.ready, 1);
    expect_int(await(&slow_close.closing), true);
    slow_close.result = taskrt_wait_fd(*(int *)arg, POLLIN, taskrt_now_ns() + TASKRT_S);
}

static void close_slowly(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    struct taskrt_task *task = spawn(wait_while_it_is_closed, &ends[0]);
    slow_close.waiter = task;
    while (!atomic_load(&slow_close.ready))
        taskrt_yield();
    slow_close.fd = ends[0]; /* the run has waited for none before, and knows nothing of it */
    expect_int(taskrt_fd_close(ends[0]), 0);
    slow_close.fd = -1;
    join(task);
    expect_int(slow_close.result, -EBADF);
    taskrt_fd_close(ends[1]);
}

static void first_wait__during_the_close__is_told(void **state)
{
    (void)state;
    in_task_on(2, close_slowly, NULL, 0);
}

static void park_until(void *arg)
{
    int64_t duration_ns = *(int64_t *)arg;
    int ends[2];
    if (pipe(ends) == 0)
        taskrt_wait_fd(ends[0], POLLIN,
                       duration_ns == TASKRT_NEVER ? TASKRT_NEVER : taskrt_now_ns() + duration_ns);
}

static int sleep_without_pwait2(int64_t duration_ns)
{
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        no_pwait2 = true;
        setenv("TASKRT_THREADS", "1", 1);
        taskrt_run(park_until, &duration_ns);
        _exit(OTHER);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void far_deadline__without_pwait2__no_wait_for_ever(void **state)
{
    (void)state;
    static const int64_t day_ns = 24 * 3600 * TASKRT_S;
    assert_int_equal(sleep_without_pwait2(day_ns / 24), ROUNDED);
    assert_int_equal(sleep_without_pwait2(25 * day_ns), CAPPED);
    assert_int_equal(sleep_without_pwait2(100000 * day_ns), CAPPED);
    assert_int_equal(sleep_without_pwait2(TASKRT_NEVER), FOR_EVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_report__ends_no_later_wait),
        cmocka_unit_test(first_wait__during_the_close__is_told),
        cmocka_unit_test(far_deadline__without_pwait2__no_wait_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
