/* Calls that park on descriptors. */
#include "tests/conformance/parkers.h"

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

static int near_end, far_end; /* of a pipe or of sockets that are connected; the call uses near */
static char bytes[65536];

/* --- to read --------------------------------------------------------------------------------- */

static void fill(void)
{
    CHECK(write(far_end, "ab", 2) == 2);
}

static void prepare_pipe(bool open)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    near_end = fds[0];
    far_end = fds[1];
    if (open)
        fill();
}

static void make_sockets(void)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    near_end = fds[0];
    far_end = fds[1];
}

static void prepare_sockets(bool open)
{
    make_sockets();
    if (open)
        fill();
}

static void say_bytes(void)
{
    say("\"%.2s\"", bytes);
}

#define READ_CALL(name, call)                                                                      \
    static void name(bool open)                                                                    \
    {                                                                                              \
        struct iovec vector = {.iov_base = bytes, .iov_len = sizeof bytes};                        \
        struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};               \
        struct sockaddr_un peer;                                                                   \
        socklen_t peer_n = sizeof peer;                                                            \
        (void)open, (void)message, (void)peer, (void)peer_n;                                       \
        LIBC(call);                                                                                \
        say_bytes();                                                                               \
    }
READ_CALL(do_read, read(near_end, bytes, sizeof bytes))
READ_CALL(do_old_read, __read(near_end, bytes, sizeof bytes))
READ_CALL(do_read_chk, __read_chk(near_end, bytes, 100, sizeof bytes))
READ_CALL(do_readv, readv(near_end, &vector, 1))
READ_CALL(do_recv, recv(near_end, bytes, sizeof bytes, 0))
READ_CALL(do_recv_chk, __recv_chk(near_end, bytes, 100, sizeof bytes, 0))
READ_CALL(do_recvfrom, recvfrom(near_end, bytes, sizeof bytes, 0, (void *)&peer, &peer_n))
READ_CALL(do_recvfrom_chk, __recvfrom_chk(near_end, bytes, 100, sizeof bytes, 0, NULL, NULL))
READ_CALL(do_recvmsg, recvmsg(near_end, &message.msg_hdr, 0))
READ_CALL(do_recvmmsg, recvmmsg(near_end, &message, 1, 0, NULL))

/* --- to write -------------------------------------------------------------------------------- */

static void stuff(int fd)
{
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (write(fd, bytes, sizeof bytes) > 0)
        ;
    CHECK(errno == EAGAIN && fcntl(fd, F_SETFL, 0) == 0);
}

static void prepare_full_pipe(bool open)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    far_end = fds[0];
    near_end = fds[1];
    if (!open)
        stuff(near_end);
}

static void prepare_full_sockets(bool open)
{
    make_sockets();
    if (!open)
        stuff(near_end);
}

static void drain(void)
{
    CHECK(fcntl(far_end, F_SETFL, O_NONBLOCK) == 0);
    while (read(far_end, bytes, sizeof bytes) > 0)
        ;
}

#define WRITE_CALL(name, call)                                                                     \
    static void name(bool open)                                                                    \
    {                                                                                              \
        struct iovec vector = {.iov_base = bytes, .iov_len = 3};                                   \
        struct mmsghdr message = {.msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1}};               \
        (void)open, (void)message;                                                                 \
        LIBC(call);                                                                                \
    }
WRITE_CALL(do_write, write(near_end, bytes, 3))
WRITE_CALL(do_old_write, __write(near_end, bytes, 3))
WRITE_CALL(do_writev, writev(near_end, &vector, 1))
WRITE_CALL(do_send, send(near_end, bytes, 3, 0))
WRITE_CALL(do_sendto, sendto(near_end, bytes, 3, 0, NULL, 0))
WRITE_CALL(do_sendmsg, sendmsg(near_end, &message.msg_hdr, 0))
WRITE_CALL(do_sendmmsg, sendmmsg(near_end, &message, 1, 0))

static int three_bytes(void)
{
    int file = memfd_create("three bytes", MFD_CLOEXEC);
    CHECK(file >= 0 && write(file, "abc", 3) == 3 && lseek(file, 0, SEEK_SET) == 0);
    return file;
}
WRITE_CALL(do_sendfile, sendfile(near_end, three_bytes(), NULL, 3))
WRITE_CALL(do_sendfile64, sendfile64(near_end, three_bytes(), NULL, 3))

/* --- to connect ------------------------------------------------------------------------------ */

static struct sockaddr_un listener;
static socklen_t listener_n;

static void prepare_listener(bool open)
{
    listener.sun_family = AF_UNIX;
    listener_n = sizeof(sa_family_t); /* the kernel chooses an abstract name */
    near_end = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(near_end >= 0 && bind(near_end, (void *)&listener, listener_n) == 0);
    listener_n = sizeof listener;
    CHECK(getsockname(near_end, (void *)&listener, &listener_n) == 0);
    CHECK(listen(near_end, 0) == 0);
    far_end = socket(AF_UNIX, SOCK_STREAM, 0);
    if (open)
        CHECK(connect(far_end, (void *)&listener, listener_n) == 0);
}

static void connect_far(void)
{
    CHECK(connect(far_end, (void *)&listener, listener_n) == 0);
}

#define ACCEPT_CALL(name, call)                                                                    \
    static void name(bool open)                                                                    \
    {                                                                                              \
        struct sockaddr_un peer;                                                                   \
        socklen_t peer_n = sizeof peer;                                                            \
        (void)open;                                                                                \
        LIBC((call) >= 0 ? 1 : -1);                                                                \
        say("%u bytes of address", peer_n);                                                        \
    }
ACCEPT_CALL(do_accept, accept(near_end, (void *)&peer, &peer_n))
ACCEPT_CALL(do_accept4, accept4(near_end, (void *)&peer, &peer_n, SOCK_CLOEXEC))

/* A listener's queue holds one connection. */
static void prepare_full_listener(bool open)
{
    prepare_listener(!open);
}

static void accept_one(void)
{
    CHECK(accept(near_end, NULL, NULL) >= 0);
}

static void do_connect(bool open)
{
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    (void)open;
    LIBC(connect(fd, (void *)&listener, listener_n));
}

/* --- to be told of one of several ------------------------------------------------------------ */

#define POLL_CALL(name, call)                                                                      \
    static void name(bool open)                                                                    \
    {                                                                                              \
        struct pollfd fds[2] = {{.fd = -1}, {.fd = near_end, .events = POLLIN}};                   \
        sigset_t none;                                                                             \
        sigemptyset(&none);                                                                        \
        (void)open;                                                                                \
        LIBC(call);                                                                                \
        say("events %d", fds[1].revents);                                                          \
    }
POLL_CALL(do_poll, poll(fds, 2, -1))
POLL_CALL(do_poll_timeout, poll(fds, 2, 3600 * 1000))
POLL_CALL(do_old_poll, __poll(fds, 2, -1))
POLL_CALL(do_poll_chk, __poll_chk(fds, 2, -1, sizeof fds))
POLL_CALL(do_ppoll, ppoll(fds, 2, NULL, &none))
POLL_CALL(do_ppoll_timeout, ppoll(fds, 2, (&(struct timespec){3600, 0}), NULL))
POLL_CALL(do_ppoll_chk, __ppoll_chk(fds, 2, NULL, NULL, sizeof fds))

#define SELECT_CALL(name, call)                                                                    \
    static void name(bool open)                                                                    \
    {                                                                                              \
        fd_set in;                                                                                 \
        struct timeval within = {3600, 0};                                                         \
        int n = near_end + 1;                                                                      \
        FD_ZERO(&in);                                                                              \
        FD_SET(near_end, &in);                                                                     \
        (void)open;                                                                                \
        LIBC(call);                                                                                \
        say("%s", FD_ISSET(near_end, &in) ? "set" : "clear");                                      \
        say_seconds((struct timespec){.tv_sec = within.tv_sec});                                   \
    }
SELECT_CALL(do_select, select(n, &in, NULL, NULL, NULL))
SELECT_CALL(do_select_timeout, select(n, &in, NULL, NULL, &within))
SELECT_CALL(do_old_select, __select(n, &in, NULL, NULL, NULL))
SELECT_CALL(do_pselect, pselect(n, &in, NULL, NULL, NULL, NULL))
SELECT_CALL(do_pselect_timeout, pselect(n, &in, NULL, NULL, (&(struct timespec){3600, 0}), NULL))

static int epoll_fd;

static void prepare_epoll(bool open)
{
    prepare_pipe(open);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77};
    epoll_fd = epoll_create1(0);
    CHECK(epoll_fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, near_end, &event) == 0);
}

#define EPOLL_CALL(name, call)                                                                     \
    static void name(bool open)                                                                    \
    {                                                                                              \
        struct epoll_event event = {0};                                                            \
        (void)open;                                                                                \
        LIBC(call);                                                                                \
        say("data %d", (int)event.data.u64);                                                       \
    }
EPOLL_CALL(do_epoll_wait, epoll_wait(epoll_fd, &event, 1, -1))
EPOLL_CALL(do_epoll_wait_timeout, epoll_wait(epoll_fd, &event, 1, 3600 * 1000))
EPOLL_CALL(do_epoll_pwait, epoll_pwait(epoll_fd, &event, 1, -1, NULL))
EPOLL_CALL(do_epoll_pwait2, epoll_pwait2(epoll_fd, &event, 1, (&(struct timespec){3600, 0}), NULL))

/* --- message queues -------------------------------------------------------------------------- */

static mqd_t queue;

static void make_queue(void)
{
    char name[64];
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 8};
    snprintf(name, sizeof name, "/conformance-%d", getpid());
    queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    CHECK(queue >= 0 && mq_unlink(name) == 0);
}

static void send_message(void)
{
    CHECK(mq_send(queue, "ab", 2, 3) == 0);
}

static void receive_message(void)
{
    CHECK(mq_receive(queue, bytes, sizeof bytes, NULL) == 2);
}

static void prepare_queue(bool open)
{
    make_queue();
    if (open)
        send_message();
}

static void prepare_full_queue(bool open)
{
    make_queue();
    if (!open)
        send_message();
}

#define QUEUE_CALL(name, call)                                                                     \
    static void name(bool open)                                                                    \
    {                                                                                              \
        unsigned priority = 0;                                                                     \
        struct timespec until = in_an_hour(CLOCK_REALTIME);                                        \
        (void)open, (void)until;                                                                   \
        LIBC(call);                                                                                \
        say("priority %u", priority);                                                              \
    }
QUEUE_CALL(do_mq_receive, mq_receive(queue, bytes, sizeof bytes, &priority))
QUEUE_CALL(do_mq_timedreceive, mq_timedreceive(queue, bytes, sizeof bytes, &priority, &until))
QUEUE_CALL(do_mq_send, mq_send(queue, "abc", 3, 1))
QUEUE_CALL(do_mq_timedsend, mq_timedsend(queue, "abc", 3, 1, &until))

/* --- to open --------------------------------------------------------------------------------- */

static char fifo[64];

static void open_far_end(void)
{
    far_end = open(fifo, O_RDWR);
    CHECK(far_end >= 0);
}

static void prepare_fifo(bool at_once)
{
    char path[] = "/tmp/conformance-pXXXXXX";
    CHECK(mkdtemp(path) != NULL && rmdir(path) == 0 && mkfifo(path, 0600) == 0);
    int fd = open(path, O_PATH);
    CHECK(fd >= 0 && unlink(path) == 0);
    snprintf(fifo, sizeof fifo, "/proc/thread-self/fd/%d", fd);
    if (at_once)
        open_far_end();
}

static int close_it(int fd)
{
    return fd < 0 ? fd : close(fd);
}

static int close_stream(FILE *stream)
{
    return stream == NULL ? -1 : fclose(stream);
}

#define OPEN_CALL(name, call)                                                                      \
    static void name(bool at_once)                                                                 \
    {                                                                                              \
        (void)at_once;                                                                             \
        LIBC(call);                                                                                \
    }
OPEN_CALL(do_open, close_it(open(fifo, O_RDONLY)))
OPEN_CALL(do_open64, close_it(open64(fifo, O_RDONLY)))
OPEN_CALL(do_openat, close_it(openat(AT_FDCWD, fifo, O_RDONLY)))
OPEN_CALL(do_openat64, close_it(openat64(AT_FDCWD, fifo, O_RDONLY)))
OPEN_CALL(do_fopen, close_stream(fopen(fifo, "r")))
OPEN_CALL(do_fopen64, close_stream(fopen64(fifo, "r")))

#define OPENS(function, call)                                                                      \
    {                                                                                              \
#function, "", prepare_fifo, call, open_far_end, NULL, 0                                   \
    }
#define READS(function, how, prepare, call)                                                        \
    {                                                                                              \
#function, how, prepare, call, fill, NULL, 0                                               \
    }
#define WRITES(function, prepare, call)                                                            \
    {                                                                                              \
#function, "", prepare, call, drain, NULL, 0                                               \
    }

const struct parker parkers_io[] = {
    READS(read, "", prepare_pipe, do_read),
    READS(read, "of a socket", prepare_sockets, do_read),
    READS(__read, "", prepare_pipe, do_old_read),
    READS(__read_chk, "", prepare_pipe, do_read_chk),
    READS(readv, "", prepare_pipe, do_readv),
    READS(recv, "", prepare_sockets, do_recv),
    READS(__recv_chk, "", prepare_sockets, do_recv_chk),
    READS(recvfrom, "", prepare_sockets, do_recvfrom),
    READS(__recvfrom_chk, "", prepare_sockets, do_recvfrom_chk),
    READS(recvmsg, "", prepare_sockets, do_recvmsg),
    READS(recvmmsg, "", prepare_sockets, do_recvmmsg),
    WRITES(write, prepare_full_pipe, do_write),
    WRITES(__write, prepare_full_pipe, do_old_write),
    WRITES(writev, prepare_full_pipe, do_writev),
    WRITES(send, prepare_full_sockets, do_send),
    WRITES(sendto, prepare_full_sockets, do_sendto),
    WRITES(sendmsg, prepare_full_sockets, do_sendmsg),
    WRITES(sendmmsg, prepare_full_sockets, do_sendmmsg),
    WRITES(sendfile, prepare_full_sockets, do_sendfile),
    WRITES(sendfile64, prepare_full_sockets, do_sendfile64),
    {"accept", "", prepare_listener, do_accept, connect_far, NULL, 0},
    {"accept4", "", prepare_listener, do_accept4, connect_far, NULL, 0},
    {"connect", "", prepare_full_listener, do_connect, accept_one, NULL, 0},
    READS(poll, "", prepare_pipe, do_poll),
    READS(poll, "for an hour", prepare_pipe, do_poll_timeout),
    READS(__poll, "", prepare_pipe, do_old_poll),
    READS(__poll_chk, "", prepare_pipe, do_poll_chk),
    READS(ppoll, "", prepare_pipe, do_ppoll),
    READS(ppoll, "for an hour", prepare_pipe, do_ppoll_timeout),
    READS(__ppoll_chk, "", prepare_pipe, do_ppoll_chk),
    READS(select, "", prepare_pipe, do_select),
    READS(select, "for an hour", prepare_pipe, do_select_timeout),
    READS(__select, "", prepare_pipe, do_old_select),
    READS(pselect, "", prepare_pipe, do_pselect),
    READS(pselect, "for an hour", prepare_pipe, do_pselect_timeout),
    READS(epoll_wait, "", prepare_epoll, do_epoll_wait),
    READS(epoll_wait, "for an hour", prepare_epoll, do_epoll_wait_timeout),
    READS(epoll_pwait, "", prepare_epoll, do_epoll_pwait),
    READS(epoll_pwait2, "", prepare_epoll, do_epoll_pwait2),
    {"mq_receive", "", prepare_queue, do_mq_receive, send_message, NULL, 0},
    {"mq_timedreceive", "", prepare_queue, do_mq_timedreceive, send_message, NULL, 0},
    {"mq_send", "", prepare_full_queue, do_mq_send, receive_message, NULL, 0},
    {"mq_timedsend", "", prepare_full_queue, do_mq_timedsend, receive_message, NULL, 0},
    OPENS(open, do_open),
    OPENS(open64, do_open64),
    OPENS(openat, do_openat),
    OPENS(openat64, do_openat64),
    OPENS(fopen, do_fopen),
    OPENS(fopen64, do_fopen64),
};
const size_t parkers_io_count = LENGTH(parkers_io);
