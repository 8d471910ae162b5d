/* Errors of calls that connect sockets, and of those that name whom they send to. */
#include "tests/conformance/errors.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/conformance/sockets.h"

/* --- sockets in every state ------------------------------------------------------------------ */

struct ends socket_pair(void)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    return (struct ends){fds[0], fds[1]};
}

int socket_that_is_quiet(void)
{
    return socket_pair().near_end;
}

int socket_that_may_not_block(void)
{
    int fd = socket_pair().near_end;
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

int socket_with_a_time(void)
{
    int fd = socket_pair().near_end;
    struct timeval time = {0, 1000};
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
    return fd;
}

int socket_with_bytes(void)
{
    struct ends ends = socket_pair();
    CHECK(write(ends.far_end, "some bytes", 10) == 10);
    return ends.near_end;
}

int socket_shut_down(void)
{
    int fd = socket_pair().near_end;
    CHECK(shutdown(fd, SHUT_WR) == 0);
    return fd;
}

int datagram_socket_alone(void)
{
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

struct sockaddr_in loopback(void)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

struct sockaddr_in name_of(int fd)
{
    struct sockaddr_in name;
    socklen_t n = sizeof name;
    CHECK(getsockname(fd, (void *)&name, &n) == 0);
    return name;
}

static int inet_socket(int type)
{
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    return fd;
}

static int bound_socket(int type)
{
    struct sockaddr_in any = loopback();
    int fd = inet_socket(type);
    CHECK(bind(fd, (void *)&any, sizeof any) == 0);
    return fd;
}

static int connected_socket(int type, struct sockaddr_in to)
{
    int fd = inet_socket(type);
    CHECK(connect(fd, (void *)&to, sizeof to) == 0);
    return fd;
}

int tcp_listener(struct sockaddr_in *ret)
{
    int fd = bound_socket(SOCK_STREAM);
    CHECK(listen(fd, 0) == 0);
    *ret = name_of(fd);
    return fd;
}

static struct ends tcp_pair(void)
{
    struct sockaddr_in name;
    int listener = tcp_listener(&name);
    int near_end = connected_socket(SOCK_STREAM, name);
    int far_end = accept(listener, NULL, NULL);
    CHECK(far_end >= 0);
    return (struct ends){near_end, far_end};
}

int tcp_socket(void)
{
    return tcp_pair().near_end;
}

int tcp_socket_alone(void)
{
    return inet_socket(SOCK_STREAM);
}

static void await_error(int fd)
{
    struct pollfd polled = {.fd = fd};
    CHECK(poll(&polled, 1, -1) == 1);
}

int tcp_socket_reset(void)
{
    struct ends ends = tcp_pair();
    struct linger at_once = {.l_onoff = 1};
    CHECK(setsockopt(ends.far_end, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(ends.far_end);
    await_error(ends.near_end);
    return ends.near_end;
}

int udp_socket(void)
{
    return connected_socket(SOCK_DGRAM, name_of(bound_socket(SOCK_DGRAM)));
}

int udp_socket_alone(void)
{
    return inet_socket(SOCK_DGRAM);
}

/* A port of the loopback interface where nobody answers, and that nobody else gets: of a socket
 * that does not listen, or hears only itself. */
static struct sockaddr_in port_of_nobody(int type)
{
    int fd = bound_socket(type);
    struct sockaddr_in name = name_of(fd);
    if (type == SOCK_DGRAM)
        CHECK(connect(fd, (void *)&name, sizeof name) == 0);
    return name;
}

int udp_socket_refused(void)
{
    int fd = connected_socket(SOCK_DGRAM, port_of_nobody(SOCK_DGRAM));
    CHECK(send(fd, "x", 1, 0) == 1);
    await_error(fd);
    return fd;
}

/* --- accept ---------------------------------------------------------------------------------- */

static long do_accept(int fd, void *peer, socklen_t *peer_n)
{
    return accept(fd, peer, peer_n);
}

static long do_accept4(int fd, void *peer, socklen_t *peer_n)
{
    return accept4(fd, peer, peer_n, SOCK_CLOEXEC);
}

static const struct {
    const char *function;
    long (*call)(int fd, void *peer, socklen_t *peer_n);
} accepts[] = {{"accept", do_accept}, {"accept4", do_accept4}};

#define EACH_ACCEPT(error, when, ...)                                                              \
    for (size_t i = 0; i < LENGTH(accepts); i++)                                                   \
        if (row_begins(rows, accepts[i].function, "%s, %s", #error, when)) {                       \
            int listener = tcp_listener(&name);                                                    \
            (void)listener;                                                                        \
                                                                                                   \
            __VA_ARGS__;                                                                           \
        }

static void accept_errors(struct rows *rows)
{
    struct sockaddr_in name;
    socklen_t n = sizeof name, negative = (socklen_t)-1;
    EACH_ACCEPT(EAGAIN, "that may not block", CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
                LIBC(accepts[i].call(listener, NULL, NULL)))
    EACH_ACCEPT(EBADF, "of no descriptor", LIBC(accepts[i].call(-1, NULL, NULL)))
    EACH_ACCEPT(EFAULT, "to nowhere", connected_socket(SOCK_STREAM, name);
                LIBC(accepts[i].call(listener, nowhere, &n)))
    EACH_ACCEPT(EINTR, "when a signal comes",
                INTERRUPTED(LIBC(accepts[i].call(listener, NULL, NULL))))
    EACH_ACCEPT(EINVAL, "of one that does not listen",
                LIBC(accepts[i].call(tcp_socket_alone(), NULL, NULL)))
    EACH_ACCEPT(EINVAL, "to less than no room", connected_socket(SOCK_STREAM, name);
                LIBC(accepts[i].call(listener, &name, &negative)))
    EACH_ACCEPT(EMFILE, "with no number left", limit_to(RLIMIT_NOFILE, 3);
                LIBC(accepts[i].call(listener, NULL, NULL)))
    EACH_ACCEPT(ENOTSOCK, "of a file", LIBC(accepts[i].call(open("/", O_RDONLY), NULL, NULL)))
    EACH_ACCEPT(EOPNOTSUPP, "of datagrams", LIBC(accepts[i].call(udp_socket(), NULL, NULL)))
    FAILS(accept4, EINVAL, "flags of none", LIBC(accept4(tcp_listener(&name), NULL, NULL, 1)))
}

/* --- connect --------------------------------------------------------------------------------- */

static struct sockaddr_in broadcast(void)
{
    struct sockaddr_in all = loopback();
    all.sin_addr.s_addr = inet_addr("127.255.255.255");
    all.sin_port = htons(9);
    return all;
}

/* Its queue holds one connection, and that is there. */
static struct sockaddr_in full_listener(void)
{
    struct sockaddr_in name;
    tcp_listener(&name);
    connected_socket(SOCK_STREAM, name);
    return name;
}

static int connecting_socket(struct sockaddr_in to)
{
    int fd = inet_socket(SOCK_STREAM | SOCK_NONBLOCK);
    CHECK(connect(fd, (void *)&to, sizeof to) != 0 && errno == EINPROGRESS);
    return fd;
}

static struct sockaddr_un local;
static socklen_t local_n;

static int local_socket(int type)
{
    local = (struct sockaddr_un){.sun_family = AF_UNIX};
    local_n = sizeof local;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    CHECK(bind(fd, (void *)&local, sizeof(sa_family_t)) == 0); /* to a name that the kernel finds */
    CHECK(getsockname(fd, (void *)&local, &local_n) == 0);
    return fd;
}

/* One that has a name in a folder: the others are found by their kind, too. */
static void name_datagrams(void)
{
    local = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(local.sun_path, sizeof local.sun_path, "/tmp/conformance-e%d", getpid());
    local_n = sizeof local;
    unlink(local.sun_path);
    CHECK(bind(datagram_socket_alone(), (void *)&local, local_n) == 0);
}

static void fill_local_listener(void)
{
    CHECK(listen(local_socket(SOCK_STREAM), 0) == 0);
    CHECK(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&local, local_n) == 0);
}

static long connect_to(int fd, struct sockaddr_in name)
{
    return connect(fd, (void *)&name, sizeof name);
}

/* Two connections would be one: the same two ports. */
static long connect_twice(void)
{
    int one = 1, fds[2];
    struct sockaddr_in own = loopback(), name;
    int listener = tcp_listener(&name);
    for (int i = 0; i < 2; i++) {
        fds[i] = inet_socket(SOCK_STREAM);
        CHECK(setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
        CHECK(bind(fds[i], (void *)&own, sizeof own) == 0);
        own = name_of(fds[i]);
    }
    CHECK(connect_to(fds[0], name) == 0 && accept(listener, NULL, NULL) >= 0);
    return connect_to(fds[1], name);
}

static long connect_in_vain(void)
{
    int fd = inet_socket(SOCK_STREAM), one = 1;
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &one, sizeof one) == 0);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &one, sizeof one) == 0);
    return connect_to(fd, full_listener());
}

static void connect_errors(struct rows *rows)
{
    struct sockaddr_in unknown = {.sin_family = AF_APPLETALK};
    FAILS(connect, EACCES, "to all, which was not asked for",
          LIBC(connect_to(inet_socket(SOCK_DGRAM), broadcast())))
    FAILS(connect, EADDRNOTAVAIL, "a second time", LIBC(connect_twice()))
    FAILS(connect, EAFNOSUPPORT, "of another kind",
          LIBC(connect_to(inet_socket(SOCK_STREAM), unknown)))
    FAILS(connect, EAGAIN, "that may not block", fill_local_listener();
          LIBC(connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (void *)&local, local_n)))
    FAILS(connect, EALREADY, "that is at it", struct sockaddr_in to = full_listener();
          LIBC(connect_to(connecting_socket(to), to)))
    FAILS(connect, EBADF, "of no descriptor", LIBC(connect_to(-1, loopback())))
    FAILS(connect, ECONNREFUSED, "where nobody listens",
          LIBC(connect_to(inet_socket(SOCK_STREAM), port_of_nobody(SOCK_STREAM))))
    FAILS(connect, EFAULT, "to nowhere", LIBC(connect(inet_socket(SOCK_STREAM), nowhere, 16)))
    FAILS(connect, EINPROGRESS, "that may not block",
          LIBC(connect_to(inet_socket(SOCK_STREAM | SOCK_NONBLOCK), full_listener())))
    FAILS(connect, EINTR, "when a signal comes", struct sockaddr_in to = full_listener();
          INTERRUPTED(LIBC(connect_to(inet_socket(SOCK_STREAM), to))))
    FAILS(connect, EINTR, "when a signal comes, between processes", fill_local_listener();
          INTERRUPTED(LIBC(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&local, local_n))))
    FAILS(connect, EISCONN, "that is connected", LIBC(connect_to(tcp_socket(), full_listener())))
    FAILS(connect, ENOTSOCK, "of a file", LIBC(connect_to(open("/", O_RDONLY), loopback())))
    FAILS(connect, EPROTOTYPE, "a stream to datagrams", name_datagrams();
          LIBC(connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&local, local_n));
          unlink(local.sun_path))
    FAILS(connect, ETIMEDOUT, "to one that does not answer", LIBC(connect_in_vain()))
}

/* --- to send to whom is named ---------------------------------------------------------------- */

static long do_sendto(int fd, void *to, socklen_t n)
{
    return sendto(fd, "x", 1, 0, to, n);
}

#define SEND(name, ...)                                                                            \
    static long name(int fd, void *to, socklen_t n)                                                \
    {                                                                                              \
        struct iovec vector = {(void *)(uintptr_t) "x", 1};                                        \
        struct mmsghdr headers = {                                                                 \
            .msg_hdr = {.msg_iov = &vector, .msg_iovlen = 1, .msg_name = to, .msg_namelen = n}};   \
        return __VA_ARGS__;                                                                        \
    }
SEND(do_sendmsg, sendmsg(fd, &headers.msg_hdr, 0))
SEND(do_sendmmsg, sendmmsg(fd, &headers, 1, 0))

static const struct {
    const char *function;
    long (*call)(int fd, void *to, socklen_t n);
} sends[] = {{"sendto", do_sendto}, {"sendmsg", do_sendmsg}, {"sendmmsg", do_sendmmsg}};

#define EACH_SEND(error, when, ...)                                                                \
    for (size_t i = 0; i < LENGTH(sends); i++)                                                     \
        if (row_begins(rows, sends[i].function, "%s, %s", #error, when)) {                         \
            struct sockaddr_in to;                                                                 \
            (void)to;                                                                              \
            __VA_ARGS__;                                                                           \
        }

static void send_errors(struct rows *rows)
{
    EACH_SEND(EACCES, "to all, which was not asked for", to = broadcast();
              LIBC(sends[i].call(udp_socket_alone(), &to, sizeof to)))
    EACH_SEND(EISCONN, "to somebody, of one that is connected", local_socket(SOCK_STREAM);
              LIBC(sends[i].call(socket_that_is_quiet(), &local, local_n)))
    EACH_SEND(EINVAL, "to half an address", to = loopback();
              LIBC(sends[i].call(udp_socket_alone(), &to, 4)))
}

void errors_of_sockets(struct rows *rows)
{
    accept_errors(rows);
    connect_errors(rows);
    send_errors(rows);
}
