#include "tests/unit/analyzer/parked_calls.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/analyzer/child.h"

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

long parked_in_timed_poll(void)
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

long parked_in_pause(void)
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

long parked_in_recv(void)
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

long parked_in_socket_read(void)
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

long parked_in_accept(void)
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

const struct parked_call parked_unharmed[] = {
    {"futex", in_futex},
    {"futex with a timeout", in_timed_futex},
    {"futex bitset", in_futex_bitset},
    {"read of a pipe", in_pipe_read},
    {"read of an eventfd", in_eventfd_read},
    {"read of a timerfd", in_timerfd_read},
    {"recv", parked_in_recv},
    {"recvmsg", in_recvmsg},
    {"read of a socket", parked_in_socket_read},
    {"accept", parked_in_accept},
    {"recv of a datagram", in_udp_recv},
    {"poll", in_poll},
    {"poll with a timeout", parked_in_timed_poll},
    {"ppoll", in_ppoll},
    {"select", in_select},
    {"pselect", in_pselect},
    {"pause", parked_in_pause},
    {"sigsuspend", in_sigsuspend},
    {"nanosleep", in_nanosleep},
    {"clock_nanosleep", in_clock_nanosleep},
    {"wait4", in_wait4},
    {"waitid", in_waitid},
    {"flock", in_flock},
    {"msgrcv", in_msgrcv},
    {"mq_receive", in_mq_receive},
    {NULL, NULL},
};

const struct parked_call parked_harmed[] = {
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
    {NULL, NULL},
};

void parked_undo(void)
{
    if (shared->words[0])
        kill((pid_t)shared->words[0], SIGKILL);
    if (shared->words[1])
        msgctl((int)shared->words[1] - 1, IPC_RMID, NULL);
    if (shared->words[2])
        semctl((int)shared->words[2] - 1, 0, IPC_RMID);
}
