/* Errors of calls that read and write, and of those that wait for descriptors. */
#include "tests/conformance/errors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/conformance/sockets.h"
#include "tests/e2e/aliases.h"

static char bytes[100000];

/* --- each call, on `n` bytes at an address --------------------------------------------------- */

#define TRANSFER(name, ...)                                                                        \
    static long name(int fd, void *at, size_t n, int how)                                          \
    {                                                                                              \
        struct iovec vector = {at, n};                                                             \
        struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};                              \
        struct mmsghdr headers = {.msg_hdr = header};                                              \
        (void)how, (void)header, (void)headers;                                                    \
        return __VA_ARGS__;                                                                        \
    }
TRANSFER(do_read, read(fd, at, n))
TRANSFER(do_old_read, __read(fd, at, n))
TRANSFER(do_read_chk, __read_chk(fd, at, n, n))
TRANSFER(do_readv, readv(fd, &vector, 1))
TRANSFER(do_recv, recv(fd, at, n, how))
TRANSFER(do_recv_chk, __recv_chk(fd, at, n, n, how))
TRANSFER(do_recvfrom, recvfrom(fd, at, n, how, NULL, NULL))
TRANSFER(do_recvfrom_chk, __recvfrom_chk(fd, at, n, n, how, NULL, NULL))
TRANSFER(do_recvmsg, recvmsg(fd, &header, how))
TRANSFER(do_recvmmsg, recvmmsg(fd, &headers, 1, how, NULL))
TRANSFER(do_write, write(fd, at, n))
TRANSFER(do_old_write, __write(fd, at, n))
TRANSFER(do_writev, writev(fd, &vector, 1))
TRANSFER(do_send, send(fd, at, n, how))
TRANSFER(do_sendto, sendto(fd, at, n, how, NULL, 0))
TRANSFER(do_sendmsg, sendmsg(fd, &header, how))
TRANSFER(do_sendmmsg, sendmmsg(fd, &headers, 1, how))

enum what { ANY = 1, SOCKET = 2 }; /* what the call is for */

static const struct transfer {
    const char *function;
    long (*call)(int fd, void *at, size_t n, int how);
    enum what of;
} reads[] = {{"read", do_read, ANY},
             {"__read", do_old_read, ANY},
             {"__read_chk", do_read_chk, ANY},
             {"readv", do_readv, ANY},
             {"recv", do_recv, SOCKET},
             {"__recv_chk", do_recv_chk, SOCKET},
             {"recvfrom", do_recvfrom, SOCKET},
             {"__recvfrom_chk", do_recvfrom_chk, SOCKET},
             {"recvmsg", do_recvmsg, SOCKET},
             {"recvmmsg", do_recvmmsg, SOCKET}},
  writes[] = {{"write", do_write, ANY},         {"__write", do_old_write, ANY},
              {"writev", do_writev, ANY},       {"send", do_send, SOCKET},
              {"sendto", do_sendto, SOCKET},    {"sendmsg", do_sendmsg, SOCKET},
              {"sendmmsg", do_sendmmsg, SOCKET}};

/* --- descriptors in every state -------------------------------------------------------------- */

static int no_descriptor(void)
{
    return -1;
}

/* One end of a pipe; nobody closes the other one. */
static int pipe_end(int end, int flags)
{
    int fds[2];
    CHECK(pipe2(fds, flags) == 0);
    return fds[end];
}

static int pipe_to_read(void)
{
    return pipe_end(0, 0);
}

static int pipe_to_write(void)
{
    return pipe_end(1, 0);
}

static int pipe_that_may_not_block(void)
{
    return pipe_end(0, O_NONBLOCK);
}

static int pipe_with_bytes(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0 && write(fds[1], bytes, 100) == 100);
    return fds[0];
}

static int full(int fd, bool may_block)
{
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    while (write(fd, bytes, 1) > 0)
        ;
    CHECK(errno == EAGAIN && fcntl(fd, F_SETFL, may_block ? 0 : O_NONBLOCK) == 0);
    return fd;
}

static int full_pipe(void)
{
    return full(pipe_end(1, 0), true);
}

static int full_pipe_that_may_not_block(void)
{
    return full(pipe_end(1, 0), false);
}

static int pipe_that_nobody_reads(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0 && close(fds[0]) == 0);
    return fds[1];
}

static int counter(void)
{
    return eventfd(1, 0);
}

static int directory(void)
{
    return open("/", O_RDONLY | O_CLOEXEC);
}

static void open_terminal(int *own, int *other)
{
    *own = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(*own >= 0 && grantpt(*own) == 0 && unlockpt(*own) == 0);
    *other = open(ptsname(*own), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK(*other >= 0);
}

static int terminal_that_nobody_has(void)
{
    int own, other;
    open_terminal(&own, &other);
    close(other);
    return own;
}

static int terminal_that_was_hung_up(void)
{
    int own, other;
    open_terminal(&own, &other);
    close(own);
    return other;
}

static int file_at_its_limit(void)
{
    limit_to(RLIMIT_FSIZE, 0);
    return memfd_create("file", MFD_CLOEXEC);
}

static int file_without_room(void)
{
    return open("/dev/full", O_WRONLY | O_CLOEXEC);
}

static int sealed_file(void)
{
    int fd = memfd_create("file", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
    return fd;
}

static int full_socket(void)
{
    return full(socket_pair().near_end, true);
}

static int full_socket_that_may_not_block(void)
{
    return full(socket_pair().near_end, false);
}

static const struct situation {
    const char *error, *when;
    int (*make)(void);
    unsigned of;
    int how;
    size_t n;
    enum { ANYWHERE, NOWHERE, WAITS } kind;
} to_read[] =
    {
        {"EBADF", "of no descriptor", no_descriptor, ANY | SOCKET, 0, 8, ANYWHERE},
        {"EBADF", "of an end to write to", pipe_to_write, ANY, 0, 8, ANYWHERE},
        {"EAGAIN", "of an empty pipe", pipe_that_may_not_block, ANY, 0, 8, ANYWHERE},
        {"EAGAIN", "of a socket", socket_that_may_not_block, ANY | SOCKET, 0, 8, ANYWHERE},
        {"EAGAIN", "without blocking", socket_that_is_quiet, SOCKET, MSG_DONTWAIT, 8, ANYWHERE},
        {"EAGAIN", "in time", socket_with_a_time, ANY | SOCKET, 0, 8, ANYWHERE},
        {"EFAULT", "to nowhere", pipe_with_bytes, ANY, 0, 8, NOWHERE},
        {"EFAULT", "to nowhere", socket_with_bytes, SOCKET, 0, 8, NOWHERE},
        {"EINTR", "when a signal comes", pipe_to_read, ANY, 0, 8, WAITS},
        {"EINTR", "when a signal comes", socket_that_is_quiet, ANY | SOCKET, 0, 8, WAITS},
        {"EINVAL", "of a counter, less than it is", counter, ANY, 0, 4, ANYWHERE},
        {"EINVAL", "out of band, and nothing is", tcp_socket, SOCKET, MSG_OOB, 8, ANYWHERE},
        {"EIO", "of a terminal that nobody has", terminal_that_nobody_has, ANY, 0, 8, ANYWHERE},
        {"EISDIR", "of a directory", directory, ANY, 0, 8, ANYWHERE},
        {"ECONNREFUSED", "from where nobody is", udp_socket_refused, SOCKET, 0, 8, ANYWHERE},
        {"ENOTCONN", "of a socket of its own", tcp_socket_alone, SOCKET, 0, 8, ANYWHERE},
        {"ENOTSOCK", "of a pipe", pipe_with_bytes, SOCKET, 0, 8, ANYWHERE},
},
  to_write[] = {
      {"EBADF", "of no descriptor", no_descriptor, ANY | SOCKET, 0, 8, ANYWHERE},
      {"EBADF", "of an end to read from", pipe_to_read, ANY, 0, 8, ANYWHERE},
      {"EAGAIN", "of a full pipe", full_pipe_that_may_not_block, ANY, 0, 8, ANYWHERE},
      {"EAGAIN", "of a full socket", full_socket_that_may_not_block, ANY | SOCKET, 0, 8, ANYWHERE},
      {"EAGAIN", "without blocking", full_socket, SOCKET, MSG_DONTWAIT, 8, ANYWHERE},
      {"EDESTADDRREQ", "to nobody", udp_socket_alone, ANY | SOCKET, 0, 8, ANYWHERE},
      {"EFAULT", "from nowhere", pipe_to_write, ANY, 0, 8, NOWHERE},
      {"EFAULT", "from nowhere", socket_that_is_quiet, SOCKET, 0, 8, NOWHERE},
      {"EFBIG", "beyond the limit", file_at_its_limit, ANY, 0, 8, ANYWHERE},
      {"EINTR", "when a signal comes", full_pipe, ANY, 0, 8, WAITS},
      {"EINTR", "when a signal comes", full_socket, ANY | SOCKET, 0, 8, WAITS},
      {"EINVAL", "of a counter, less than it is", counter, ANY, 0, 4, ANYWHERE},
      {"EIO", "of a terminal that was hung up", terminal_that_was_hung_up, ANY, 0, 8, ANYWHERE},
      {"ENOSPC", "where no room is", file_without_room, ANY, 0, 8, ANYWHERE},
      {"EPERM", "of a sealed file", sealed_file, ANY, 0, 8, ANYWHERE},
      {"EPIPE", "that nobody reads", pipe_that_nobody_reads, ANY, 0, 8, ANYWHERE},
      {"EPIPE", "after the end", socket_shut_down, ANY | SOCKET, 0, 8, ANYWHERE},
      {"ECONNRESET", "that was reset", tcp_socket_reset, ANY | SOCKET, 0, 8, ANYWHERE},
      {"ENOTCONN", "to nobody", datagram_socket_alone, SOCKET, 0, 8, ANYWHERE},
      {"EMSGSIZE", "too much at once", udp_socket, SOCKET, 0, 70000, ANYWHERE},
      {"EOPNOTSUPP", "out of band, and nothing can be", udp_socket, SOCKET, MSG_OOB, 8, ANYWHERE},
      {"ENOTSOCK", "of a pipe", pipe_to_write, SOCKET, 0, 8, ANYWHERE},
};

static void transfer(const struct transfer *by, const struct situation *in)
{
    int fd = in->make();
    void *at = in->kind == NOWHERE ? nowhere : bytes;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (in->kind == WAITS)
        INTERRUPTED(LIBC(by->call(fd, at, in->n, in->how)));
    else
        LIBC(by->call(fd, at, in->n, in->how));
}

static void transfers(struct rows *rows, const struct transfer *calls, size_t calls_n,
                      const struct situation *situations, size_t situations_n)
{
    for (size_t i = 0; i < calls_n; i++)
        for (size_t j = 0; j < situations_n; j++)
            if ((situations[j].of & calls[i].of) != 0 &&
                row_begins(rows, calls[i].function, "%s, %s", situations[j].error,
                           situations[j].when))
                transfer(&calls[i], &situations[j]);
}

static void vectors(struct rows *rows)
{
    static volatile int fewer = -1, more = 5000; /* the compiler would know better */
    struct iovec two[2] = {{bytes, SSIZE_MAX}, {bytes, (size_t)SSIZE_MAX + 9}};
    FAILS(readv, EINVAL, "fewer than none", LIBC(readv(pipe_with_bytes(), two, fewer)))
    FAILS(readv, EINVAL, "too many", LIBC(readv(pipe_with_bytes(), two, more)))
    FAILS(readv, EINVAL, "more bytes than there are", LIBC(readv(pipe_with_bytes(), two, 2)))
    FAILS(writev, EINVAL, "fewer than none", LIBC(writev(pipe_to_write(), two, fewer)))
    FAILS(writev, EINVAL, "too many", LIBC(writev(pipe_to_write(), two, more)))
    FAILS(writev, EINVAL, "more bytes than there are", LIBC(writev(pipe_to_write(), two, 2)))
    struct mmsghdr headers = {0};
    struct timespec time = {0, -1};
    FAILS(recvmmsg, EINVAL, "a time that is none",
          LIBC(recvmmsg(socket_with_bytes(), &headers, 1, 0, &time)))
}

/* --- from a file ----------------------------------------------------------------------------- */

static const struct {
    const char *function;
    ssize_t (*call)(int fd, int from, off_t *at, size_t n);
} sendfiles[] = {{"sendfile", sendfile}, {"sendfile64", sendfile64}};

static int file_with_bytes(void)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, bytes, 100) == 100 && lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static int file_to_append_to(void)
{
    int fd = memfd_create("file", MFD_CLOEXEC);
    CHECK(fd >= 0 && fcntl(fd, F_SETFL, O_APPEND) == 0);
    return fd;
}

static int file_that_may_not_be_large(void)
{
    return open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
}

#define SENDFILE(to, from, at) LIBC(sendfiles[i].call(to, from, at, 8))

static void files(struct rows *rows)
{
    off_t start = 0, far = (off_t)1 << 31;
    EACH(sendfiles, EAGAIN, "to a full pipe",
         SENDFILE(full_pipe_that_may_not_block(), file_with_bytes(), NULL))
    EACH(sendfiles, EAGAIN, "to a full socket",
         SENDFILE(full_socket_that_may_not_block(), file_with_bytes(), NULL))
    EACH(sendfiles, EBADF, "to no descriptor", SENDFILE(-1, file_with_bytes(), NULL))
    EACH(sendfiles, EBADF, "from no descriptor", SENDFILE(pipe_to_write(), -1, NULL))
    EACH(sendfiles, EBADF, "from an end to write to",
         SENDFILE(pipe_to_write(), pipe_to_write(), NULL))
    EACH(sendfiles, EFAULT, "from a place that is nowhere",
         SENDFILE(pipe_to_write(), file_with_bytes(), nowhere))
    EACH(sendfiles, EINTR, "when a signal comes",
         INTERRUPTED(SENDFILE(full_socket(), file_with_bytes(), NULL)))
    EACH(sendfiles, EINVAL, "to a file that grows at its end",
         SENDFILE(file_to_append_to(), file_with_bytes(), NULL))
    EACH(sendfiles, EOVERFLOW, "from beyond what may be",
         SENDFILE(pipe_to_write(), file_that_may_not_be_large(), &far))
    EACH(sendfiles, ESPIPE, "from a place of a pipe",
         SENDFILE(pipe_to_write(), pipe_with_bytes(), &start))
}

/* --- to wait for descriptors ----------------------------------------------------------------- */

#define POLL(name, ...)                                                                            \
    static long name(struct pollfd *fds, nfds_t n, const struct timespec *within)                  \
    {                                                                                              \
        int ms = (int)within->tv_sec * 1000;                                                       \
        (void)ms;                                                                                  \
        return __VA_ARGS__;                                                                        \
    }
POLL(do_poll, poll(fds, n, ms))
POLL(do_old_poll, __poll(fds, n, ms))
POLL(do_poll_chk, __poll_chk(fds, n, ms, SIZE_MAX))
POLL(do_ppoll, ppoll(fds, n, within, NULL))
POLL(do_ppoll_chk, __ppoll_chk(fds, n, within, NULL, SIZE_MAX))

static const struct {
    const char *function;
    long (*call)(struct pollfd *fds, nfds_t n, const struct timespec *within);
} polls[] = {{"poll", do_poll},
             {"__poll", do_old_poll},
             {"__poll_chk", do_poll_chk},
             {"ppoll", do_ppoll},
             {"__ppoll_chk", do_ppoll_chk}};

#define SELECT(name, ...)                                                                          \
    static long name(int n, fd_set *in, const struct timespec *time)                               \
    {                                                                                              \
        struct timeval within = {time->tv_sec, time->tv_nsec / 1000};                              \
        (void)within;                                                                              \
        return __VA_ARGS__;                                                                        \
    }
SELECT(do_select, select(n, in, NULL, NULL, &within))
SELECT(do_old_select, __select(n, in, NULL, NULL, &within))
SELECT(do_pselect, pselect(n, in, NULL, NULL, time, NULL))

static const struct {
    const char *function;
    long (*call)(int n, fd_set *in, const struct timespec *within);
} selects[] = {{"select", do_select}, {"__select", do_old_select}, {"pselect", do_pselect}};

#define EPOLL(name, ...)                                                                           \
    static long name(int fd, struct epoll_event *to, int n)                                        \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }
EPOLL(do_epoll_wait, epoll_wait(fd, to, n, 3600000))
EPOLL(do_epoll_pwait, epoll_pwait(fd, to, n, 3600000, NULL))
EPOLL(do_epoll_pwait2, epoll_pwait2(fd, to, n, (&(struct timespec){3600, 0}), NULL))

static const struct {
    const char *function;
    long (*call)(int fd, struct epoll_event *to, int n);
} epolls[] = {{"epoll_wait", do_epoll_wait},
              {"epoll_pwait", do_epoll_pwait},
              {"epoll_pwait2", do_epoll_pwait2}};

static int set_of(int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    int set = epoll_create1(EPOLL_CLOEXEC);
    CHECK(set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0);
    return set;
}

static void waits_for_descriptors(struct rows *rows)
{
    struct pollfd fd = {.fd = -1};
    struct timespec hour = {3600, 0}, never = {-1, 0}, none = {0, -1000};
    struct epoll_event event;
    fd_set in;
    EACH(polls, EFAULT, "of nowhere", LIBC(polls[i].call(nowhere, 1, &hour)))
    EACH(polls, EINVAL, "of too many", LIBC(polls[i].call(&fd, 1 << 30, &hour)))
    EACH(polls, EINTR, "when a signal comes", INTERRUPTED(LIBC(polls[i].call(&fd, 1, &hour))))
    FAILS(ppoll, EINVAL, "until before now", LIBC(ppoll(&fd, 1, &never, NULL)))
    FAILS(__ppoll_chk, EINVAL, "until before now",
          LIBC(__ppoll_chk(&fd, 1, &never, NULL, SIZE_MAX)))
    FD_ZERO(&in);
    FD_SET(90, &in);
    EACH(selects, EBADF, "of no descriptor", LIBC(selects[i].call(91, &in, &hour)))
    EACH(selects, EINVAL, "of fewer than none", LIBC(selects[i].call(-1, &in, &hour)))
    EACH(selects, EINVAL, "a time that is none", LIBC(selects[i].call(0, NULL, &never)))
    EACH(selects, EINVAL, "a time that is less than none", LIBC(selects[i].call(0, NULL, &none)))
    EACH(selects, EINTR, "when a signal comes", INTERRUPTED(LIBC(selects[i].call(0, NULL, &hour))))
    EACH(epolls, EBADF, "of no descriptor", LIBC(epolls[i].call(-1, &event, 1)))
    EACH(epolls, EFAULT, "to nowhere", LIBC(epolls[i].call(set_of(pipe_with_bytes()), nowhere, 1)))
    EACH(epolls, EINVAL, "of a pipe", LIBC(epolls[i].call(pipe_to_read(), &event, 1)))
    EACH(epolls, EINVAL, "for none", LIBC(epolls[i].call(set_of(pipe_to_read()), &event, 0)))
    EACH(epolls, EINTR, "when a signal comes",
         INTERRUPTED(LIBC(epolls[i].call(set_of(pipe_to_read()), &event, 1))))
}

void errors_of_descriptors(struct rows *rows)
{
    transfers(rows, reads, LENGTH(reads), to_read, LENGTH(to_read));
    transfers(rows, writes, LENGTH(writes), to_write, LENGTH(to_write));
    vectors(rows);
    files(rows);
    waits_for_descriptors(rows);
}
