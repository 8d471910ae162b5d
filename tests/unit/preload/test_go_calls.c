/* Goroutines, here made by hand, that wait in system calls, or for descriptors: what the recording
 * tells of that. */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "preload/blocked.h"
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

/* A thread that reads byte after byte, until there is none left. */
static struct byte_reader {
    pthread_t thread;
    int pipe[2];
    uint32_t tid;
} bytes_read;

static void *read_bytes(void *unused)
{
    char byte;
    (void)unused;
    __atomic_store_n(&bytes_read.tid, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    while (read(bytes_read.pipe[0], &byte, 1) == 1)
        ;
    return NULL;
}

/* Waits until it is in its call once more. */
static void await_reader(uint32_t sleeps_before)
{
    struct blocked_call call = {.running = true};
    uint32_t tid;
    while ((tid = __atomic_load_n(&bytes_read.tid, __ATOMIC_ACQUIRE)) == 0 ||
           blocked_sleeps(OWN_PROCESS, tid) == sleeps_before ||
           !blocked_call(OWN_PROCESS, tid, &call) || call.running || call.number != SYS_read)
        usleep(1000);
}

static struct go_goroutine in_system_call(uint64_t id)
{
    struct go_goroutine it = here_parked(id, SEND);
    it.parked = false;
    it.status = 3;
    it.os_tid = bytes_read.tid;
    return it;
}

static void start_reader(void)
{
    bytes_read = (struct byte_reader){0};
    assert_int_equal(pipe(bytes_read.pipe), 0);
    assert_int_equal(pthread_create(&bytes_read.thread, NULL, read_bytes, NULL), 0);
    await_reader(0);
}

static void end_reader(void)
{
    close(bytes_read.pipe[1]);
    pthread_join(bytes_read.thread, NULL);
    close(bytes_read.pipe[0]);
}

/* Its number as the runtime has it does not tell (Go 1.27). */
static void system_call__made_again_and_again__is_a_new_wait(void **state)
{
    (void)state;
    start_reader();
    here_scan.minor = 27;
    struct go_goroutine it = in_system_call(42);
    here_look_at(&it, 1);
    uint32_t gen = here_only_task()->gen;
    assert_int_not_equal(gen, 0);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen);
    uint32_t sleeps = blocked_sleeps(OWN_PROCESS, bytes_read.tid);
    assert_int_equal(write(bytes_read.pipe[1], "", 1), 1);
    await_reader(sleeps);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen + 1);
    assert_int_equal(here_only_task()->since_ns, here_now_ns);
    end_reader();
}

static uint32_t told_waits(void)
{
    uint32_t told = 0;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++)
        told += recorder.tasks[row].gen == 1;
    return told;
}

/* A look asks the kernel about 256 threads, the next one about others. */
static void system_calls__of_many__are_told_in_turns_and_stay(void **state)
{
    static struct go_goroutine all[600];
    (void)state;
    start_reader();
    for (uint64_t i = 0; i < 600; i++)
        all[i] = in_system_call(i + 1);
    static const uint32_t told[] = {256, 512, 600, 600, 600};
    for (size_t i = 0; i < sizeof(told) / sizeof(*told); i++) {
        here_look_at(all, 600);
        assert_int_equal(told_waits(), told[i]);
    }
    here_run_again(&all[0]); /* it is the turn of the last ones */
    here_look_at(all, 600);
    assert_int_equal(told_waits(), 599);
    end_reader();
}

static void listening_socket__waited_for__is_noticed(void **state)
{
    (void)state;
    int sockets[2] = {socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct sockaddr_un name = {.sun_family = AF_UNIX}; /* the kernel gives it one */
    assert_int_equal(bind(sockets[0], (struct sockaddr *)&name, sizeof(name.sun_family)), 0);
    assert_int_equal(listen(sockets[0], 1), 0);
    for (int i = 0; i < 2; i++) {
        struct go_goroutine it = here_parked(42, IO);
        it.wait_number += (uint32_t)i;
        it.object = (uint64_t)sockets[i];
        it.object_known = true;
        here_look_at(&it, 1);
        here_look_at(&it, 1); /* what was noticed stays */
        assert_int_equal(here_only_task()->detail_flags, i == 0 ? REC_DETAIL_LISTENING : 0);
        close(sockets[i]);
    }
}

/* What another look finds of a goroutine changes nothing of what its socket says. */
static void socket_with_a_timeout__waited_for_in_a_call__stays_noticed(void **state)
{
    (void)state;
    const struct timeval hour = {.tv_sec = 3600};
    start_reader();
    int sockets[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &hour, sizeof(hour)), 0);
    assert_int_equal(dup2(sockets[0], bytes_read.pipe[0]), bytes_read.pipe[0]);
    struct go_goroutine it = in_system_call(42);
    here_look_at(&it, 1);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->detail_flags, REC_DETAIL_TIMES_OUT);
    end_reader();
    close(sockets[0]);
    close(sockets[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, here_open_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(system_call__made_again_and_again__is_a_new_wait),
        TEST(system_calls__of_many__are_told_in_turns_and_stay),
        TEST(listening_socket__waited_for__is_noticed),
        TEST(socket_with_a_timeout__waited_for_in_a_call__stays_noticed),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
