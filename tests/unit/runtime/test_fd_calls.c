/* Waiting for descriptors, where what matters is when the runtime's calls of the kernel begin and
 * end. They come here, where a test can hold them. */
#include "in_task.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
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

int epoll_pwait2(int fd, struct epoll_event *events, int capacity, const struct timespec *timeout,
                 const sigset_t *mask)
{
    bool sleeps = !timeout || timeout->tv_sec != 0 || timeout->tv_nsec != 0;
    if (sleeps)
        atomic_store(&hold.sleeping, 1);
    int count = (int)syscall(SYS_epoll_pwait2, fd, events, capacity, timeout, mask, 8);
    if (!sleeps)
        return count;
    atomic_store(&hold.sleeping, 0);
    if (count > 0 && events[0].data.u64 != UINT64_MAX && atomic_exchange(&hold.wanted, 0)) {
        atomic_store(&hold.held, 1);
        await(&hold.armed);
    }
    return count;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_report__ends_no_later_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
