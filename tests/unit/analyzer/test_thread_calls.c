/* System calls and functions of the C library, and what is said of a thread that is in them. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/debug/names.h"
#include "analyzer/inspect/thread_calls.h"
#include "analyzer/inspect/thread_list.h"
#include "analyzer/inspect/thread_locks.h"

#define FIRST_PAGE 4096

static uint64_t readable_from = FIRST_PAGE;

/* Memory of this process. Addresses below a page, and those that no process has, cannot be read. */
static void read_own(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    for (size_t i = 0; i < count; i++) {
        pieces[i].ok = pieces[i].address >= readable_from && pieces[i].address < UINT64_C(1) << 47;
        if (pieces[i].ok)
            memcpy(pieces[i].to, (const void *)pieces[i].address, pieces[i].bytes);
    }
}
static struct mem_reader own = {read_own};

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
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
        thread_call_read(rows[i].number, rows[i].args, &own, &call);
        assert_string_equal(call.name, rows[i].name);
        assert_int_equal(call.op, rows[i].op);
        assert_int_equal(call.object, rows[i].object);
        assert_int_equal(call.deadline, rows[i].deadline);
    }
    struct thread_call call;
    thread_call_read(9999, ARGS(0), &own, &call);
    assert_null(call.name);
    assert_int_equal(call.op, REC_OP_NONE);
}

/* A descriptor is no number of a process. */
static void waitid__of_a_descriptor__gives_the_descriptor(void **state)
{
    (void)state;
    struct thread_call call;
    thread_call_read(SYS_waitid, ARGS(P_PIDFD, 9), &own, &call);
    assert_true(call.has_pidfd);
    assert_int_equal(call.pidfd, 9);
    thread_call_read(SYS_waitid, ARGS(P_PID, 9), &own, &call);
    assert_false(call.has_pidfd);
}

static void polls__read__give_the_first_descriptor_and_how_many(void **state)
{
    (void)state;
    struct thread_call call;
    struct pollfd polled[2] = {{.fd = 11}, {.fd = 12}};
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, 2, MINUS_ONE), &own, &call);
    assert_true(call.fds);
    assert_int_equal(call.object, 11);
    assert_int_equal(call.arg, 2);
    assert_false(call.deadline);
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, 2, 100), &own, &call);
    assert_true(call.deadline);
    thread_call_read(SYS_poll, ARGS(16, 2, 100), &own, &call); /* cannot be read */
    assert_int_equal(call.object, 0);
    assert_int_equal(call.arg, 0);
    assert_true(call.fds);

    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(70, &in);
    FD_SET(65, &out);
    thread_call_read(SYS_pselect6, ARGS(71, (uint64_t)&in, (uint64_t)&out, 0, 0), &own, &call);
    assert_int_equal(call.object, 65);
    assert_int_equal(call.arg, 2);
    assert_false(call.deadline);
    thread_call_read(SYS_select, ARGS(1 << 20, (uint64_t)&in, 16, 0, 1), &own, &call);
    assert_int_equal(call.object, 70);
    assert_true(call.deadline);
    thread_call_read(SYS_select, ARGS(MINUS_ONE, (uint64_t)&in, 0, 0, 1), &own, &call);
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
        thread_call_read(SYS_poll, ARGS((uint64_t)polled, rows[i].count, MINUS_ONE), &own, &call);
        assert_int_equal(call.object, rows[i].object);
        assert_int_equal(call.arg, rows[i].arg);
        assert_true(call.fds);
        thread_call_read(SYS_ppoll, ARGS((uint64_t)polled, rows[i].count, 0), &own, &call);
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
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, 200, MINUS_ONE), &own, &call);
    assert_int_equal(call.object, 1);
    assert_int_equal(call.arg, 100);
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, MANY, MINUS_ONE), &own, &call);
    assert_int_equal(call.object, 1);
    assert_int_equal(call.arg, 4096 / 2 + MANY - 4096);
    for (int i = 0; i < 4096; i++)
        polled[i].fd = -1;
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, MANY, MINUS_ONE), &own, &call);
    assert_int_equal(call.object, 0);
    assert_int_equal(call.arg, 0);
    thread_call_read(SYS_poll, ARGS((uint64_t)polled, UINT64_C(1) << 32, MINUS_ONE), &own, &call);
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
                         &own, &call);
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

/* ---- objects of glibc ---- */

static uint64_t object_of(enum rec_op op, const void *word, unsigned command, uint32_t expected)
{
    struct thread_lock lock;
    thread_lock_find(op, ARGS((uint64_t)word, command, expected), &own, &lock);
    return lock.object;
}

static void futex_words__find__are_parts_of_their_objects(void **state)
{
    (void)state;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_barrier_t barrier;
    assert_int_equal(
        object_of(REC_OP_RWLOCK_RDLOCK, &rwlock.__data.__wrphase_futex, FUTEX_WAIT_BITSET, 3),
        (uint64_t)&rwlock);
    assert_int_equal(
        object_of(REC_OP_RWLOCK_RDLOCK, &rwlock.__data.__readers, FUTEX_WAIT_BITSET, 14),
        (uint64_t)&rwlock);
    assert_int_equal(
        object_of(REC_OP_RWLOCK_WRLOCK, &rwlock.__data.__wrphase_futex, FUTEX_WAIT_BITSET, 2),
        (uint64_t)&rwlock);
    assert_int_equal(
        object_of(REC_OP_RWLOCK_WRLOCK, &rwlock.__data.__writers_futex, FUTEX_WAIT_BITSET, 3),
        (uint64_t)&rwlock);
    assert_int_equal(object_of(REC_OP_MUTEX_LOCK, &mutex.__data.__lock, FUTEX_WAIT, 2),
                     (uint64_t)&mutex);
    assert_int_equal(object_of(REC_OP_BARRIER_WAIT, (char *)&barrier + 4, FUTEX_WAIT, 0),
                     (uint64_t)&barrier);
}

/* A condition in memory, as glibc has it before 2.41 and from then on. */
struct old_cond {
    uint64_t wseq, g1_start;
    uint32_t refs[2], size[2], orig_size, wrefs, signals[2], behind[2];
};

struct new_cond {
    uint64_t before, wseq, g1_start;
    uint32_t size[2], orig_size, wrefs, signals[2], unused[2];
};

static const struct {
    struct old_cond old;
    unsigned group; /* that somebody waits in */
} conds[] = {
    {{.wseq = 2, .refs = {2, 0}, .wrefs = 8}, 0}, /* a first wait */
    {{.wseq = 5, .g1_start = 1, .refs = {0, 2}, .orig_size = 4, .wrefs = 8},
     1}, /* a signal later */
    {{.wseq = 10, .g1_start = 6, .refs = {2, 0}, .orig_size = 4, .wrefs = 8}, 0}, /* after four */
    {{.wseq = 9000, .g1_start = 8996, .refs = {2, 0}, .orig_size = 4, .wrefs = 9}, 0},
    /* Two wait and one has given up; another one was not woken yet. */
    {{21, 11, {2, 4}, {1, -1U}, 2 << 2, 3 << 3, {0}, {0}}, 0},
    {{21, 11, {2, 4}, {1, -1U}, 2 << 2, 3 << 3, {0}, {0}}, 1},
};

static struct new_cond newer(const struct old_cond *old)
{
    return (struct new_cond){
        .wseq = old->wseq,
        .g1_start = old->g1_start >> 1,
        .size = {old->size[0], old->size[1]},
        .orig_size = old->orig_size,
        .wrefs = old->wrefs,
    };
}

static void condition__of_any_glibc__is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(conds) / sizeof(conds[0]); i++) {
        struct old_cond old = conds[i].old;
        struct new_cond new = newer(&old);
        unsigned group = conds[i].group;
        assert_int_equal(object_of(REC_OP_COND_WAIT, &old.signals[group], FUTEX_WAIT_BITSET, 0),
                         (uint64_t)&old);
        assert_int_equal(object_of(REC_OP_COND_WAIT, &new.signals[group], FUTEX_WAIT_BITSET, 0),
                         (uint64_t) & new.wseq);
        new.before = 0x7f0012345678;
        assert_int_equal(object_of(REC_OP_COND_WAIT, &new.signals[group], FUTEX_WAIT_BITSET, 0),
                         (uint64_t) & new.wseq);
    }
}

static void memory__without_a_waiters_condition__has_none(void **state)
{
    (void)state;
    struct old_cond cond = {.wseq = 2, .g1_start = 0};
    assert_int_equal(object_of(REC_OP_COND_WAIT, &cond.signals[0], FUTEX_WAIT_BITSET, 0), 0);
    memset(&cond, 0x55, sizeof(cond));
    assert_int_equal(object_of(REC_OP_COND_WAIT, &cond.signals[0], FUTEX_WAIT_BITSET, 0), 0);
    assert_int_equal(object_of(REC_OP_COND_WAIT, (void *)64, FUTEX_WAIT_BITSET, 0), 0);
}

/* As at the start of a page: nothing before it can be read. */
static void condition__without_memory_before_it__is_found(void **state)
{
    (void)state;
    struct new_cond cond = newer(&conds[0].old);
    readable_from = (uint64_t)&cond.wseq;
    uint64_t object = object_of(REC_OP_COND_WAIT, &cond.signals[0], FUTEX_WAIT_BITSET, 0);
    readable_from = FIRST_PAGE;
    assert_int_equal(object, (uint64_t)&cond.wseq);
}

/* The first row is glibc's before 2.34; the others were woken, and wait for the mutex that the wait
 * gave up: a plain one, one that inherits priorities, a robust one. */
static void waits_in_a_condition__find__are_for_it_or_for_its_mutex(void **state)
{
    (void)state;
    static const struct {
        unsigned command;
        uint32_t expected;
        enum rec_op op;
    } rows[] = {
        {FUTEX_WAIT, 0, REC_OP_COND_WAIT},
        {FUTEX_WAIT_BITSET, 0, REC_OP_COND_WAIT},
        {FUTEX_WAIT_BITSET, 2, REC_OP_COND_WAIT},
        {FUTEX_WAIT, 2, REC_OP_MUTEX_LOCK},
        {FUTEX_LOCK_PI, 0, REC_OP_MUTEX_LOCK},
        {FUTEX_LOCK_PI2 | FUTEX_PRIVATE_FLAG, 0, REC_OP_MUTEX_LOCK},
        {FUTEX_WAIT, 77 | FUTEX_WAITERS, REC_OP_MUTEX_LOCK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct old_cond cond = conds[1].old;
        pthread_mutex_t mutex;
        struct thread_lock lock;
        bool for_mutex = rows[i].op == REC_OP_MUTEX_LOCK;
        uint64_t object = for_mutex ? (uint64_t)&mutex : (uint64_t)&cond;
        uint64_t word = for_mutex ? object : (uint64_t)&cond.signals[1];
        thread_lock_find(REC_OP_COND_WAIT, ARGS(word, rows[i].command, rows[i].expected), &own,
                         &lock);
        assert_int_equal(lock.op, rows[i].op);
        assert_int_equal(lock.object, object);
    }
}

static void held_locks__owner__is_who_holds_them(void **state)
{
    (void)state;
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    uint32_t owner;
    pthread_mutex_lock(&mutex);
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &own, &owner));
    assert_int_equal(owner, gettid());
    pthread_mutex_unlock(&mutex);
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &own, &owner));
    assert_int_equal(owner, 0);
    pthread_rwlock_wrlock(&rwlock);
    assert_true(thread_lock_owner(REC_OP_RWLOCK_RDLOCK, (uint64_t)&rwlock, &own, &owner));
    assert_int_equal(owner, gettid());
    pthread_rwlock_unlock(&rwlock);
    assert_false(thread_lock_owner(REC_OP_COND_WAIT, (uint64_t)&rwlock, &own, &owner));
    assert_false(thread_lock_owner(REC_OP_MUTEX_LOCK, 16, &own, &owner));
    mutex.__data.__owner = 4194304; /* the highest that the kernel gives away is one less */
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &own, &owner));
    mutex.__data.__owner = 732670891; /* overwritten */
    assert_false(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &own, &owner));
    rwlock.__data.__cur_writer = 732670891;
    assert_false(thread_lock_owner(REC_OP_RWLOCK_WRLOCK, (uint64_t)&rwlock, &own, &owner));
}

static uint32_t readers_of(const pthread_rwlock_t *rwlock)
{
    uint32_t readers = thread_lock_readers(REC_OP_RWLOCK_WRLOCK, (uint64_t)rwlock, &own);
    assert_int_equal(thread_lock_readers(REC_OP_RWLOCK_RDLOCK, (uint64_t)rwlock, &own), readers);
    return readers;
}

static void readers_of_a_rwlock__are_counted_while_they_hold_it(void **state)
{
    (void)state;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    assert_int_equal(readers_of(&rwlock), 0);
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_rdlock(&rwlock);
    assert_int_equal(readers_of(&rwlock), 2);
    rwlock.__data.__readers |= 2 | 4; /* a writer and a reader wait */
    assert_int_equal(readers_of(&rwlock), 2);
    rwlock.__data.__readers = 2 << 3 | 1 | 2; /* two wait for a writer */
    assert_int_equal(readers_of(&rwlock), 0);
    rwlock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    pthread_rwlock_wrlock(&rwlock);
    assert_int_equal(readers_of(&rwlock), 0);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_rdlock(&rwlock);
    assert_int_equal(thread_lock_readers(REC_OP_MUTEX_LOCK, (uint64_t)&rwlock, &own), 0);
    assert_int_equal(thread_lock_readers(REC_OP_RWLOCK_WRLOCK, 16, &own), 0);
}

static void *lock_and_end(void *mutex)
{
    pthread_mutex_lock(mutex);
    return NULL;
}

/* Until who has it says that all is well again, it has another mark than that thread's number. */
static void robust_mutex__whose_owner_died__is_of_who_holds_it_now(void **state)
{
    (void)state;
    pthread_mutexattr_t attributes;
    pthread_mutex_t mutex;
    pthread_t thread;
    uint32_t owner;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    assert_int_equal(pthread_create(&thread, NULL, lock_and_end, &mutex), 0);
    pthread_join(thread, NULL);
    assert_int_equal(pthread_mutex_lock(&mutex), EOWNERDEAD);
    uint32_t waited = (uint32_t)gettid() | FUTEX_WAITERS;
    assert_true(thread_lock_owner(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &own, &owner));
    assert_int_equal(owner, gettid());
    assert_true(thread_lock_is_mutex(ARGS((uint64_t)&mutex, FUTEX_WAIT, waited), &own));
    pthread_mutex_unlock(&mutex); /* it is of no use any more */
    pthread_mutex_destroy(&mutex);
}

static void locks__shared__are_those_that_other_processes_may_hold(void **state)
{
    (void)state;
    pthread_mutexattr_t of_mutex;
    pthread_rwlockattr_t of_rwlock;
    pthread_mutex_t own_mutex = PTHREAD_MUTEX_INITIALIZER, mutex;
    pthread_rwlock_t own_rwlock = PTHREAD_RWLOCK_INITIALIZER, rwlock;
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&mutex, &of_mutex);
    pthread_rwlockattr_init(&of_rwlock);
    pthread_rwlockattr_setpshared(&of_rwlock, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&rwlock, &of_rwlock);
    assert_false(thread_lock_is_shared(REC_OP_MUTEX_LOCK, (uint64_t)&own_mutex, &own));
    assert_true(thread_lock_is_shared(REC_OP_MUTEX_LOCK, (uint64_t)&mutex, &own));
    assert_false(thread_lock_is_shared(REC_OP_RWLOCK_WRLOCK, (uint64_t)&own_rwlock, &own));
    assert_true(thread_lock_is_shared(REC_OP_RWLOCK_RDLOCK, (uint64_t)&rwlock, &own));
    assert_true(thread_lock_is_shared(REC_OP_RWLOCK_WRLOCK, (uint64_t)&rwlock, &own));
    assert_false(thread_lock_is_shared(REC_OP_COND_WAIT, (uint64_t)&rwlock, &own));
    assert_false(thread_lock_is_shared(REC_OP_MUTEX_LOCK, 16, &own));
}

static void robust_and_inheriting_mutexes__are_known_by_their_words(void **state)
{
    (void)state;
    pthread_mutexattr_t attributes;
    pthread_mutex_t robust, inheriting, plain = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&inheriting, &attributes);
    pthread_mutexattr_destroy(&attributes);
    pthread_mutex_lock(&robust);
    pthread_mutex_lock(&inheriting);
    pthread_mutex_lock(&plain);
    uint32_t waited = (uint32_t)gettid() | FUTEX_WAITERS;
    assert_true(thread_lock_is_mutex(ARGS((uint64_t)&robust, FUTEX_WAIT, waited), &own));
    assert_false(thread_lock_is_mutex(ARGS((uint64_t)&robust, FUTEX_WAIT, waited + 1), &own));
    assert_true(thread_lock_is_mutex(ARGS((uint64_t)&inheriting, FUTEX_LOCK_PI, 0), &own));
    assert_false(thread_lock_is_mutex(ARGS((uint64_t)&plain, FUTEX_WAIT, waited), &own));
    assert_false(thread_lock_is_mutex(ARGS(16, FUTEX_LOCK_PI, 0), &own));
    /* The word of another kind of lock, all ones, before memory that looks like a robust mutex. */
    pthread_mutex_t other = robust;
    other.__data.__owner = FUTEX_TID_MASK;
    assert_false(thread_lock_is_mutex(ARGS((uint64_t)&other, FUTEX_WAIT, UINT32_MAX), &own));
    other.__data.__lock = -1;
    assert_false(thread_lock_is_mutex(ARGS((uint64_t)&other, FUTEX_LOCK_PI, 0), &own));
    pthread_mutex_unlock(&robust);
    pthread_mutex_unlock(&inheriting);
    pthread_mutex_unlock(&plain);
}

/* A descriptor is found by what it says of itself; the offset is that of our own id in it. */
static void descriptor__find__is_pthread_self(void **state)
{
    (void)state;
    uint64_t self = (uint64_t)pthread_self();
    uint32_t tid = (uint32_t)gettid();
    struct thread_layout layout = {0};
    unsigned char memory[2048];
    assert_true(thread_is_descriptor(self, &own));
    assert_false(thread_is_descriptor(self + 16, &own));
    assert_false(thread_is_descriptor(16, &own));
    memcpy(memory, (const void *)self, sizeof(memory) / 2);
    for (uint32_t at = 64; at < sizeof(memory) / 2 && layout.tid == 0; at += 4) {
        if (memcmp(memory + at, &tid, sizeof(tid)) == 0)
            layout.tid = at;
    }
    assert_int_not_equal(layout.tid, 0);
    memset(memory, 0x5a, sizeof(memory));
    memcpy(memory + 512, (const void *)self, 1024);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, sizeof(memory), tid),
                     self);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, sizeof(memory), tid + 1),
                     0);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 500, sizeof(memory), tid), 0);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, 600, tid), 0);
    assert_int_equal(thread_find_descriptor(&layout, memory, self - 512, 0, tid), 0);
}

/* The offset of the id is what the process says: it may be lower than that of the pointers. */
static void descriptor__find__reads_nothing_behind_the_memory(void **state)
{
    (void)state;
    const struct thread_layout layout = {.tid = 8};
    const uint64_t address = 64 * FIRST_PAGE;
    const uint32_t tid = 77;
    const uint64_t descriptor[] = {address, tid, address};
    assert_int_equal(thread_find_descriptor(&layout, descriptor, address, sizeof(descriptor), tid),
                     address);
    for (size_t bytes = 0; bytes < sizeof(descriptor); bytes++)
        assert_int_equal(thread_find_descriptor(&layout, descriptor, address, bytes, tid), 0);
}

/* ---- the list of threads ---- */

struct link {
    struct link *next, *previous;
};

/* A descriptor as thread_list.c sees it. */
struct descriptor {
    _Alignas(64) uint64_t self;
    uint64_t vector, self_again;
    uint64_t start_routine;
    struct link link;
    uint32_t tid;
    int state;
};

static const struct thread_list_layout *layout_of(const struct link *head)
{
    static struct thread_list_layout layout;
    layout = (struct thread_list_layout){
        .heads = {(uint64_t)head},
        .list = offsetof(struct descriptor, link),
        .tid = offsetof(struct descriptor, tid),
        .cancelhandling = offsetof(struct descriptor, state),
        .start_routine = offsetof(struct descriptor, start_routine),
    };
    return &layout;
}

static void threads_on_the_list__read__are_those_that_began(void **state)
{
    (void)state;
    static struct descriptor threads[3];
    struct link head = {&threads[0].link, &threads[2].link};
    for (size_t i = 0; i < 3; i++) {
        threads[i].self = threads[i].self_again = (uint64_t)&threads[i];
        threads[i].start_routine = 100 + i;
        threads[i].link.next = i < 2 ? &threads[i + 1].link : &head;
    }
    threads[0].tid = 77;
    threads[1].state = 0;    /* being made */
    threads[2].state = 0x10; /* has ended */
    struct listed_thread *list;
    assert_int_equal(thread_list_read(layout_of(&head), &own, &list), 2);
    assert_int_equal(list[0].descriptor, (uint64_t)&threads[0]);
    assert_int_equal(list[0].tid, 77);
    assert_int_equal(list[1].descriptor, (uint64_t)&threads[2]);
    assert_int_equal(list[1].tid, 0);
    assert_int_equal(list[1].start_routine, 102);
    free(list);

    threads[1].self_again++; /* no descriptor: the list is changing, or it is none */
    assert_int_equal(thread_list_read(layout_of(&head), &own, &list), 0);
    assert_null(list);
    threads[1].self_again--;
    threads[1].link.next = (struct link *)16;
    assert_int_equal(thread_list_read(layout_of(&head), &own, &list), 0);
    assert_null(list);
    threads[1].link.next = &threads[0].link; /* round and round */
    assert_int_equal(thread_list_read(layout_of(&head), &own, &list), 0);
    assert_null(list);
    assert_int_equal(thread_list_read(layout_of(NULL), &own, &list), 0);
    assert_null(list);
}

/* ---- names of a file ---- */

static void own_program__names__are_found_both_ways(void **state)
{
    (void)state;
    struct debug_names *names = debug_names_open("/proc/self/exe");
    uint64_t address, start;
    assert_non_null(names);
    assert_true(debug_names_find(names, "main", &address));
    assert_string_equal(debug_names_function(names, address, &start), "main");
    assert_int_equal(start, address);
    assert_string_equal(debug_names_function(names, address + 1, &start), "main");
    assert_true(debug_names_begin(names, address + 1, &start));
    assert_int_equal(start, address);
    assert_false(debug_names_begin(names, 0, &start));
    size_t count = 0;
    uint64_t bytes;
    for (size_t at = 0; debug_names_next(names, &at, &start, &bytes) != NULL; count++)
        assert_int_not_equal(start, 0);
    assert_true(count > 10);
    assert_false(debug_names_find(names, "no_such_function", &address));
    assert_null(debug_names_function(names, UINT64_MAX, &start));
    assert_null(debug_names_function(names, 0, &start));
    debug_names_close(names);
    assert_null(debug_names_open("/no/such/file"));
    assert_null(debug_names_open("/dev/null"));
    assert_null(debug_names_open("/etc/passwd"));
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
        cmocka_unit_test(futex_words__find__are_parts_of_their_objects),
        cmocka_unit_test(condition__of_any_glibc__is_found),
        cmocka_unit_test(memory__without_a_waiters_condition__has_none),
        cmocka_unit_test(condition__without_memory_before_it__is_found),
        cmocka_unit_test(waits_in_a_condition__find__are_for_it_or_for_its_mutex),
        cmocka_unit_test(held_locks__owner__is_who_holds_them),
        cmocka_unit_test(readers_of_a_rwlock__are_counted_while_they_hold_it),
        cmocka_unit_test(robust_mutex__whose_owner_died__is_of_who_holds_it_now),
        cmocka_unit_test(locks__shared__are_those_that_other_processes_may_hold),
        cmocka_unit_test(robust_and_inheriting_mutexes__are_known_by_their_words),
        cmocka_unit_test(descriptor__find__is_pthread_self),
        cmocka_unit_test(descriptor__find__reads_nothing_behind_the_memory),
        cmocka_unit_test(threads_on_the_list__read__are_those_that_began),
        cmocka_unit_test(own_program__names__are_found_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
