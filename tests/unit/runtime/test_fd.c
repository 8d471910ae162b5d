/* Waiting for descriptors. */
#include "in_task.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct fd_wait {
    int fd;
    int events;
    int result;
};

static void wait_it(void *arg)
{
    struct fd_wait *wait = arg;
    wait->result = taskrt_wait_fd(wait->fd, wait->events, TASKRT_NEVER);
}

static struct taskrt_task *park_on(struct fd_wait *wait)
{
    struct taskrt_task *task = spawn(wait_it, wait);
    await_parked(task, TASKRT_REASON_FD);
    expect_int(task_word(task, taskrt_inspect.object), wait->fd);
    return task;
}

static void pipes(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, 0), -EAGAIN);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, 1), -ETIMEDOUT);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_wait_fd(ends[1], POLLOUT, 0), POLLOUT);
    expect_int(taskrt_wait_fd(ends[1], POLLOUT, TASKRT_NEVER), POLLOUT);
    struct fd_wait wait = {ends[0], POLLIN, 0};
    struct taskrt_task *task = park_on(&wait);
    expect_int(write(ends[1], "x", 1), 1);
    join(task);
    expect_int(wait.result, POLLIN);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, TASKRT_NEVER), POLLIN); /* still there */
    char byte;
    expect_int(read(ends[0], &byte, 1), 1);
    task = park_on(&wait);
    expect_int(taskrt_fd_close(ends[1]), 0);
    join(task);
    expect_int(wait.result & POLLHUP, POLLHUP);
    expect_int(taskrt_fd_close(ends[0]), 0);
    expect_int(taskrt_fd_close(ends[0]), -EBADF);
}

static void pipe__parks_until_it_is_ready(void **state)
{
    (void)state;
    in_task(pipes, NULL);
    in_task_on(1, pipes, NULL, 0);
}

static void errors(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    expect_int(taskrt_wait_fd(-1, POLLIN, TASKRT_NEVER), -EBADF);
    expect_int(taskrt_wait_fd(1000, POLLIN, TASKRT_NEVER), -EBADF);
    expect_int(taskrt_wait_fd(INT32_MAX, POLLIN, TASKRT_NEVER), -EBADF);
    expect_int(taskrt_wait_fd(1000, POLLIN, 0), -EBADF);
    expect_int(taskrt_wait_fd(ends[0], 0, TASKRT_NEVER), -EINVAL);
    expect_int(taskrt_wait_fd(ends[0], POLLIN | POLLPRI, TASKRT_NEVER), -EINVAL);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    expect_int(taskrt_wait_fd(file, POLLIN, TASKRT_NEVER), -EPERM);
    expect_int(taskrt_wait_fd(file, POLLIN, 0), POLLIN);
    expect_int(close(file), 0);
    expect_int(taskrt_fd_close(-1), -EBADF);

    struct fd_wait wait = {ends[0], POLLIN, 0};
    struct taskrt_task *task = park_on(&wait);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, TASKRT_NEVER), -EEXIST);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, 0), -EAGAIN);
    expect_int(taskrt_fd_close(ends[0]), 0);
    join(task);
    expect_int(wait.result, -EBADF);
    close(ends[1]);
}

static void misuse__is_refused(void **state)
{
    (void)state;
    in_task(errors, NULL);
}

static void both_directions(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    char block[4096] = {0};
    while (write(ends[0], block, sizeof block) > 0)
        ;
    struct fd_wait reader = {ends[0], POLLIN, 0};
    struct fd_wait writer = {ends[0], POLLOUT, 0};
    struct taskrt_task *reading = park_on(&reader);
    struct taskrt_task *writing = park_on(&writer);
    while (read(ends[1], block, sizeof block) > 0)
        ;
    join(writing);
    expect_int(writer.result, POLLOUT);
    expect_int(task_half(reading, taskrt_inspect.state), TASKRT_STATE_PARKED);
    expect_int(write(ends[1], "x", 1), 1);
    join(reading);
    expect_int(reader.result, POLLIN);
    expect_int(taskrt_wait_fd(ends[0], POLLIN | POLLOUT, TASKRT_NEVER), POLLIN | POLLOUT);
    struct fd_wait both = {ends[0], POLLIN | POLLOUT, 0};
    expect_int(read(ends[0], block, 1), 1);
    while (write(ends[0], block, sizeof block) > 0)
        ;
    struct taskrt_task *task = park_on(&both);
    expect_int(write(ends[1], "x", 1), 1);
    join(task);
    expect_int(both.result, POLLIN);
    taskrt_fd_close(ends[0]);
    taskrt_fd_close(ends[1]);
}

static void one_fd__a_waiter_a_direction(void **state)
{
    (void)state;
    in_task(both_directions, NULL);
}

static void reuse(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    int copy = dup(ends[0]); /* keeps the old registration alive */
    close(ends[0]);          /* not by taskrt_fd_close */
    int others[2];
    expect_int(pipe(others), 0);
    expect_int(others[0], ends[0]);
    struct fd_wait wait = {others[0], POLLIN, 0};
    struct taskrt_task *task = park_on(&wait);
    expect_int(write(ends[1], "x", 1), 1); /* concerns the old one */
    taskrt_sleep(5 * TASKRT_MS);
    expect_int(task_half(task, taskrt_inspect.state), TASKRT_STATE_PARKED);
    expect_int(write(others[1], "x", 1), 1);
    join(task);
    expect_int(wait.result, POLLIN);
    close(copy);
    close(ends[1]);
    close(others[0]);
    close(others[1]);
}

static void reused_number__is_another_fd(void **state)
{
    (void)state;
    in_task(reuse, NULL);
}

static void other_pipe_in(int closed, int ends[2])
{
    close(closed); /* not by taskrt_fd_close */
    expect_int(pipe(ends), 0);
    expect_int(ends[0], closed);
}

static void close_below_waiters(void *arg)
{
    (void)arg;
    int first[2];
    int second[2];
    expect_int(pipe(first), 0);
    struct fd_wait old = {first[0], POLLIN, 0};
    struct taskrt_task *old_task = park_on(&old);
    other_pipe_in(first[0], second);
    struct fd_wait fresh = {second[0], POLLIN, 0};
    struct taskrt_task *fresh_task = spawn(wait_it, &fresh);
    join(old_task);
    expect_int(old.result, -EBADF);
    await_parked(fresh_task, TASKRT_REASON_FD);
    expect_int(taskrt_wait_fd(second[0], POLLIN, TASKRT_NEVER), -EEXIST);
    expect_int(write(second[1], "x", 1), 1);
    join(fresh_task);
    expect_int(fresh.result, POLLIN);
    close(first[1]);

    /* The other direction has a waiter; then nothing is there. */
    int pair[2];
    close(second[0]);
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
    expect_int(first[0], second[0]);
    old_task = park_on(&old);
    close(first[0]);
    expect_int(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    expect_int(pair[0], first[0]);
    expect_int(taskrt_wait_fd(pair[0], POLLOUT, TASKRT_NEVER), POLLOUT);
    join(old_task);
    expect_int(old.result, -EBADF);
    old_task = park_on(&old);
    close(pair[0]);
    expect_int(taskrt_wait_fd(pair[0], POLLIN, TASKRT_NEVER), -EBADF);
    join(old_task);
    expect_int(old.result, -EBADF);
    close(pair[1]);
    close(first[1]);
    close(second[1]);
}

static void closed_below_a_waiter__number_can_be_waited_for(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++)
        in_task_on(threads, close_below_waiters, NULL, 0);
}

/* A connection that takes its time to close: what was written is there, and nobody reads it. */
struct lingering {
    int fd;
    int peer;
    atomic_int closing;
    atomic_int closed;
};

static void connect_pair(struct lingering *pair)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    expect_int(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    expect_int(listen(listener, 1), 0);
    expect_int(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    pair->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    expect_int(connect(pair->fd, (struct sockaddr *)&address, sizeof address), 0);
    pair->peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    close(listener);
    struct linger linger = {.l_onoff = 1, .l_linger = 30};
    expect_int(setsockopt(pair->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    char block[4096] = {0};
    while (send(pair->fd, block, sizeof block, MSG_DONTWAIT) > 0)
        ;
}

/* In another thread. The descriptor is gone as soon as the close has begun. */
static void use_while_it_closes(void *arg)
{
    struct lingering *pair = arg;
    while (!atomic_load(&pair->closing) || fcntl(pair->fd, F_GETFD) >= 0)
        ;
    expect_int(taskrt_wait_fd(pair->fd, POLLIN, taskrt_now_ns() + TASKRT_S), -EBADF);
    expect_int(atomic_load(&pair->closed), 0);
    char block[4096];
    while (read(pair->peer, block, sizeof block) > 0)
        ; /* until its end, which comes when the close is over */
}

static void close_lingering(void *arg)
{
    struct lingering *pair = arg;
    connect_pair(pair);
    expect_int(taskrt_wait_fd(pair->fd, POLLIN, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    struct taskrt_task *task = spawn(use_while_it_closes, pair);
    while (task_half(task, taskrt_inspect.state) != TASKRT_STATE_RUNNING)
        taskrt_yield();
    atomic_store(&pair->closing, 1);
    expect_int(taskrt_fd_close(pair->fd), 0);
    atomic_store(&pair->closed, 1);
    join(task);
    taskrt_fd_close(pair->peer);
}

static void lingering_close__holds_up_no_other_task(void **state)
{
    (void)state;
    struct lingering pair = {.fd = -1};
    in_task_on(2, close_lingering, &pair, 0);
}

/* An echo server: accepts and serves clients, all tasks of one runtime. */
#define CLIENTS 20
#define MESSAGES 50

static int read_some(int fd, void *to, size_t bytes)
{
    for (;;) {
        ssize_t got = read(fd, to, bytes);
        if (got >= 0 || taskrt_errno() != EAGAIN)
            return (int)got;
        if (taskrt_wait_fd(fd, POLLIN, TASKRT_NEVER) < 0)
            return -1;
    }
}

static void serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char byte;
    while (read_some(fd, &byte, 1) == 1)
        expect_int(write(fd, &byte, 1), 1);
    taskrt_fd_close(fd);
}

static void accept_all(void *arg)
{
    int listener = (int)(intptr_t)arg;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0)
            expect_int(taskrt_spawn(NULL, serve, (void *)(intptr_t)fd, NULL), 0);
        else if (taskrt_wait_fd(listener, POLLIN, TASKRT_NEVER) < 0)
            return;
    }
}

struct client {
    struct sockaddr_in address;
    int echoed;
};

static void talk(void *arg)
{
    struct client *client = arg;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&client->address, sizeof client->address) < 0)
        expect_int(taskrt_wait_fd(fd, POLLOUT, TASKRT_NEVER) & POLLOUT, POLLOUT);
    for (int i = 0; i < MESSAGES; i++) {
        char out = (char)i;
        char in = -1;
        if (write(fd, &out, 1) != 1 || read_some(fd, &in, 1) != 1 || in != out)
            break;
        client->echoed++;
    }
    taskrt_fd_close(fd);
}

static void echo(void *arg)
{
    (void)arg;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    expect_int(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    expect_int(listen(listener, CLIENTS), 0);
    expect_int(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    struct taskrt_task *acceptor = spawn(accept_all, (void *)(intptr_t)listener);
    struct client clients[CLIENTS];
    struct taskrt_task *tasks[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.address = address};
        tasks[i] = spawn(talk, &clients[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        join(tasks[i]);
        expect_int(clients[i].echoed, MESSAGES);
    }
    expect_int(taskrt_fd_close(listener), 0);
    join(acceptor);
}

static void server_and_clients__talk(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++)
        in_task_on(threads, echo, NULL, 0);
}

/* By a filter of system calls, as one may that does not know this one. */
static bool refuse_pwait2(int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { REPORTED = 40, NOT_REPORTED, BUSY, NO_FILTER };

static int64_t cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec * TASKRT_S + used.tv_nsec;
}

static void wait_without_pwait2(void *arg)
{
    int *ret = arg;
    int ends[2];
    if (pipe(ends) != 0)
        return;
    struct fd_wait wait = {ends[0], POLLIN, 0};
    struct taskrt_task *task = park_on(&wait);
    int64_t before_ns = cpu_ns();
    taskrt_sleep(400 * TASKRT_MS);
    int64_t used_ns = cpu_ns() - before_ns;
    expect_int(write(ends[1], "x", 1), 1);
    join(task);
    *ret = wait.result != POLLIN ? NOT_REPORTED : used_ns > 200 * TASKRT_MS ? BUSY : REPORTED;
}

static int wait_in_child(int error)
{
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        int result = NOT_REPORTED;
        alarm(60);
        if (!refuse_pwait2(error))
            _exit(NO_FILTER);
        setenv("TASKRT_THREADS", "2", 1);
        taskrt_run(wait_without_pwait2, &result);
        _exit(result);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void refused_pwait2__is_done_without(void **state)
{
    (void)state;
    static const int errors[] = {ENOSYS, EPERM, EACCES};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        int result = wait_in_child(errors[i]);
        if (result == NO_FILTER)
            skip();
        assert_int_equal(result, REPORTED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipe__parks_until_it_is_ready),
        cmocka_unit_test(misuse__is_refused),
        cmocka_unit_test(one_fd__a_waiter_a_direction),
        cmocka_unit_test(reused_number__is_another_fd),
        cmocka_unit_test(closed_below_a_waiter__number_can_be_waited_for),
        cmocka_unit_test(lingering_close__holds_up_no_other_task),
        cmocka_unit_test(server_and_clients__talk),
        cmocka_unit_test(refused_pwait2__is_done_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
