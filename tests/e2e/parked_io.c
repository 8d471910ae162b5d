/* Rows of `parked`: reading, writing, connecting, and waiting for descriptors. */
#include "tests/e2e/parked.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

static int pair[2]; /* [0] is read from, [1] is written to */
static char buffer[16];
static struct iovec vector = {buffer, 1};
static struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

static uint64_t read_end(void)
{
    return (uint64_t)pair[0];
}

static uint64_t write_end(void)
{
    return (uint64_t)pair[1];
}

static void make_pipe(void)
{
    CHECK(pipe2(pair, O_CLOEXEC) == 0);
}

static void make_sockets(void)
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
}

static void put_byte(void)
{
    CHECK(write(pair[1], "x", 1) == 1);
}

static void set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    CHECK(flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0);
}

static void fill(void)
{
    static const char zeroes[4096];
    set_nonblocking(pair[1], true);
    for (size_t bytes = sizeof zeroes; bytes > 0; bytes /= 2)
        while (write(pair[1], zeroes, bytes) > 0)
            ;
    CHECK(errno == EAGAIN);
    set_nonblocking(pair[1], false);
}

static void drain(void)
{
    char bytes[4096];
    set_nonblocking(pair[0], true);
    while (read(pair[0], bytes, sizeof bytes) > 0)
        ;
    CHECK(errno == EAGAIN);
}

/* ---- reading ---- */

#define READ_ROW .prepare = make_pipe, .release = put_byte, .object = read_end
#define RECEIVE_ROW .prepare = make_sockets, .release = put_byte, .object = read_end

PARK(read, READ_ROW)
{
    CHECK(read(pair[0], buffer, sizeof buffer) == 1);
}

PARK(alias_read, READ_ROW)
{
    CHECK(__read(pair[0], buffer, sizeof buffer) == 1);
}

PARK(readv, READ_ROW)
{
    CHECK(readv(pair[0], &vector, 1) == 1);
}

PARK(read_chk, READ_ROW)
{
    CHECK(__read_chk(pair[0], buffer, 1, sizeof buffer) == 1);
}

PARK(recv, RECEIVE_ROW)
{
    CHECK(recv(pair[0], buffer, sizeof buffer, 0) == 1);
}

static void give_time(int fd, int timeout)
{
    static const struct timeval hour = {.tv_sec = 3600};
    CHECK(setsockopt(fd, SOL_SOCKET, timeout, &hour, sizeof hour) == 0);
}

static void make_timed_receiver(void)
{
    make_sockets();
    give_time(pair[0], SO_RCVTIMEO);
}

PARK(timed_recv, .prepare = make_timed_receiver, .release = put_byte, .object = read_end)
{
    CHECK(recv(pair[0], buffer, sizeof buffer, 0) == 1);
}

PARK(timed_read, .prepare = make_timed_receiver, .release = put_byte, .object = read_end)
{
    CHECK(read(pair[0], buffer, sizeof buffer) == 1);
}

static void set_timer(time_t seconds)
{
    const struct itimerspec when = {.it_value = {.tv_sec = seconds, .tv_nsec = seconds == 0}};
    CHECK(timerfd_settime(pair[0], 0, &when, NULL) == 0);
}

static void make_timer(void)
{
    CHECK((pair[0] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) >= 0);
}

static void make_set_timer(void)
{
    make_timer();
    set_timer(3600);
}

static void let_timer_expire(void)
{
    set_timer(0);
}

PARK(set_timer_read, .prepare = make_set_timer, .release = let_timer_expire, .object = read_end)
{
    CHECK(read(pair[0], buffer, sizeof buffer) == 8);
}

PARK(unset_timer_read, .prepare = make_timer, .release = let_timer_expire, .object = read_end)
{
    CHECK(read(pair[0], buffer, sizeof buffer) == 8);
}

static void make_receiver_that_sends_timed(void)
{
    make_sockets();
    give_time(pair[0], SO_SNDTIMEO);
}

PARK(untimed_recv, .prepare = make_receiver_that_sends_timed, .release = put_byte,
     .object = read_end)
{
    CHECK(recv(pair[0], buffer, sizeof buffer, 0) == 1);
}

PARK(recv_chk, RECEIVE_ROW)
{
    CHECK(__recv_chk(pair[0], buffer, 1, sizeof buffer, 0) == 1);
}

PARK(recvfrom, RECEIVE_ROW)
{
    CHECK(recvfrom(pair[0], buffer, sizeof buffer, 0, NULL, NULL) == 1);
}

PARK(recvfrom_chk, RECEIVE_ROW)
{
    CHECK(__recvfrom_chk(pair[0], buffer, 1, sizeof buffer, 0, NULL, NULL) == 1);
}

PARK(recvmsg, RECEIVE_ROW)
{
    CHECK(recvmsg(pair[0], &message, 0) == 1);
}

PARK(recvmmsg, RECEIVE_ROW)
{
    struct mmsghdr messages = {.msg_hdr = message};
    CHECK(recvmmsg(pair[0], &messages, 1, 0, NULL) == 1);
    CHECK(messages.msg_len == 1);
}

/* ---- writing ---- */

static void make_full_pipe(void)
{
    make_pipe();
    fill();
}

static void make_full_sockets(void)
{
    make_sockets();
    fill();
}

#define WRITE_ROW .prepare = make_full_pipe, .release = drain, .object = write_end
#define SEND_ROW .prepare = make_full_sockets, .release = drain, .object = write_end

PARK(write, WRITE_ROW)
{
    CHECK(write(pair[1], "x", 1) == 1);
}

PARK(alias_write, WRITE_ROW)
{
    CHECK(__write(pair[1], "x", 1) == 1);
}

PARK(writev, WRITE_ROW)
{
    CHECK(writev(pair[1], &vector, 1) == 1);
}

PARK(send, SEND_ROW)
{
    CHECK(send(pair[1], "x", 1, 0) == 1);
}

static void make_timed_sender(void)
{
    make_full_sockets();
    give_time(pair[1], SO_SNDTIMEO);
}

PARK(timed_send, .prepare = make_timed_sender, .release = drain, .object = write_end)
{
    CHECK(send(pair[1], "x", 1, 0) == 1);
}

PARK(sendto, SEND_ROW)
{
    CHECK(sendto(pair[1], "x", 1, 0, NULL, 0) == 1);
}

PARK(sendmsg, SEND_ROW)
{
    CHECK(sendmsg(pair[1], &message, 0) == 1);
}

PARK(sendmmsg, SEND_ROW)
{
    struct mmsghdr messages = {.msg_hdr = message};
    CHECK(sendmmsg(pair[1], &messages, 1, 0) == 1);
    CHECK(messages.msg_len == 1);
}

static int one_byte(void)
{
    int file = memfd_create("one byte", MFD_CLOEXEC);
    CHECK(file >= 0 && write(file, "x", 1) == 1 && lseek(file, 0, SEEK_SET) == 0);
    return file;
}

PARK(sendfile, SEND_ROW)
{
    CHECK(sendfile(pair[1], one_byte(), NULL, 1) == 1);
}

PARK(sendfile64, SEND_ROW)
{
    CHECK(sendfile64(pair[1], one_byte(), NULL, 1) == 1);
}

/* ---- connections: a listener of AF_UNIX under a name that the kernel chose ---- */

static int listener, client;
static struct sockaddr_un listener_address;
static socklen_t listener_bytes = sizeof listener_address;

static uint64_t listener_number(void)
{
    return (uint64_t)listener;
}

static uint64_t client_number(void)
{
    return (uint64_t)client;
}

static int make_client(int flags)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    CHECK(fd >= 0);
    return fd;
}

static int connect_client(int fd)
{
    return connect(fd, (struct sockaddr *)&listener_address, listener_bytes);
}

static void make_listener(void)
{
    const struct sockaddr_un any = {.sun_family = AF_UNIX};
    listener = make_client(0);
    CHECK(bind(listener, (const struct sockaddr *)&any, sizeof(sa_family_t)) == 0);
    CHECK(listen(listener, 0) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&listener_address, &listener_bytes) == 0);
}

static void come_in(void)
{
    CHECK(connect_client(make_client(SOCK_NONBLOCK)) == 0);
}

#define ACCEPT_ROW .prepare = make_listener, .release = come_in, .object = listener_number

PARK(accept, ACCEPT_ROW)
{
    CHECK(accept(listener, NULL, NULL) >= 0);
}

PARK(accept4, ACCEPT_ROW)
{
    CHECK(accept4(listener, NULL, NULL, SOCK_CLOEXEC) >= 0);
}

static void make_busy_listener(void)
{
    make_listener();
    while (connect_client(make_client(SOCK_NONBLOCK)) == 0)
        ;
    CHECK(errno == EAGAIN);
    client = make_client(0);
}

static void accept_all(void)
{
    set_nonblocking(listener, true);
    while (accept(listener, NULL, NULL) >= 0)
        ;
    CHECK(errno == EAGAIN);
}

PARK(connect, .prepare = make_busy_listener, .release = accept_all, .object = client_number)
{
    CHECK(connect_client(client) == 0);
}

/* ---- waiting for descriptors ---- */

#define POLL_ROW READ_ROW

static struct pollfd polled(void)
{
    return (struct pollfd){.fd = pair[0], .events = POLLIN};
}

PARK(poll, POLL_ROW)
{
    struct pollfd fds = polled();
    CHECK(poll(&fds, 1, -1) == 1);
}

PARK(poll_timeout, POLL_ROW)
{
    struct pollfd fds = polled();
    CHECK(poll(&fds, 1, 3600 * 1000) == 1);
}

PARK(alias_poll, POLL_ROW)
{
    struct pollfd fds = polled();
    CHECK(__poll(&fds, 1, -1) == 1);
}

PARK(poll_chk, POLL_ROW)
{
    struct pollfd fds = polled();
    CHECK(__poll_chk(&fds, 1, -1, sizeof fds) == 1);
}

PARK(ppoll, POLL_ROW)
{
    struct pollfd fds = polled();
    CHECK(ppoll(&fds, 1, NULL, NULL) == 1);
}

PARK(ppoll_timeout, POLL_ROW)
{
    struct pollfd fds = polled();
    CHECK(ppoll(&fds, 1, &one_hour, NULL) == 1);
}

PARK(ppoll_chk, POLL_ROW)
{
    struct pollfd fds = polled();
    CHECK(__ppoll_chk(&fds, 1, NULL, NULL, sizeof fds) == 1);
}

static fd_set *selected(void)
{
    static fd_set fds;
    FD_ZERO(&fds);
    FD_SET(pair[0], &fds);
    return &fds;
}

PARK(select, POLL_ROW)
{
    CHECK(select(pair[0] + 1, selected(), NULL, NULL, NULL) == 1);
}

PARK(select_timeout, POLL_ROW)
{
    struct timeval timeout = {.tv_sec = 3600};
    CHECK(select(pair[0] + 1, selected(), NULL, NULL, &timeout) == 1);
}

PARK(alias_select, POLL_ROW)
{
    CHECK(__select(pair[0] + 1, selected(), NULL, NULL, NULL) == 1);
}

PARK(pselect, POLL_ROW)
{
    CHECK(pselect(pair[0] + 1, selected(), NULL, NULL, NULL, NULL) == 1);
}

PARK(pselect_timeout, POLL_ROW)
{
    CHECK(pselect(pair[0] + 1, selected(), NULL, NULL, &one_hour, NULL) == 1);
}

static int epoll;

static uint64_t epoll_number(void)
{
    return (uint64_t)epoll;
}

static void make_epoll(void)
{
    struct epoll_event event = {.events = EPOLLIN};
    make_pipe();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event) == 0);
}

#define EPOLL_ROW .prepare = make_epoll, .release = put_byte, .object = epoll_number

PARK(epoll_wait, EPOLL_ROW)
{
    struct epoll_event event;
    CHECK(epoll_wait(epoll, &event, 1, -1) == 1);
}

PARK(epoll_wait_timeout, EPOLL_ROW)
{
    struct epoll_event event;
    CHECK(epoll_wait(epoll, &event, 1, 3600 * 1000) == 1);
}

PARK(epoll_pwait, EPOLL_ROW)
{
    struct epoll_event event;
    CHECK(epoll_pwait(epoll, &event, 1, -1, NULL) == 1);
}

PARK(epoll_pwait_timeout, EPOLL_ROW)
{
    struct epoll_event event;
    CHECK(epoll_pwait(epoll, &event, 1, 3600 * 1000, NULL) == 1);
}

PARK(epoll_pwait2, EPOLL_ROW)
{
    struct epoll_event event;
    CHECK(epoll_pwait2(epoll, &event, 1, NULL, NULL) == 1);
}

PARK(epoll_pwait2_timeout, EPOLL_ROW)
{
    struct epoll_event event;
    CHECK(epoll_pwait2(epoll, &event, 1, &one_hour, NULL) == 1);
}

/* ---- opening ---- */

static char fifo[64];

/* A pipe with a name that is gone, so that none is left. */
static void make_fifo(void)
{
    char folder[] = "/tmp/leakspy-parked.XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    CHECK(mkfifo(fifo, 0600) == 0);
    int fd = open(fifo, O_PATH | O_CLOEXEC);
    CHECK(fd >= 0 && unlink(fifo) == 0 && rmdir(folder) == 0);
    snprintf(fifo, sizeof fifo, "/proc/self/fd/%d", fd);
}

static void open_both_ends(void)
{
    CHECK(open(fifo, O_RDWR | O_CLOEXEC) >= 0);
}

#define OPEN_ROW .prepare = make_fifo, .release = open_both_ends

PARK(open, OPEN_ROW)
{
    CHECK(open(fifo, O_RDONLY | O_CLOEXEC) >= 0);
}

PARK(open64, OPEN_ROW)
{
    CHECK(open64(fifo, O_RDONLY | O_CLOEXEC) >= 0);
}

PARK(openat, OPEN_ROW)
{
    CHECK(openat(AT_FDCWD, fifo, O_RDONLY | O_CLOEXEC) >= 0);
}

PARK(openat64, OPEN_ROW)
{
    CHECK(openat64(AT_FDCWD, fifo, O_RDONLY | O_CLOEXEC) >= 0);
}

PARK(fopen, OPEN_ROW)
{
    CHECK(fopen(fifo, "re") != NULL);
}

PARK(fopen64, OPEN_ROW)
{
    CHECK(fopen64(fifo, "re") != NULL);
}
