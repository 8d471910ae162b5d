/* A thread that is stopped for a moment must not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/image/image.h"
#include "analyzer/process/image.h"
#include "analyzer/process/process.h"
#include "tests/unit/analyzer/child.h"

/* ---- what a child parks in ---- */

static uint32_t word;
static const struct timespec long_time = {1000, 0};

static long in_futex(void)
{
    return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static long in_timed_futex(void)
{
    return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &long_time, NULL, 0);
}

static long in_futex_bitset(void)
{
    return syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, NULL, NULL, ~0u);
}

static long in_pipe_read(void)
{
    int fds[2];
    char byte;
    return pipe(fds) == 0 ? read(fds[0], &byte, 1) : -1;
}

static long in_eventfd_read(void)
{
    uint64_t value;
    return read(eventfd(0, 0), &value, sizeof(value));
}

static long in_timerfd_read(void)
{
    uint64_t value;
    struct itimerspec when = {.it_value = long_time};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(fd, 0, &when, NULL);
    return read(fd, &value, sizeof(value));
}

static long in_terminal_read(void)
{
    char byte;
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) != 0 || unlockpt(terminal) != 0)
        return -1;
    return read(open(ptsname(terminal), O_RDWR | O_NOCTTY), &byte, 1);
}

static long in_poll(void)
{
    struct pollfd fd = {eventfd(0, 0), POLLIN, 0};
    return poll(&fd, 1, -1);
}

static long in_timed_poll(void)
{
    struct pollfd fd = {eventfd(0, 0), POLLIN, 0};
    return poll(&fd, 1, 1000000);
}

static long ppoll_until(const struct timespec *timeout)
{
    struct pollfd fd = {eventfd(0, 0), POLLIN, 0};
    sigset_t set;
    sigemptyset(&set);
    return ppoll(&fd, 1, timeout, &set);
}

static long in_ppoll(void)
{
    return ppoll_until(NULL);
}

static long in_timed_ppoll(void)
{
    return ppoll_until(&long_time);
}

static long select_until(struct timeval *timeout)
{
    fd_set set;
    int fd = eventfd(0, 0);
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return syscall(SYS_select, fd + 1, &set, NULL, NULL, timeout);
}

static long in_select(void)
{
    return select_until(NULL);
}

/* Where the kernel cannot write what is left of the time. */
static long in_timed_select(void)
{
    static const struct timeval timeout = {1000, 0};
    return select_until((struct timeval *)&timeout);
}

static long pselect_until(const struct timespec *timeout)
{
    fd_set set;
    int fd = eventfd(0, 0);
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return pselect(fd + 1, &set, NULL, NULL, timeout, NULL);
}

static long in_pselect(void)
{
    return pselect_until(NULL);
}

static long in_timed_pselect(void)
{
    return pselect_until(&long_time);
}

static long in_pause(void)
{
    return pause();
}

static long in_sigsuspend(void)
{
    sigset_t set;
    sigemptyset(&set);
    return sigsuspend(&set);
}

static long in_nanosleep(void)
{
    struct timespec rest;
    return syscall(SYS_nanosleep, &long_time, &rest);
}

static long in_clock_nanosleep(void)
{
    return clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL);
}

static pid_t fork_child(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        for (;;)
            pause();
    }
    shared->words[0] = (uint64_t)pid;
    return pid;
}

static long in_wait4(void)
{
    return waitpid(fork_child(), NULL, 0);
}

static long in_waitid(void)
{
    siginfo_t info;
    return waitid(P_PID, (id_t)fork_child(), &info, WEXITED);
}

static long in_flock(void)
{
    char path[] = "/tmp/leakspy-test-XXXXXX";
    int first = mkstemp(path), second = open(path, O_RDWR);
    unlink(path);
    flock(first, LOCK_EX);
    return flock(second, LOCK_EX);
}

static long in_msgrcv(void)
{
    struct {
        long type;
        char text[8];
    } message;
    int queue = msgget(IPC_PRIVATE, 0600);
    shared->words[1] = (uint64_t)queue + 1;
    return msgrcv(queue, &message, sizeof(message.text), 0, 0);
}

static long in_mq_receive(void)
{
    char text[8192];
    mqd_t queue = mq_open("/leakspy-test", O_CREAT | O_RDWR, 0600, NULL);
    mq_unlink("/leakspy-test");
    return mq_receive(queue, text, sizeof(text), NULL);
}

static int pair(void)
{
    int fds[2];
    return socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 ? fds[0] : -1;
}

static long in_recv(void)
{
    char bytes[2];
    return recv(pair(), bytes, 2, 0);
}

static long in_recvmsg(void)
{
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    return recvmsg(pair(), &message, 0);
}

static long in_socket_read(void)
{
    char byte;
    return read(pair(), &byte, 1);
}

static int listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    bind(fd, (struct sockaddr *)&address, sizeof(address));
    listen(fd, 1);
    return fd;
}

static long in_accept(void)
{
    return accept(listener(), NULL, NULL);
}

static long in_udp_recv(void)
{
    char byte;
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    bind(fd, (struct sockaddr *)&address, sizeof(address));
    return recv(fd, &byte, 1, 0);
}

/* Those that a stop would end with EINTR, or after a part. */

static long in_epoll(void)
{
    struct epoll_event event;
    return epoll_wait(epoll_create1(0), &event, 1, -1);
}

static int with_timeout(int fd)
{
    struct timeval timeout = {1000, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    return fd;
}

static long in_timed_recv(void)
{
    char byte;
    return recv(with_timeout(pair()), &byte, 1, 0);
}

static long in_timed_socket_read(void)
{
    char byte;
    return read(with_timeout(pair()), &byte, 1);
}

static long in_timed_accept(void)
{
    return accept(with_timeout(listener()), NULL, NULL);
}

static long in_recv_of_all(void)
{
    char bytes[4];
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 || write(fds[1], "x", 1) != 1)
        return -1;
    return recv(fds[0], bytes, sizeof(bytes), MSG_WAITALL);
}

static long in_recv_of_four(void)
{
    char bytes[4];
    int fds[2], four = 4;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 || write(fds[1], "x", 1) != 1)
        return -1;
    setsockopt(fds[0], SOL_SOCKET, SO_RCVLOWAT, &four, sizeof(four));
    return recv(fds[0], bytes, sizeof(bytes), 0);
}

static long in_write(void)
{
    static char much[1 << 20];
    int fds[2];
    return pipe(fds) == 0 ? write(fds[1], much, sizeof(much)) : -1;
}

static long in_sigtimedwait(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    return sigwaitinfo(&set, NULL);
}

static long in_semop(void)
{
    struct sembuf operation = {0, -1, 0};
    int set = semget(IPC_PRIVATE, 1, 0600);
    shared->words[2] = (uint64_t)set + 1;
    return semop(set, &operation, 1);
}

/* Programs in a sandbox do not list the call by which the kernel goes on after a stop. */
static long in_filtered_sleep(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_restart_syscall, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return -1;
    return in_clock_nanosleep();
}

/* ---- the tests ---- */

static long (*parks)(void);

static void body(void)
{
    shared->tid = (int)syscall(SYS_gettid);
    child_ready();
    errno = 0;
    parks();
    shared->error = errno;
    shared->returned = 1;
    for (;;)
        sleep_ms(1000);
}

static pid_t start(long (*in)(void))
{
    parks = in;
    pid_t pid = child_start(body);
    child_wait_parked(pid);
    sleep_ms(60); /* a wait that has just begun is left alone */
    return pid;
}

static void end(pid_t pid)
{
    child_end(pid);
    if (shared->words[0])
        kill((pid_t)shared->words[0], SIGKILL);
    if (shared->words[1])
        msgctl((int)shared->words[1] - 1, IPC_RMID, NULL);
    if (shared->words[2])
        semctl((int)shared->words[2] - 1, 0, IPC_RMID);
}

static unsigned char stack[65536];

/* Looks at the child and stops its only thread. On a busy machine that may not get to run in time,
 * and is asked again then. */
static bool stop(pid_t pid, struct image_stop *ret)
{
    for (int tries = 0;; tries++) {
        struct image image;
        struct err err;
        memset(ret, 0, sizeof(*ret));
        ret->stack = stack;
        ret->stack_room = sizeof(stack);
        if (!image_open_process(&image, pid, &err))
            fail_msg("%s: %s", err.what, err.why);
        bool stopped = image.functions->stop_thread(&image, &image.threads[0], ret);
        bool asked = ret->pause_ns > 0;
        assert_int_equal(image.pauses, asked);
        assert_int_equal(image.longest_pause_ns, ret->pause_ns);
        image_close(&image);
        if (stopped || !asked || tries == 100)
            return stopped;
        child_wait_parked(pid);
        sleep_ms(60); /* a wait that has just begun is left alone */
    }
}

static const struct {
    const char *name;
    long (*in)(void);
} unharmed[] = {
    {"futex", in_futex},
    {"futex with a timeout", in_timed_futex},
    {"futex bitset", in_futex_bitset},
    {"read of a pipe", in_pipe_read},
    {"read of an eventfd", in_eventfd_read},
    {"read of a timerfd", in_timerfd_read},
    {"recv", in_recv},
    {"recvmsg", in_recvmsg},
    {"read of a socket", in_socket_read},
    {"accept", in_accept},
    {"recv of a datagram", in_udp_recv},
    {"poll", in_poll},
    {"poll with a timeout", in_timed_poll},
    {"ppoll", in_ppoll},
    {"select", in_select},
    {"pselect", in_pselect},
    {"pause", in_pause},
    {"sigsuspend", in_sigsuspend},
    {"nanosleep", in_nanosleep},
    {"clock_nanosleep", in_clock_nanosleep},
    {"wait4", in_wait4},
    {"waitid", in_waitid},
    {"flock", in_flock},
    {"msgrcv", in_msgrcv},
    {"mq_receive", in_mq_receive},
};

static void unharmed_call__goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(unharmed) / sizeof(*unharmed); i++) {
        struct image_stop ret;
        pid_t pid = start(unharmed[i].in);
        if (!shared->returned) {
            for (int times = 0; times < 3; times++) {
                if (!stop(pid, &ret))
                    fail_msg("%s: was not stopped", unharmed[i].name);
                assert_int_equal(ret.registers.known, (1u << IMAGE_REGISTERS) - 1);
                assert_true(ret.stack_bytes > 0);
                assert_int_equal(ret.stack_address, ret.registers.value[IMAGE_REGISTER_SP]);
                sleep_ms(40);
            }
        }
        /* Some of them are not to be had everywhere: what has returned must not have noticed. */
        if (shared->returned && (shared->error == 0 || shared->error == EINTR))
            fail_msg("%s: returned, errno %d", unharmed[i].name, shared->error);
        end(pid);
    }
}

static const struct {
    const char *name;
    long (*in)(void);
} harmed[] = {
    {"epoll_wait", in_epoll},
    {"recv with a timeout", in_timed_recv},
    {"read of a socket with a timeout", in_timed_socket_read},
    {"accept with a timeout", in_timed_accept},
    {"recv of all that was asked for", in_recv_of_all},
    {"recv of four bytes at least", in_recv_of_four},
    {"write", in_write},
    {"read of a terminal", in_terminal_read},
    {"ppoll with a timeout", in_timed_ppoll},
    {"select with a timeout", in_timed_select},
    {"pselect with a timeout", in_timed_pselect},
    {"semop", in_semop},
    {"sigtimedwait", in_sigtimedwait},
    {"clock_nanosleep behind a seccomp filter", in_filtered_sleep},
};

static void harmed_call__is_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(harmed) / sizeof(*harmed); i++) {
        struct image_stop ret;
        pid_t pid = start(harmed[i].in);
        if (!shared->returned && stop(pid, &ret))
            fail_msg("%s: was stopped", harmed[i].name);
        sleep_ms(10);
        if (shared->returned && shared->error == EINTR)
            fail_msg("%s: was disturbed", harmed[i].name);
        if (waitpid(pid, NULL, WNOHANG) != 0)
            fail_msg("%s: was killed", harmed[i].name);
        end(pid);
    }
}

static void *park_in_thread(void *arg)
{
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    parks();
    shared->returned = 1;
    return arg;
}

static void leave_to_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, park_in_thread, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    child_ready();
    syscall(SYS_exit, 0); /* of this thread alone */
}

static struct image_thread *thread_of(struct image *image, int tid)
{
    for (size_t i = 0; i < image->thread_count; i++) {
        if (image->threads[i].host_tid == (uint32_t)tid)
            return &image->threads[i];
    }
    fail_msg("there is no thread %d", tid);
    return NULL;
}

/* What its descriptors are, the first thread tells no more. */
static void thread_whose_first_has_ended__is_stopped_in_calls_on_sockets(void **state)
{
    static long (*const calls[])(void) = {in_recv, in_socket_read, in_accept};
    (void)state;
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL /* PIDFD_THREAD, Linux 6.9 */);
    if (pidfd < 0)
        skip();
    close(pidfd);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        bool stopped = false;
        parks = calls[i];
        pid_t pid = child_start(leave_to_thread);
        for (int tries = 0; tries < 100 && !stopped; tries++) {
            struct image image;
            struct err err;
            struct image_stop ret = {.stack = stack, .stack_room = sizeof(stack)};
            child_wait_parked(shared->tid);
            sleep_ms(60); /* a wait that has just begun is left alone */
            assert_true(image_open_process(&image, pid, &err));
            stopped = image.functions->stop_thread(&image, thread_of(&image, shared->tid), &ret);
            image_close(&image);
        }
        assert_true(stopped);
        assert_false(shared->returned);
        end(pid);
    }
}

static void stopped_thread__tells_its_stack(void **state)
{
    (void)state;
    struct image_stop ret;
    struct image image;
    struct err err;
    pid_t pid = start(in_pause);
    assert_true(stop(pid, &ret));
    assert_true(ret.pause_ns > 0);
    assert_int_not_equal(ret.thread_pointer, 0);
    child_wait_parked(pid);
    assert_true(image_open_process(&image, pid, &err));
    unsigned char *again = malloc(ret.stack_bytes);
    assert_true(mem_read(image.memory, ret.stack_address, again, ret.stack_bytes));
    assert_memory_equal(again, stack, ret.stack_bytes);
    assert_int_equal(image.threads[0].registers.value[IMAGE_REGISTER_SP], ret.stack_address);
    assert_int_equal(image.threads[0].registers.value[IMAGE_REGISTER_PC],
                     ret.registers.value[IMAGE_REGISTER_PC]);
    free(again);
    image_close(&image);
    end(pid);
}

static void running_thread__is_left_alone(void **state)
{
    (void)state;
    struct image_stop ret;
    struct image image;
    struct err err;
    pid_t pid = start(in_pause);
    assert_true(image_open_process(&image, pid, &err));
    image.threads[0].parked = false;
    ret = (struct image_stop){.stack = stack, .stack_room = sizeof(stack)};
    assert_false(image.functions->stop_thread(&image, &image.threads[0], &ret));
    /* It has gone on to something else since it was looked at. */
    image.threads[0].parked = true;
    image.threads[0].args[0] ^= 1;
    assert_false(image.functions->stop_thread(&image, &image.threads[0], &ret));
    assert_int_equal(image.pauses, 0);
    image_close(&image);
    end(pid);
}

static void traced_thread__is_left_alone(void **state)
{
    (void)state;
    struct image_stop ret;
    pid_t pid = start(in_pause);
    assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
    assert_false(stop(pid, &ret));
    struct process_status status;
    assert_true(process_read_status(pid, &status));
    assert_int_equal(status.tracer, getpid());
    end(pid);
}

static void suspended_process__stays_suspended(void **state)
{
    (void)state;
    struct image_stop ret;
    pid_t pid = start(in_pause);
    kill(pid, SIGSTOP);
    assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
    assert_false(stop(pid, &ret));
    struct process_status status;
    assert_true(process_read_status(pid, &status));
    assert_int_equal(status.state, 'T');
    kill(pid, SIGCONT);
    end(pid);
}

static void killed_while_it_stops_a_thread__thread_goes_on(void **state)
{
    (void)state;
    pid_t pid = start(in_pause);
    for (int i = 0; i < 40; i++) {
        pid_t looker = fork();
        if (looker == 0) {
            struct image image;
            struct err err;
            struct image_stop ret = {.stack = stack, .stack_room = sizeof(stack)};
            if (!image_open_process(&image, pid, &err))
                _exit(1);
            for (;;) {
                image.threads[0].parked_ns = -1; /* stop it as often as possible */
                image.functions->stop_thread(&image, &image.threads[0], &ret);
            }
        }
        nanosleep(&(struct timespec){0, 3000000 + i * 37000L}, NULL);
        kill(looker, SIGKILL);
        assert_int_equal(waitpid(looker, NULL, 0), looker);
        struct process_status status = {0};
        for (int tries = 0; tries < 1000 && status.state != 'S'; tries++) {
            assert_true(process_read_status(pid, &status));
            assert_int_equal(status.tracer, 0);
        }
        assert_int_equal(status.state, 'S');
        assert_false(shared->returned);
    }
    end(pid);
}

/* Keeps the process `pid`, and itself, on one processor. */
static bool keep_on(pid_t pid, int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(pid, sizeof(set), &set) == 0;
}

/* A process that leaves its processor to no other one, for a moment. */
static pid_t start_hog(int cpu)
{
    pid_t hog = fork();
    if (hog == 0) {
        struct sched_param param = {.sched_priority = 1};
        if (!keep_on(0, cpu) || sched_setscheduler(0, SCHED_FIFO, &param) != 0)
            _exit(1);
        shared->words[3] = 1;
        alarm(1);
        for (;;)
            ;
    }
    return hog;
}

/* It is asked to stop, and does not get to run for that. */
static void thread_that_cannot_stop__is_given_up_for_good(void **state)
{
    (void)state;
    cpu_set_t before;
    struct image_stop ret = {.stack = stack, .stack_room = sizeof(stack)};
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    bool late = false, able = CPU_ISSET(0, &before) && CPU_ISSET(1, &before);
    for (int tries = 0; able && !late && tries < 10; tries++) {
        struct image image;
        struct err err;
        pid_t pid = start(in_timed_poll);
        assert_true(image_open_process(&image, pid, &err));
        assert_true(keep_on(pid, 1) && keep_on(0, 0));
        shared->words[3] = 0;
        pid_t hog = start_hog(1);
        while (!shared->words[3] && waitpid(hog, NULL, WNOHANG) == 0)
            sleep_ms(1);
        able = shared->words[3];
        late = able && !image.functions->stop_thread(&image, &image.threads[0], &ret) &&
               ret.pause_ns > 0;
        /* The report says so, and the thread is nobody's while the image is still open. */
        struct process_status status = {0};
        if (late) {
            assert_int_equal(image.pauses, 1);
            assert_int_equal(image.longest_pause_ns, ret.pause_ns);
            assert_true(process_read_status(pid, &status));
            assert_int_equal(status.tracer, 0);
        }
        kill(hog, SIGKILL);
        waitpid(hog, NULL, 0);
        sched_setaffinity(0, sizeof(before), &before);
        if (late) {
            child_wait_parked(pid);
            assert_true(process_read_status(pid, &status));
            assert_int_equal(status.state, 'S');
            assert_false(shared->returned);
        }
        image_close(&image);
        end(pid);
    }
    if (!late)
        skip(); /* no processor to be taken here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unharmed_call__goes_on),
        cmocka_unit_test(harmed_call__is_left_alone),
        cmocka_unit_test(thread_whose_first_has_ended__is_stopped_in_calls_on_sockets),
        cmocka_unit_test(stopped_thread__tells_its_stack),
        cmocka_unit_test(running_thread__is_left_alone),
        cmocka_unit_test(traced_thread__is_left_alone),
        cmocka_unit_test(suspended_process__stays_suspended),
        cmocka_unit_test(thread_that_cannot_stop__is_given_up_for_good),
        cmocka_unit_test(killed_while_it_stops_a_thread__thread_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
