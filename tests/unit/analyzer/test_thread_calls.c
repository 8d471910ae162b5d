/* System calls and functions of the C library, and what is said of a thread that is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "analyzer/inspect/thread_calls.h"
#include "tests/unit/analyzer/memory_here.h"

#define MINUS_ONE UINT64_C(0xffffffff) /* an int in the low half of a register */

static void numbers__read__give_op_object_and_deadline(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        uint64_t args[6];
        const char *name;
        enum rec_op op;
        uint64_t object;
        bool deadline;
    } rows[] = {
        {SYS_read, {5}, "read", REC_OP_IO_WAIT, 5, false},
        {SYS_accept4, {7}, "accept4", REC_OP_IO_WAIT, 7, false},
        {SYS_epoll_wait, {4, 1, 1, MINUS_ONE}, "epoll_wait", REC_OP_IO_WAIT, 4, false},
        {SYS_epoll_wait, {4, 1, 1, 0}, "epoll_wait", REC_OP_IO_WAIT, 4, true},
        {SYS_epoll_pwait2, {4, 1, 1, 0}, "epoll_pwait2", REC_OP_IO_WAIT, 4, false},
        {SYS_epoll_pwait2, {4, 1, 1, 99}, "epoll_pwait2", REC_OP_IO_WAIT, 4, true},
        {SYS_io_getevents, {0x7000, 1, 1, 1, 0}, "io_getevents", REC_OP_IO_WAIT, 0, false},
        {SYS_io_pgetevents, {0x7000, 1, 1, 1, 9}, "io_pgetevents", REC_OP_IO_WAIT, 0, true},
        {SYS_mq_timedreceive, {3, 1, 1, 0, 0}, "mq_timedreceive", REC_OP_IO_WAIT, 3, false},
        {SYS_mq_timedreceive, {3, 1, 1, 0, 9}, "mq_timedreceive", REC_OP_IO_WAIT, 3, true},
        {SYS_flock, {6}, "flock", REC_OP_FILE_LOCK, 6, false},
        {SYS_fcntl, {6, F_SETLKW}, "fcntl", REC_OP_FILE_LOCK, 6, false},
        {SYS_fcntl, {6, F_GETFL}, "fcntl", REC_OP_NONE, 0, false},
        {SYS_wait4, {MINUS_ONE}, "wait4", REC_OP_PROCESS_WAIT, UINT64_MAX, false},
        {SYS_waitid, {P_PID, 77}, "waitid", REC_OP_PROCESS_WAIT, 77, false},
        {SYS_waitid, {P_ALL, 77}, "waitid", REC_OP_PROCESS_WAIT, UINT64_MAX, false},
        {SYS_waitid, {P_PGID, 77}, "waitid", REC_OP_PROCESS_WAIT, (uint64_t)-77, false},
        {SYS_waitid, {P_PIDFD, 77}, "waitid", REC_OP_PROCESS_WAIT, 0, false},
        {SYS_rt_sigtimedwait, {1, 1, 0}, "rt_sigtimedwait", REC_OP_SIGNAL_WAIT, 0, false},
        {SYS_rt_sigtimedwait, {1, 1, 5}, "rt_sigtimedwait", REC_OP_SIGNAL_WAIT, 0, true},
        {SYS_nanosleep, {1}, "nanosleep", REC_OP_SLEEP, 0, true},
        {SYS_futex, {0x1000, FUTEX_WAIT, 2, 0}, "futex", REC_OP_FUTEX_WAIT, 0x1000, false},
        {SYS_futex, {0x1000, FUTEX_WAIT_BITSET, 2, 8}, "futex", REC_OP_FUTEX_WAIT, 0x1000, true},
        {SYS_futex, {0x1000, FUTEX_WAKE, 2, 8}, "futex", REC_OP_NONE, 0, false},
        {SYS_semtimedop, {9, 1, 1, 0}, "semtimedop", REC_OP_SEMOP_WAIT, 9, false},
        {SYS_openat, {3, 1}, "openat", REC_OP_FILE_OPEN, 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct thread_call call;
        thread_call_read(rows[i].number, rows[i].args, &here_memory, &call);
        assert_string_equal(call.name, rows[i].name);
        assert_int_equal(call.op, rows[i].op);
        assert_int_equal(call.object, rows[i].object);
        assert_int_equal(call.deadline, rows[i].deadline);
    }
    struct thread_call call;
    thread_call_read(9999, ARGS(0), &here_memory, &call);
    assert_null(call.name);
    assert_int_equal(call.op, REC_OP_NONE);
}

/* A descriptor is no number of a process. */
static void waitid__of_a_descriptor__gives_the_descriptor(void **state)
{
    (void)state;
    struct thread_call call;
    thread_call_read(SYS_waitid, ARGS(P_PIDFD, 9), &here_memory, &call);
    assert_true(call.has_pidfd);
    assert_int_equal(call.pidfd, 9);
    thread_call_read(SYS_waitid, ARGS(P_PID, 9), &here_memory, &call);
    assert_false(call.has_pidfd);
}

static void polls__read__give_the_first_descriptor_and_how_many(void **state)
{
    (void)state;
    struct thread_call call;
    struct pollfd polled[2] = {{.fd = 11}, {.fd = 12}};
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, 2, MINUS_ONE), &here_memory, &call);
    assert_true(call.fds);
    assert_int_equal(call.object, 11);
    assert_int_equal(call.arg, 2);
    assert_false(call.deadline);
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, 2, 100), &here_memory, &call);
    assert_true(call.deadline);
    thread_call_read(SYS_poll, ARGS(16, 2, 100), &here_memory, &call); /* cannot be read */
    assert_int_equal(call.object, 0);
    assert_int_equal(call.arg, 0);
    assert_true(call.fds);

    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(70, &in);
    FD_SET(65, &out);
    thread_call_read(SYS_pselect6, ARGS(71, (uint64_t)&in, (uint64_t)&out, 0, 0), &here_memory,
                     &call);
    assert_int_equal(call.object, 65);
    assert_int_equal(call.arg, 2);
    assert_false(call.deadline);
    thread_call_read(SYS_select, ARGS(1 << 20, (uint64_t)&in, 16, 0, 1), &here_memory, &call);
    assert_int_equal(call.object, 70);
    assert_true(call.deadline);
    thread_call_read(SYS_select, ARGS(MINUS_ONE, (uint64_t)&in, 0, 0, 1), &here_memory, &call);
    assert_int_equal(call.arg, 0);
}

/* The kernel leaves such entries out. */
static void poll__with_descriptors_below_0__counts_the_others(void **state)
{
    (void)state;
    static const struct {
        int fds[4];
        uint64_t count;
        uint64_t object;
        uint32_t arg;
    } rows[] = {
        {{4, -1}, 2, 4, 1},        {{-1, 4}, 2, 4, 1},    {{-1, -1}, 2, 0, 0},
        {{-5, 0, -1, 9}, 4, 0, 2}, {{4, -1, 9}, 2, 4, 1},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct thread_call call;
        struct pollfd polled[4];
        for (size_t at = 0; at < 4; at++)
            polled[at] = (struct pollfd){.fd = rows[i].fds[at], .events = POLLIN};
        thread_call_read(SYS_poll, ARGS((uint64_t)polled, rows[i].count, MINUS_ONE), &here_memory,
                         &call);
        assert_int_equal(call.object, rows[i].object);
        assert_int_equal(call.arg, rows[i].arg);
        assert_true(call.fds);
        thread_call_read(SYS_ppoll, ARGS((uint64_t)polled, rows[i].count, 0), &here_memory, &call);
        assert_int_equal(call.object, rows[i].object);
        assert_int_equal(call.arg, rows[i].arg);
    }
}

/* Arrays are read in parts, up to a number of entries, or up to what cannot be read. */
static void poll__of_many__counts_what_was_looked_at_and_the_rest_as_given(void **state)
{
    enum { MANY = 10000 };
    struct thread_call call;
    struct pollfd *polled = calloc(MANY, sizeof(*polled));
    (void)state;
    assert_non_null(polled);
    for (int i = 0; i < MANY; i++)
        polled[i].fd = i % 2 == 0 ? -1 : i;
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, 200, MINUS_ONE), &here_memory, &call);
    assert_int_equal(call.object, 1);
    assert_int_equal(call.arg, 100);
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, MANY, MINUS_ONE), &here_memory, &call);
    assert_int_equal(call.object, 1);
    assert_int_equal(call.arg, 4096 / 2 + MANY - 4096);
    for (int i = 0; i < 4096; i++)
        polled[i].fd = -1;
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, MANY, MINUS_ONE), &here_memory, &call);
    assert_int_equal(call.object, 0);
    assert_int_equal(call.arg, 0);
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, UINT64_C(1) << 32, MINUS_ONE), &here_memory,
                     &call);
    assert_int_equal(call.arg, 0);
    free(polled);
}

/* Where the flags say so, the fifth argument points to more, and a time may be in it. */
static void rings__read__give_descriptor_and_deadline(void **state)
{
    (void)state;
    struct io_uring_getevents_arg plain = {.sigmask = 1}, timed = {.ts = 9};
    const struct {
        uint64_t flags, extended;
        bool deadline, registered;
    } rows[] = {
        {IORING_ENTER_GETEVENTS, 0, false, false},
        {IORING_ENTER_GETEVENTS, (uint64_t)&timed, false, false}, /* a set of signals */
        {IORING_ENTER_EXT_ARG, (uint64_t)&plain, false, false},
        {IORING_ENTER_EXT_ARG, (uint64_t)&timed, true, false},
        {IORING_ENTER_EXT_ARG, 16, false, false},                        /* cannot be read */
        {IORING_ENTER_EXT_ARG | 1 << 6, (uint64_t)&timed, false, false}, /* registered waits */
        {IORING_ENTER_EXT_ARG | IORING_ENTER_REGISTERED_RING, (uint64_t)&timed, true, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct thread_call call;
        thread_call_read(SYS_io_uring_enter, ARGS(5, 0, 1, rows[i].flags, rows[i].extended, 24),
                         &here_memory, &call);
        assert_int_equal(call.op, REC_OP_IO_WAIT);
        assert_int_equal(call.deadline, rows[i].deadline);
        assert_int_equal(call.fds, rows[i].registered);
        assert_int_equal(call.object, rows[i].registered ? 0 : 5);
    }
}

static void decorated_names__find__are_the_plain_functions(void **state)
{
    (void)state;
    static const struct {
        const char *symbol, *name;
    } rows[] = {
        {"pthread_mutex_lock", "pthread_mutex_lock"},
        {"__GI___pthread_mutex_lock", "pthread_mutex_lock"},
        {"___pthread_cond_wait@@GLIBC_2.3.2", "pthread_cond_wait"},
        {"__read_chk", "read"},
        {"__libc_pause", "pause"},
        {"pthread_mutex", NULL},
        {"pthread_mutex_lock_full", NULL},
        {"", NULL},
        {"____", NULL},
        {"_chk", NULL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct thread_function *function = thread_function_find(rows[i].symbol);
        if (!rows[i].name) {
            assert_null(function);
            continue;
        }
        assert_non_null(function);
        assert_string_equal(function->name, rows[i].name);
    }
    assert_true(thread_function_is_outermost("start_thread"));
    assert_true(thread_function_is_outermost("__GI___clone3"));
    assert_false(thread_function_is_outermost("main"));
}

static void function_and_call__fit__when_one_makes_the_other(void **state)
{
    (void)state;
    struct thread_call futex = {.op = REC_OP_FUTEX_WAIT}, io = {.op = REC_OP_IO_WAIT};
    assert_true(thread_function_fits(thread_function_find("sem_wait"), &futex));
    assert_false(thread_function_fits(thread_function_find("sem_wait"), &io));
    assert_true(thread_function_fits(thread_function_find("read"), &io));
    assert_false(thread_function_fits(thread_function_find("read"), &futex));
    assert_true(thread_function_fits(thread_function_find("syscall"), &futex));
    assert_int_equal(thread_call_restarted(thread_function_find("sem_timedwait")), SYS_futex);
    assert_int_equal(thread_call_restarted(thread_function_find("sleep")), SYS_clock_nanosleep);
    assert_int_equal(thread_call_restarted(thread_function_find("poll")), SYS_poll);
    assert_int_equal(thread_call_restarted(thread_function_find("read")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers__read__give_op_object_and_deadline),
        cmocka_unit_test(waitid__of_a_descriptor__gives_the_descriptor),
        cmocka_unit_test(polls__read__give_the_first_descriptor_and_how_many),
        cmocka_unit_test(poll__with_descriptors_below_0__counts_the_others),
        cmocka_unit_test(poll__of_many__counts_what_was_looked_at_and_the_rest_as_given),
        cmocka_unit_test(rings__read__give_descriptor_and_deadline),
        cmocka_unit_test(decorated_names__find__are_the_plain_functions),
        cmocka_unit_test(function_and_call__fit__when_one_makes_the_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
