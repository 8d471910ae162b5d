/* Threads that wait for descriptors of all kinds, each for one, for ever. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/e2e/threads.h"

/* ---- how they wait ---- */

static void *wait_in_read(void *fd)
{
    char bytes[sizeof(struct signalfd_siginfo)]; /* a signalfd gives no less */
    CHECK(read(*(int *)fd, bytes, sizeof bytes) < 0);
    return NULL;
}

static void *wait_in_accept(void *fd)
{
    CHECK(accept(*(int *)fd, NULL, NULL) < 0);
    return NULL;
}

static void *wait_in_flock(void *fd)
{
    CHECK(flock(*(int *)fd, LOCK_EX) < 0);
    return NULL;
}

static struct sockaddr_in full; /* a listener that has no room for another connection */

static void *wait_in_connect(void *fd)
{
    CHECK(connect(*(int *)fd, (struct sockaddr *)&full, sizeof full) != 0);
    return NULL;
}

static void *wait_in_poll(void *fd)
{
    struct pollfd polled[] = {{.fd = *(int *)fd, .events = POLLIN}, {.fd = *(int *)fd}};
    CHECK(poll(polled, 2, -1) < 0);
    return NULL;
}

static void *wait_in_poll_of_one(void *fd)
{
    struct pollfd polled = {.fd = *(int *)fd, .events = POLLIN};
    CHECK(poll(&polled, 1, -1) < 0);
    return NULL;
}

/* The kernel leaves out entries with a descriptor below 0. */
static void *wait_in_poll_of_one_left(void *fd)
{
    struct pollfd polled[] = {{.fd = -1, .events = POLLIN},
                              {.fd = *(int *)fd, .events = POLLIN},
                              {.fd = -7, .events = POLLIN}};
    CHECK(poll(polled, 3, -1) < 0);
    return NULL;
}

static void *wait_in_select(void *fd)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(*(int *)fd, &set);
    CHECK(select(*(int *)fd + 1, &set, NULL, NULL, NULL) < 0);
    return NULL;
}

static void *wait_in_epoll(void *fd)
{
    struct epoll_event event;
    CHECK(epoll_wait(*(int *)fd, &event, 1, -1) < 0);
    return NULL;
}

/* ---- for what ---- */

static int started;

static void start(void *(*wait)(void *), int fd)
{
    static int fds[32];
    fds[started] = fd;
    start_thread(wait, &fds[started++]);
}

/* Both ends of a connection to a listener, which has an address. */
static void start_connection(int family, struct sockaddr *address, socklen_t bytes)
{
    int listener = socket(family, SOCK_STREAM, 0), client = socket(family, SOCK_STREAM, 0);
    if (bind(listener, address, bytes) != 0)
        return; /* a machine without IPv6 */
    CHECK(listen(listener, 1) == 0 && getsockname(listener, address, &bytes) == 0 &&
          connect(client, address, bytes) == 0);
    start(wait_in_poll, accept(listener, NULL, NULL));
    start(wait_in_read, client);
    start(wait_in_accept, listener);
}

static void start_hanging_connection(void)
{
    socklen_t bytes = sizeof full;
    int listener = socket(AF_INET, SOCK_STREAM, 0), first = socket(AF_INET, SOCK_STREAM, 0);
    full.sin_family = AF_INET;
    full.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(listener, (struct sockaddr *)&full, bytes) == 0 && listen(listener, 0) == 0 &&
          getsockname(listener, (struct sockaddr *)&full, &bytes) == 0 &&
          connect(first, (struct sockaddr *)&full, bytes) == 0);
    start(wait_in_connect, socket(AF_INET, SOCK_STREAM, 0));
}

static void start_sockets(void)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "socket"};
    int pair[2], udp = socket(AF_INET, SOCK_DGRAM, 0);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    start_connection(AF_INET, (struct sockaddr *)&v4, sizeof v4);
    start_connection(AF_INET6, (struct sockaddr *)&v6, sizeof v6);
    start_hanging_connection();
    start_connection(AF_UNIX, (struct sockaddr *)&named, sizeof named);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    start(wait_in_read, pair[0]);
    v4.sin_port = 0;
    CHECK(bind(udp, (struct sockaddr *)&v4, sizeof v4) == 0);
    start(wait_in_read, udp);
}

/* Polled alone: a socket with the name of its listener, whose peer says nothing, the listener, one
 * of datagrams, and one beside entries that are left out. */
static void start_polled_sockets(void)
{
    struct sockaddr_un named = {.sun_family = AF_UNIX, .sun_path = "polled"};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), pair[2];
    const struct sockaddr *address = (const struct sockaddr *)&named;
    CHECK(bind(listener, address, sizeof named) == 0 && listen(listener, 2) == 0);
    for (int i = 0; i < 2; i++) {
        int client = socket(AF_UNIX, SOCK_STREAM, 0);
        CHECK(connect(client, address, sizeof named) == 0);
        start(i ? wait_in_select : wait_in_poll_of_one, accept(listener, NULL, NULL));
    }
    start(wait_in_poll_of_one, listener);
    strcpy(named.sun_path, "datagrams");
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0 &&
          bind(pair[0], address, sizeof named) == 0);
    start(wait_in_poll_of_one, pair[0]);
    strcpy(named.sun_path, "left");
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 &&
          bind(pair[0], address, sizeof named) == 0);
    start(wait_in_poll_of_one_left, pair[0]);
}

static int signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return signalfd(-1, &set, 0);
}

/* Usage: descriptors FOLDER      (to make a file and a socket in)
 * Says how many threads it has started for that. */
int main(int argc, char **argv)
{
    int pipes[2], held;
    CHECK(argc == 2 && chdir(argv[1]) == 0 && pipe(pipes) == 0);
    start_sockets();
    start(wait_in_read, pipes[0]);
    start_polled_sockets();
    start(wait_in_read, signals());
    start(wait_in_read, inotify_init());
    start(wait_in_poll_of_one, dup(pipes[0]));
    start(wait_in_read, eventfd(0, 0));
    start(wait_in_epoll, epoll_create1(0));
    CHECK((held = open("locked", O_RDWR | O_CREAT, 0600)) >= 0 && flock(held, LOCK_EX) == 0);
    start(wait_in_flock, open("locked", O_RDWR));
    printf("ready %d\n", started);
    fflush(stdout);
    pause();
    return 0;
}
