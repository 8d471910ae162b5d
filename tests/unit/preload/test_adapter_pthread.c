/* Who holds a lock, as glibc has it; which descriptors a poll or select waits for. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "preload/adapter.h"
#include "preload/polled.h"
#include "tests/unit/preload/recording_here.h"

static struct wait_detail ask(enum rec_op op, const void *object)
{
    const struct rec_task task = {.object = (uint64_t)object};
    struct wait_detail detail = {0};
    adapter_pthread.describe(&task, op, &detail);
    return detail;
}

static void assert_owner(enum rec_op op, const void *object, uint32_t owner)
{
    struct wait_detail detail = ask(op, object);
    assert_int_equal(detail.flags, REC_DETAIL_OWNER);
    assert_int_equal(detail.a, owner);
    assert_int_equal(detail.case_count, 0);
}

static uint32_t own_tid(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

static void mutex__locked_and_unlocked__says_who_holds_it(void **state)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    (void)state;
    assert_owner(REC_OP_MUTEX_LOCK, &mutex, 0);
    pthread_mutex_lock(&mutex);
    assert_owner(REC_OP_MUTEX_LOCK, &mutex, own_tid());
    pthread_mutex_unlock(&mutex);
    assert_owner(REC_OP_MUTEX_LOCK, &mutex, 0);
}

static void c11_mutex__locked__says_who_holds_it(void **state)
{
    mtx_t mutex;
    (void)state;
    assert_int_equal(mtx_init(&mutex, mtx_plain), thrd_success);
    mtx_lock(&mutex);
    assert_owner(REC_OP_MUTEX_LOCK, &mutex, own_tid());
    mtx_unlock(&mutex);
    mtx_destroy(&mutex);
}

static void rwlock__written_and_read__says_who_writes(void **state)
{
    pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
    (void)state;
    pthread_rwlock_wrlock(&lock);
    assert_owner(REC_OP_RWLOCK_RDLOCK, &lock, own_tid());
    assert_owner(REC_OP_RWLOCK_WRLOCK, &lock, own_tid());
    pthread_rwlock_unlock(&lock);
    pthread_rwlock_rdlock(&lock);
    assert_owner(REC_OP_RWLOCK_WRLOCK, &lock, 0); /* readers have no names */
    pthread_rwlock_unlock(&lock);
}

static void rwlock__read_and_written__says_how_often_it_is_read(void **state)
{
    pthread_rwlockattr_t of_shared;
    pthread_rwlock_t locks[2];
    (void)state;
    pthread_rwlockattr_init(&of_shared);
    pthread_rwlockattr_setpshared(&of_shared, PTHREAD_PROCESS_SHARED);
    for (int shared = 0; shared < 2; shared++) {
        pthread_rwlock_t *lock = &locks[shared];
        pthread_rwlock_init(lock, shared ? &of_shared : NULL);
        for (uint32_t readers = 0; readers < 3; readers++) {
            assert_int_equal(ask(REC_OP_RWLOCK_WRLOCK, lock).b, readers);
            assert_int_equal(ask(REC_OP_RWLOCK_RDLOCK, lock).b, readers);
            assert_int_equal(pthread_rwlock_rdlock(lock), 0);
        }
        for (uint32_t readers = 3; readers > 0; readers--) {
            assert_int_equal(ask(REC_OP_RWLOCK_WRLOCK, lock).b, readers);
            pthread_rwlock_unlock(lock);
        }
        pthread_rwlock_wrlock(lock);
        assert_int_equal(ask(REC_OP_RWLOCK_RDLOCK, lock).b, 0);
        pthread_rwlock_unlock(lock);
    }
}

/* In its own PID namespace, a holder in another process may have the id of a thread of ours. */
static void lock__that_processes_share__says_nothing(void **state)
{
    pthread_mutexattr_t of_mutex;
    pthread_rwlockattr_t of_rwlock;
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    (void)state;
    pthread_mutexattr_init(&of_mutex);
    pthread_mutexattr_setpshared(&of_mutex, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&mutex, &of_mutex);
    pthread_rwlockattr_init(&of_rwlock);
    pthread_rwlockattr_setpshared(&of_rwlock, PTHREAD_PROCESS_SHARED);
    pthread_rwlock_init(&rwlock, &of_rwlock);
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&rwlock);
    assert_int_equal(ask(REC_OP_MUTEX_LOCK, &mutex).flags, 0);
    assert_int_equal(ask(REC_OP_RWLOCK_RDLOCK, &rwlock).flags, 0);
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_unlock(&mutex);
}

static void object__that_is_gone_or_has_no_owner__says_nothing(void **state)
{
    int object = 0;
    (void)state;
    assert_int_equal(ask(REC_OP_MUTEX_LOCK, NULL).flags, 0);
    assert_int_equal(ask(REC_OP_RWLOCK_WRLOCK, (void *)8).flags, 0);
    assert_int_equal(ask(REC_OP_COND_WAIT, &object).flags, 0);
    assert_int_equal(ask(REC_OP_SLEEP, &object).flags, 0);
}

static struct wait_detail ask_polled(uint64_t polled)
{
    const struct rec_task task = {.object = polled, .wait_flags = REC_WAIT_FDS | REC_WAIT_ASIDE};
    struct wait_detail detail = {0};
    adapter_pthread.describe(&task, REC_OP_IO_WAIT, &detail);
    return detail;
}

static void poll__says_the_first_descriptor_and_how_many(void **state)
{
    struct pollfd fds[] = {{.fd = 7}, {.fd = 3}};
    (void)state;
    struct wait_detail detail = ask_polled(POLLED_FDS(fds, 2));
    assert_int_equal(detail.flags, REC_DETAIL_FDS);
    assert_int_equal(detail.a, 7);
    assert_int_equal(detail.b, 2);
    fds[0].fd = -1; /* the kernel leaves it out */
    detail = ask_polled(POLLED_FDS(fds, 2));
    assert_int_equal(detail.flags, REC_DETAIL_FDS);
    assert_int_equal(detail.a, 3);
    assert_int_equal(detail.b, 1);
    fds[1].fd = -1;
    assert_int_equal(ask_polled(POLLED_FDS(fds, 2)).flags, 0);
}

static void select__says_the_first_descriptor_and_how_many(void **state)
{
    fd_set in, out;
    (void)state;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(9, &in);
    FD_SET(70, &in);
    FD_SET(5, &out);
    struct wait_detail detail = ask_polled(POLLED_SETS(71, &in, &out, NULL));
    assert_int_equal(detail.flags, REC_DETAIL_FDS);
    assert_int_equal(detail.a, 5);
    assert_int_equal(detail.b, 3);
    assert_int_equal(ask_polled(POLLED_SETS(9, &in, NULL, NULL)).flags, 0);
}

static void polled__nothing_or_what_cannot_be_read__says_nothing(void **state)
{
    (void)state;
    assert_int_equal(ask_polled(POLLED_FDS(NULL, 0)).flags, 0);
    assert_int_equal(ask_polled(POLLED_FDS((void *)8, 3)).flags, 0);
    assert_int_equal(ask_polled(POLLED_SETS(64, (void *)8, NULL, (void *)16)).flags, 0);
    assert_int_equal(ask_polled(8).flags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex__locked_and_unlocked__says_who_holds_it),
        cmocka_unit_test(c11_mutex__locked__says_who_holds_it),
        cmocka_unit_test(rwlock__written_and_read__says_who_writes),
        cmocka_unit_test(rwlock__read_and_written__says_how_often_it_is_read),
        cmocka_unit_test(lock__that_processes_share__says_nothing),
        cmocka_unit_test(object__that_is_gone_or_has_no_owner__says_nothing),
        cmocka_unit_test(poll__says_the_first_descriptor_and_how_many),
        cmocka_unit_test(select__says_the_first_descriptor_and_how_many),
        cmocka_unit_test(polled__nothing_or_what_cannot_be_read__says_nothing),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
