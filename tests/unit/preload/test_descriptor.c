/* What the library sees of the descriptors of its own process, and how it writes that down. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "preload/descriptor.h"
#include "tests/unit/preload/recording_here.h"

static struct descriptor look_at(int fd, int timeout)
{
    const struct descriptor_place place = {.pid = (uint32_t)getpid(), .fd = fd, .timeout = timeout};
    struct descriptor look;
    memset(&look, 0xff, sizeof(look));
    descriptor_look(&place, &look);
    return look;
}

/* A listening socket, and both ends of a connection to it. */
struct connection {
    int listener, client, server;
    struct sockaddr_in listening, calling;
};

static void connect_ends(struct connection *ret)
{
    socklen_t bytes = sizeof(ret->listening);
    *ret = (struct connection){.listening = {.sin_family = AF_INET}};
    ret->listening.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ret->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(ret->listener, (struct sockaddr *)&ret->listening, bytes), 0);
    assert_int_equal(listen(ret->listener, 1), 0);
    assert_int_equal(getsockname(ret->listener, (struct sockaddr *)&ret->listening, &bytes), 0);
    ret->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ret->client, (struct sockaddr *)&ret->listening, bytes), 0);
    assert_int_equal(getsockname(ret->client, (struct sockaddr *)&ret->calling, &bytes), 0);
    ret->server = accept(ret->listener, NULL, NULL);
    assert_int_not_equal(ret->server, -1);
}

static void close_ends(const struct connection *ends)
{
    close(ends->listener);
    close(ends->client);
    close(ends->server);
}

static void connection__has_both_addresses(void **state)
{
    struct connection ends;
    (void)state;
    connect_ends(&ends);
    struct descriptor look = look_at(ends.server, SO_RCVTIMEO);
    assert_true(look.known);
    assert_false(look.listens);
    assert_false(look.times_out);
    assert_int_equal(look.told.protocol, IPPROTO_TCP);
    assert_int_equal(look.told.local_bytes, sizeof(ends.listening));
    assert_int_equal(look.told.peer_bytes, sizeof(ends.calling));
    assert_memory_equal(look.told.name, &ends.listening, sizeof(ends.listening));
    assert_memory_equal(look.told.name + sizeof(ends.listening), &ends.calling,
                        sizeof(ends.calling));
    close_ends(&ends);
}

static void listener_and_timeout__are_seen(void **state)
{
    static const struct timeval second = {.tv_sec = 1};
    struct connection ends;
    (void)state;
    connect_ends(&ends);
    struct descriptor look = look_at(ends.listener, SO_RCVTIMEO);
    assert_true(look.listens);
    assert_int_equal(look.told.peer_bytes, 0);
    assert_int_equal(setsockopt(ends.client, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second)), 0);
    assert_true(look_at(ends.client, SO_SNDTIMEO).times_out);
    assert_false(look_at(ends.client, SO_RCVTIMEO).times_out);
    close_ends(&ends);
}

static void stream_socket_with_a_peer__is_connected(void **state)
{
    struct connection ends;
    int pair[2];
    (void)state;
    connect_ends(&ends);
    int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(look_at(ends.client, 0).connected);
    assert_true(look_at(ends.server, 0).connected);
    assert_false(look_at(ends.listener, 0).connected);
    assert_false(look_at(fresh, 0).connected);
    close(fresh);
    close_ends(&ends);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_false(look_at(pair[0], 0).connected); /* the program's own at both ends */
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
    assert_false(look_at(pair[0], 0).connected);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(pipe(pair), 0);
    assert_false(look_at(pair[0], 0).connected);
    close(pair[0]);
    close(pair[1]);
}

/* Its call has what it waited for, or waits for something else: see descriptor.c. */
static void socket_that_is_ready__is_not_asked_for_its_addresses(void **state)
{
    struct connection ends;
    (void)state;
    connect_ends(&ends);
    assert_int_equal(look_at(ends.client, SO_SNDTIMEO).told.local_bytes, 0);
    assert_int_equal(write(ends.server, "x", 1), 1);
    assert_int_equal(look_at(ends.client, SO_RCVTIMEO).told.local_bytes, 0);
    assert_int_not_equal(look_at(ends.client, 0).told.local_bytes, 0); /* a poll */
    close_ends(&ends);
}

/* It has the addresses of its family, without a path. */
static void unix_socket_without_a_name__is_one(void **state)
{
    int pair[2];
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct descriptor look = look_at(pair[0], 0);
    assert_int_equal(look.told.protocol, 0);
    assert_int_equal(look.told.local_bytes, sizeof(sa_family_t));
    assert_int_equal(look.told.peer_bytes, sizeof(sa_family_t));
    assert_int_equal(look.told.name[0], AF_UNIX);
    close(pair[0]);
    close(pair[1]);
}

static void file__is_named_as_proc_has_it(void **state)
{
    char path[PATH_MAX];
    (void)state;
    int fd = open(here_path("a file"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct descriptor look = look_at(fd, 0);
    assert_non_null(realpath(here_path("a file"), path));
    assert_true(look.known);
    assert_int_equal(look.told.local_bytes + look.told.peer_bytes, 0);
    assert_string_equal(look.told.name, path);
    close(fd);
    assert_false(look_at(fd, 0).known);
    assert_false(look_at(-1, 0).known);
}

static void name__that_does_not_fit__is_cut(void **state)
{
    char name[151], path[PATH_MAX];
    (void)state;
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    int fd = open(here_path(name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct descriptor look = look_at(fd, 0);
    assert_non_null(realpath(here_path(name), path));
    assert_memory_equal(look.told.name, path, sizeof(look.told.name));
    close(fd);
}

static void socket__that_is_not_asked__is_a_socket(void **state)
{
    struct connection ends;
    (void)state;
    connect_ends(&ends);
    descriptor_asks_sockets = false;
    struct descriptor look = look_at(ends.listener, SO_RCVTIMEO);
    descriptor_asks_sockets = true;
    assert_true(look.known);
    assert_false(look.listens);
    assert_int_equal(look.told.local_bytes, 0);
    assert_memory_equal(look.told.name, "socket:[", 8);
    close_ends(&ends);
}

/* --- a thread with a table of its own ------------------------------------------------------------
 */

static struct connection both; /* the thread has another file where the process has a client */

static void *look_at_own(void *unused)
{
    char pipe_name[sizeof("pipe:[")] = "";
    int pipes[2];
    (void)unused;
    if (unshare(CLONE_FILES) != 0 || pipe(pipes) != 0 || dup2(pipes[0], both.client) < 0 ||
        dup2(both.listener, both.server) < 0)
        return here_complaint("no table of its own");
    struct descriptor look;
    struct descriptor_place place = {
        .pid = (uint32_t)getpid(), .tid = (uint32_t)syscall(SYS_gettid), .fd = both.client};
    descriptor_look(&place, &look);
    memcpy(pipe_name, look.told.name, sizeof(pipe_name) - 1);
    if (!look.known || strcmp(pipe_name, "pipe:[") != 0)
        return here_complaint("the process's descriptor was told");
    place.fd = both.server; /* a socket in both, but not the same one */
    descriptor_look(&place, &look);
    bool its_own = look.listens && look.told.peer_bytes == 0; /* since Linux 6.9 */
    if (!look.known || !(its_own || look.told.local_bytes == 0))
        return here_complaint("the process's socket was asked");
    return NULL;
}

static void thread_with_a_table_of_its_own__is_told_what_it_has(void **state)
{
    pthread_t thread;
    void *complaint;
    (void)state;
    connect_ends(&both);
    pthread_create(&thread, NULL, look_at_own, NULL);
    pthread_join(thread, &complaint);
    here_assert_none(complaint);
    close_ends(&both);
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static void row__is_that_of_the_slot(void **state)
{
    struct rec_descriptor found = {.task = 5, .wait = 7, .protocol = 6, .name = "pipe:[1]"};
    struct rec_table *table = &recorder.header->tables[REC_TABLE_DESCRIPTORS - 1];
    (void)state;
    assert_int_equal(table->capacity, HERE_TASKS + 1);
    recorder_put_descriptor(recorder.tasks + HERE_TASKS, &found);
    assert_memory_equal(&recorder.descriptors[HERE_TASKS], &found, sizeof(found));
    assert_int_equal(table->count, HERE_TASKS + 1);
    found.wait = 8;
    recorder_put_descriptor(recorder.tasks + 3, &found);
    assert_int_equal(recorder.descriptors[3].wait, 8);
    assert_int_equal(table->count, HERE_TASKS + 1);
    recorder_put_descriptor(recorder.tasks + HERE_TASKS + 1, &found); /* where there are more */
    assert_int_equal(table->count, HERE_TASKS + 1);
    assert_int_equal(table->lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connection__has_both_addresses),
        cmocka_unit_test(listener_and_timeout__are_seen),
        cmocka_unit_test(stream_socket_with_a_peer__is_connected),
        cmocka_unit_test(socket_that_is_ready__is_not_asked_for_its_addresses),
        cmocka_unit_test(unix_socket_without_a_name__is_one),
        cmocka_unit_test(file__is_named_as_proc_has_it),
        cmocka_unit_test(name__that_does_not_fit__is_cut),
        cmocka_unit_test(socket__that_is_not_asked__is_a_socket),
        cmocka_unit_test(thread_with_a_table_of_its_own__is_told_what_it_has),
        cmocka_unit_test_setup_teardown(row__is_that_of_the_slot, here_open, here_close),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
