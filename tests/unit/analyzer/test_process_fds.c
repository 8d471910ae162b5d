/* Descriptors of a running process: what they are, and which sockets are connected or time out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "analyzer/image/image.h"
#include "analyzer/process/fd.h"
#include "tests/unit/analyzer/child.h"
#include "tests/unit/analyzer/opened.h"

static void open_descriptors(void)
{
    int pipes[2];
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct sockaddr_in6 address6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    socklen_t bytes = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    int listener = socket(AF_INET, SOCK_STREAM, 0); /* 3 */
    bind(listener, (struct sockaddr *)&address, sizeof(address));
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    shared->words[0] = ntohs(address.sin_port);
    int client = socket(AF_INET, SOCK_STREAM, 0); /* 4 */
    connect(client, (struct sockaddr *)&address, sizeof(address));
    int listener6 = socket(AF_INET6, SOCK_STREAM, 0); /* 5 */
    shared->words[1] = bind(listener6, (struct sockaddr *)&address6, sizeof(address6)) == 0;
    listen(listener6, 1);
    int local = socket(AF_UNIX, SOCK_STREAM, 0); /* 6 */
    snprintf(path.sun_path, sizeof(path.sun_path), "/tmp/leakspy-socket-%d", (int)getpid());
    bind(local, (struct sockaddr *)&path, sizeof(path));
    listen(local, 1);
    unlink(path.sun_path);
    pipe(pipes);                             /* 7, 8 */
    eventfd(0, 0);                           /* 9 */
    dup2(open("/etc/passwd", O_RDONLY), 10); /* the command's open takes more than one */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int named = socket(AF_UNIX, SOCK_STREAM, 0), caller = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t name_bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                    (size_t)snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "leakspy-%d",
                                     (int)getpid()));
    bind(named, (struct sockaddr *)&name, name_bytes);
    listen(named, 1);
    connect(caller, (struct sockaddr *)&name, name_bytes);
    dup2(accept(named, NULL, NULL), 21);
    dup2(caller, 20);
    park();
}

static void assert_fd(struct image *image, int fd, const char *text, bool listens)
{
    char got[256] = "";
    bool listening;
    assert_true(image->functions->describe_fd(image, 0, fd, got, sizeof(got), &listening));
    assert_string_equal(got, text);
    assert_int_equal(listening, listens);
}

static void descriptor__tells_what_it_is(void **state)
{
    (void)state;
    struct image image;
    char text[128], got[256];
    bool listening;
    pid_t pid = child_start(open_descriptors);
    open_image(&image, pid);
    snprintf(text, sizeof(text), "tcp 127.0.0.1:%d listening", (int)shared->words[0]);
    assert_fd(&image, 3, text, true);
    snprintf(text, sizeof(text), " -> 127.0.0.1:%d", (int)shared->words[0]);
    assert_true(image.functions->describe_fd(&image, 0, 4, got, sizeof(got), &listening));
    assert_memory_equal(got, "tcp 127.0.0.1:", 14);
    assert_non_null(strstr(got, text));
    assert_false(listening);
    if (shared->words[1]) {
        assert_true(image.functions->describe_fd(&image, 0, 5, got, sizeof(got), &listening));
        assert_memory_equal(got, "tcp [::1]:", 10);
        assert_true(listening);
    }
    snprintf(text, sizeof(text), "unix socket /tmp/leakspy-socket-%d listening", (int)pid);
    assert_fd(&image, 6, text, true);
    assert_fd(&image, 7, "pipe", false);
    assert_fd(&image, 9, "eventfd", false);
    assert_fd(&image, 10, "/etc/passwd", false);
    snprintf(text, sizeof(text), "unix socket -> @leakspy-%d", (int)pid);
    assert_fd(&image, 20, text, false);
    snprintf(text, sizeof(text), "unix socket @leakspy-%d", (int)pid);
    assert_fd(&image, 21, text, false);
    static const int connected[] = {4, 20, 21}, others[] = {3, 6, 7, 9, 10, 63};
    for (size_t i = 0; i < sizeof(connected) / sizeof(connected[0]); i++)
        assert_true(image.functions->fd_is_connected(&image, 0, connected[i]));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(image.functions->fd_is_connected(&image, 0, others[i]));
    assert_false(image.functions->describe_fd(&image, 0, 55, got, sizeof(got), &listening));
    assert_int_equal(errno, ENOENT);
    assert_false(image.functions->describe_fd(&image, 0, -1, got, sizeof(got), &listening));
    image_close(&image);
    child_end(pid);
}

/* At 3 one whose name is as long as they get, at 4 one whose name takes four times its length. */
static void listen_by_long_names(void)
{
    static const char fill[] = {'x', '\1'};
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "%d", (int)getpid());
        memset(name.sun_path + 1 + length, fill[i], sizeof(name.sun_path) - 1 - (size_t)length);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        shared->error = fd != 3 + (int)i || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 ||
                        listen(fd, 1) != 0 || shared->error;
    }
    park();
}

static void unix_socket_of_a_long_name__is_told_to_its_end_or_says_so(void **state)
{
    (void)state;
    struct image image;
    char name[109], text[256], got[256];
    bool listening;
    pid_t pid = child_start(listen_by_long_names);
    assert_int_equal(shared->error, 0);
    int length = snprintf(name, sizeof(name), "@%d", (int)pid);
    memset(name + length, 'x', sizeof(name) - 1 - (size_t)length);
    name[sizeof(name) - 1] = '\0';
    snprintf(text, sizeof(text), "unix socket %s listening", name);
    open_image(&image, pid);
    assert_fd(&image, 3, text, true);
    assert_true(image.functions->describe_fd(&image, 0, 4, got, sizeof(got), &listening));
    assert_string_equal(got + strlen(got) - strlen("\\x01..."), "\\x01...");
    assert_true(listening);
    image_close(&image);
    child_end(pid);
}

#define OWN_FD 40

static void *replace_descriptor(void *arg)
{
    int pipes[2];
    if (unshare(CLONE_FILES) != 0 || pipe(pipes) != 0 || dup2(pipes[0], OWN_FD) < 0)
        shared->error = errno;
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    for (;;)
        pause();
    return arg;
}

/* A thread has a pipe where its process has a socket with a timeout. */
static void have_two_tables(void)
{
    pthread_t thread;
    struct timeval timeout = {.tv_sec = 100};
    int local = socket(AF_UNIX, SOCK_STREAM, 0);
    setsockopt(local, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    dup2(local, OWN_FD);
    pthread_create(&thread, NULL, replace_descriptor, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    park();
}

static void descriptor_of_a_thread__is_that_of_its_own_table(void **state)
{
    (void)state;
    struct image image;
    char got[256] = "";
    bool listening;
    pid_t pid = child_start(have_two_tables);
    uint32_t tid = (uint32_t)shared->tid;
    assert_int_equal(shared->error, 0);
    open_image(&image, pid);
    assert_fd(&image, OWN_FD, "unix socket", false);
    assert_true(image.functions->describe_fd(&image, tid, OWN_FD, got, sizeof(got), &listening));
    assert_string_equal(got, "pipe");
    assert_false(image.functions->fd_times_out(&image, tid, OWN_FD, SO_RCVTIMEO));
    image_close(&image);
    child_end(pid);
}

static void open_a_socket_and_others(void)
{
    int pipes[2];
    shared->fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    shared->fds[1] = pipe(pipes) == 0 ? pipes[0] : -1;
    shared->fds[2] = eventfd(0, 0);
    shared->fds[3] = open("/etc/passwd", O_RDONLY);
    park();
}

/* Closing the copy of another file may take as long as its server does. */
static void borrowed__are_only_sockets(void **state)
{
    (void)state;
    pid_t pid = child_start(open_a_socket_and_others);
    int borrowed = process_borrow_socket(pid, pid, shared->fds[0]), error = errno;
    if (borrowed < 0 && (error == ENOSYS || error == EPERM)) {
        child_end(pid);
        skip(); /* before Linux 5.6, or not allowed */
    }
    assert_true(borrowed >= 0);
    close(borrowed);
    for (size_t i = 1; i < 4; i++) {
        assert_true(shared->fds[i] >= 0);
        assert_int_equal(process_borrow_socket(pid, pid, shared->fds[i]), -1);
    }
    child_end(pid);
}

static bool has_pidfds_of_threads(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL /* PIDFD_THREAD, Linux 6.9 */);
    if (pidfd >= 0)
        close(pidfd);
    return pidfd >= 0;
}

static void *receive_for_a_while(void *arg)
{
    char byte;
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    recv(shared->fds[0], &byte, 1, 0);
    return arg;
}

static void leave_a_receiver(void)
{
    pthread_t thread;
    struct timeval timeout = {.tv_sec = 100};
    socketpair(AF_UNIX, SOCK_STREAM, 0, shared->fds);
    setsockopt(shared->fds[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    pthread_create(&thread, NULL, receive_for_a_while, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    child_ready();
    syscall(SYS_exit, 0); /* of this thread alone */
}

static void first_thread_has_ended__timeouts_of_sockets_are_told(void **state)
{
    (void)state;
    struct image image;
    char got[256] = "";
    bool listening;
    if (!has_pidfds_of_threads())
        skip();
    pid_t pid = child_start(leave_a_receiver);
    uint32_t tid = (uint32_t)shared->tid;
    wait_for_end_of_first(pid);
    open_image(&image, pid);
    assert_true(
        image.functions->describe_fd(&image, tid, shared->fds[0], got, sizeof(got), &listening));
    assert_string_equal(got, "unix socket");
    assert_true(image.functions->fd_times_out(&image, tid, shared->fds[0], SO_RCVTIMEO));
    assert_true(image.functions->fd_times_out(&image, 0, shared->fds[0], SO_RCVTIMEO));
    assert_false(image.functions->fd_times_out(&image, tid, shared->fds[0], SO_SNDTIMEO));
    image_close(&image);
    child_end(pid);
}

#define CLOSED_CONNECTIONS 20

/* In a network of its own: one socket that listens, one of the machine itself, and connections that
 * were closed and that the kernel keeps for a minute. */
static void leave_closed_connections(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(address);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (unshare(CLONE_NEWNET) != 0)
        shared->error = errno;
    int local = socket(AF_UNIX, SOCK_STREAM, 0), listener = socket(AF_INET, SOCK_STREAM, 0);
    shared->fds[0] = local;
    if (ioctl(listener, SIOCSIFFLAGS, &loopback) != 0)
        shared->error = errno;
    bind(listener, (struct sockaddr *)&address, sizeof(address));
    listen(listener, 1);
    getsockname(listener, (struct sockaddr *)&address, &bytes);
    for (int i = 0; i < CLOSED_CONNECTIONS && !shared->error; i++) {
        int client = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(client, (struct sockaddr *)&address, sizeof(address)) != 0)
            shared->error = errno;
        int server = accept(listener, NULL, NULL);
        close(client);
        close(server);
    }
    park();
}

static void closed_connections__are_not_kept(void **state)
{
    (void)state;
    struct process_fds fds;
    char text[256];
    pid_t pid = child_start(leave_closed_connections);
    if (shared->error) {
        child_end(pid);
        skip(); /* it may have no network of its own */
    }
    process_fds_init(&fds, pid);
    assert_true(process_describe_fd(&fds, 0, shared->fds[0], text, sizeof(text), NULL));
    assert_string_equal(text, "unix socket");
    assert_int_equal(fds.count, 2);
    process_fds_deinit(&fds);
    child_end(pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptor__tells_what_it_is),
        cmocka_unit_test(unix_socket_of_a_long_name__is_told_to_its_end_or_says_so),
        cmocka_unit_test(descriptor_of_a_thread__is_that_of_its_own_table),
        cmocka_unit_test(borrowed__are_only_sockets),
        cmocka_unit_test(first_thread_has_ended__timeouts_of_sockets_are_told),
        cmocka_unit_test(closed_connections__are_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
