/* Which system calls go on as if nothing had been when their thread is stopped and let go:
 * signal(7), "Interruption of system calls and library functions by stop signals", and what was
 * seen on Linux 6.18. tests/unit/analyzer/test_process_stop.c looks whether the calls of the table
 * notice a stop. */
#include "analyzer/process/calls.h"

#include <linux/futex.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "analyzer/process/fd.h"

enum rule {
    SAFE = 1,
    SAFE_UNTIMED,  /* if it has no timeout, whose rest the kernel writes back at a stop: where that
                      is not possible, or not wanted (personality(2)), the call ends with EINTR */
    SAFE_FUTEX,    /* by the operation */
    SAFE_FILE,     /* by what the descriptor is */
    SAFE_SOCKET,   /* unless it has a timeout, which makes the call end with EINTR */
    SAFE_RECVFROM, /* the same, unless it was to wait for all: it would return a part */
    SAFE_RECVMSG,
};

/* Not among them, since they end with EINTR or have done only a part: epoll_wait, write, send,
 * semop, rt_sigtimedwait, io_getevents, io_uring_enter, vfork. */
static const struct {
    uint16_t call;
    uint8_t rule;
} calls[] = {
    {SYS_read, SAFE_FILE},
    {SYS_readv, SAFE_FILE},
    {SYS_accept, SAFE_SOCKET},
    {SYS_accept4, SAFE_SOCKET},
    {SYS_recvfrom, SAFE_RECVFROM},
    {SYS_recvmsg, SAFE_RECVMSG},
    {SYS_poll, SAFE},
    {SYS_ppoll, SAFE_UNTIMED},
    {SYS_select, SAFE_UNTIMED},
    {SYS_pselect6, SAFE_UNTIMED},
    {SYS_pause, SAFE},
    {SYS_rt_sigsuspend, SAFE},
    {SYS_nanosleep, SAFE},
    {SYS_clock_nanosleep, SAFE},
    {SYS_restart_syscall, SAFE}, /* one of those with a timeout, after a stop */
    {SYS_wait4, SAFE},
    {SYS_waitid, SAFE},
    {SYS_flock, SAFE},
    {SYS_msgrcv, SAFE},
    {SYS_mq_timedreceive, SAFE},
    {SYS_futex, SAFE_FUTEX},
};

static enum rule rule_of(int64_t call)
{
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        if (calls[i].call == call)
            return calls[i].rule;
    }
    return 0;
}

static bool futex_survives(uint64_t operation)
{
    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_WAIT_REQUEUE_PI:
        return true;
    default:
        return false;
    }
}

static bool option_is(int fd, int option, int value)
{
    int got;
    socklen_t bytes = sizeof(got);
    return getsockopt(fd, SOL_SOCKET, option, &got, &bytes) == 0 && bytes == sizeof(got) &&
           got == value;
}

/* TCP, UDP and local sockets that have no timeout and are content with one byte. */
static bool socket_survives(pid_t pid, pid_t tid, uint64_t fd)
{
    int borrowed = fd <= INT32_MAX ? process_borrow_socket(pid, tid, (int)fd) : -1;
    struct timeval timeout = {1, 0};
    socklen_t bytes = sizeof(timeout);
    bool known =
        borrowed >= 0 &&
        (option_is(borrowed, SO_DOMAIN, AF_UNIX) ||
         ((option_is(borrowed, SO_DOMAIN, AF_INET) || option_is(borrowed, SO_DOMAIN, AF_INET6)) &&
          (option_is(borrowed, SO_PROTOCOL, IPPROTO_TCP) ||
           option_is(borrowed, SO_PROTOCOL, IPPROTO_UDP))));
    bool survives = known && option_is(borrowed, SO_RCVLOWAT, 1) &&
                    getsockopt(borrowed, SOL_SOCKET, SO_RCVTIMEO, &timeout, &bytes) == 0 &&
                    timeout.tv_sec == 0 && timeout.tv_usec == 0;
    if (borrowed >= 0)
        close(borrowed);
    return survives;
}

/* Pipes and the like: their reads begin anew. Not terminals: a read that waits for several bytes
 * (VMIN) returns those that it has, and its time (VTIME) begins anew. */
static bool file_survives(pid_t pid, pid_t tid, uint64_t fd)
{
    static const char *const names[] = {"pipe:", "anon_inode:[eventfd]", "anon_inode:[timerfd]",
                                        "anon_inode:[signalfd]", "anon_inode:inotify"};
    char path[64], link[256];
    struct stat status;
    if (fd > INT32_MAX)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, (int)fd);
    ssize_t length = readlink(path, link, sizeof(link) - 1);
    if (length <= 0)
        return false;
    link[length] = '\0';
    if (strncmp(link, "socket:", 7) == 0)
        return socket_survives(pid, tid, fd);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (strncmp(link, names[i], strlen(names[i])) == 0)
            return true;
    }
    return link[0] == '/' && stat(path, &status) == 0 && S_ISFIFO(status.st_mode);
}

bool process_call_survives_stop(pid_t pid, pid_t tid, int64_t call, const uint64_t args[6])
{
    switch (rule_of(call)) {
    case SAFE:
        return true;
    case SAFE_UNTIMED:
        return args[call == SYS_ppoll ? 2 : 4] == 0;
    case SAFE_FUTEX:
        return futex_survives(args[1]);
    case SAFE_FILE:
        return file_survives(pid, tid, args[0]);
    case SAFE_SOCKET:
        return socket_survives(pid, tid, args[0]);
    case SAFE_RECVFROM:
        return !(args[3] & MSG_WAITALL) && socket_survives(pid, tid, args[0]);
    case SAFE_RECVMSG:
        return !(args[2] & MSG_WAITALL) && socket_survives(pid, tid, args[0]);
    default:
        return false;
    }
}
