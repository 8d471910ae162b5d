/* Who holds a lock, as glibc has it. */
#include <pthread.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "preload/adapter.h"
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
    assert_owner(REC_OP_RWLOCK_WRLOCK, &lock, 0); /* readers are not told */
    pthread_rwlock_unlock(&lock);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex__locked_and_unlocked__says_who_holds_it),
        cmocka_unit_test(c11_mutex__locked__says_who_holds_it),
        cmocka_unit_test(rwlock__written_and_read__says_who_writes),
        cmocka_unit_test(object__that_is_gone_or_has_no_owner__says_nothing),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
