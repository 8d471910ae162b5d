/* Mutex, condition, wait group. */
#include "in_task.h"

#include <errno.h>

struct shared {
    struct taskrt_mutex mutex;
    struct taskrt_cond cond;
    struct taskrt_waitgroup group;
    int64_t value; /* not atomic: the mutex protects it */
    int order[4];
    int count;
};

static void lock_and_note(void *arg)
{
    struct shared *shared = ((void **)arg)[0];
    expect_int(taskrt_mutex_lock(&shared->mutex), 0);
    shared->order[shared->count++] = (int)(intptr_t)((void **)arg)[1];
    expect_int(taskrt_mutex_unlock(&shared->mutex), 0);
}

static void hand_over(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_mutex_unlock(&shared->mutex), -EPERM);
    expect_int(taskrt_mutex_lock(&shared->mutex), 0);
    expect_int(taskrt_mutex_lock(&shared->mutex), -EDEADLK);
    void *args[4][2];
    struct taskrt_task *tasks[4];
    for (int i = 0; i < 4; i++) {
        args[i][0] = shared;
        args[i][1] = (void *)(intptr_t)i;
        tasks[i] = spawn(lock_and_note, args[i]);
        await_parked(tasks[i], TASKRT_REASON_MUTEX);
    }
    expect_int(*(uintptr_t *)((char *)&shared->mutex + taskrt_inspect.mutex_owner),
               (uintptr_t)taskrt_self());
    expect_int(taskrt_mutex_unlock(&shared->mutex), 0);
    expect_int(taskrt_mutex_unlock(&shared->mutex), -EPERM); /* it belongs to the first now */
    for (int i = 0; i < 4; i++)
        join(tasks[i]);
}

static void mutex__is_handed_over_in_order(void **state)
{
    (void)state;
    struct shared shared = {.count = 0};
    in_task(hand_over, &shared);
    for (int i = 0; i < 4; i++)
        assert_int_equal(shared.order[i], i);
}

static void lock_until(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_mutex_lock_until(&shared->mutex, 0), -EAGAIN);
    expect_int(taskrt_mutex_lock_until(&shared->mutex, 1), -ETIMEDOUT);
    expect_int(taskrt_mutex_lock_until(&shared->mutex, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
}

static void mutex_deadlines(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_mutex_lock_until(&shared->mutex, 0), 0);
    join(spawn(lock_until, shared));
    expect_int(taskrt_mutex_unlock(&shared->mutex), 0);
}

static void taken_mutex__lock_until__times_out(void **state)
{
    (void)state;
    struct shared shared = {.count = 0};
    in_task(mutex_deadlines, &shared);
}

static void lock_and_end(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_mutex_lock(&shared->mutex), 0);
}

static void use_as_other(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_mutex_unlock(&shared->mutex), -EPERM);
    expect_int(taskrt_cond_wait(&shared->cond, &shared->mutex), -EPERM);
    lock_until(shared);
}

/* The same memory, as that of a task that ended is the first to be used again. */
static void end_with_mutex(void *arg)
{
    struct taskrt_task *first = spawn(lock_and_end, arg);
    join(first);
    struct taskrt_task *second = spawn(use_as_other, arg);
    expect_int((uintptr_t)second, (uintptr_t)first);
    join(second);
}

static void mutex_of_ended_task__is_not_of_the_next_in_its_memory(void **state)
{
    (void)state;
    struct shared shared = {.count = 0};
    in_task_on(1, end_with_mutex, &shared, 0);
}

static void count_up(void *arg)
{
    struct shared *shared = arg;
    for (int i = 0; i < 5000; i++) {
        expect_int(taskrt_mutex_lock(&shared->mutex), 0);
        shared->value++;
        if (i % 64 == 0)
            taskrt_yield();
        expect_int(taskrt_mutex_unlock(&shared->mutex), 0);
    }
    taskrt_waitgroup_done(&shared->group);
}

static void contend(void *arg)
{
    struct shared *shared = arg;
    taskrt_waitgroup_add(&shared->group, 8);
    for (int i = 0; i < 8; i++)
        expect_int(taskrt_spawn(NULL, count_up, shared, NULL), 0);
    expect_int(taskrt_waitgroup_wait(&shared->group), 0);
}

static void mutex__excludes(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        struct shared shared = {.count = 0};
        in_task_on(threads, contend, &shared, 0);
        assert_int_equal(shared.value, 40000);
    }
}

static void wait_for_value(void *arg)
{
    struct shared *shared = arg;
    taskrt_mutex_lock(&shared->mutex);
    while (shared->value == 0)
        expect_int(taskrt_cond_wait(&shared->cond, &shared->mutex), 0);
    shared->value--;
    expect_int(taskrt_mutex_unlock(&shared->mutex), 0);
}

static void cond_forms(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_cond_wait(&shared->cond, &shared->mutex), -EPERM);
    expect_int(taskrt_cond_signal(&shared->cond), 0);
    taskrt_mutex_lock(&shared->mutex);
    expect_int(taskrt_cond_wait_until(&shared->cond, &shared->mutex, 0), -EAGAIN);
    expect_int(taskrt_cond_wait_until(&shared->cond, &shared->mutex, 1), -ETIMEDOUT);
    expect_int(taskrt_cond_wait_until(&shared->cond, &shared->mutex, taskrt_now_ns() + TASKRT_MS),
               -ETIMEDOUT);
    expect_int(taskrt_mutex_unlock(&shared->mutex), 0); /* it was locked again */

    struct taskrt_task *tasks[4];
    for (int i = 0; i < 4; i++) {
        tasks[i] = spawn(wait_for_value, shared);
        await_parked(tasks[i], TASKRT_REASON_COND);
    }
    taskrt_mutex_lock(&shared->mutex);
    shared->value = 1;
    taskrt_mutex_unlock(&shared->mutex);
    expect_int(taskrt_cond_signal(&shared->cond), 0);
    join(tasks[0]); /* the one that waits longest */
    for (int i = 1; i < 4; i++)
        expect_int(task_half(tasks[i], taskrt_inspect.state), TASKRT_STATE_PARKED);
    taskrt_mutex_lock(&shared->mutex);
    shared->value = 3;
    taskrt_mutex_unlock(&shared->mutex);
    expect_int(taskrt_cond_broadcast(&shared->cond), 0);
    for (int i = 1; i < 4; i++)
        join(tasks[i]);
}

static void cond__signal_wakes_one__broadcast_all(void **state)
{
    (void)state;
    struct shared shared = {.count = 0};
    in_task(cond_forms, &shared);
    assert_int_equal(shared.value, 0);
}

static void wait_group(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_waitgroup_wait(&shared->group), 0);
}

static void group_forms(void *arg)
{
    struct shared *shared = arg;
    expect_int(taskrt_waitgroup_wait(&shared->group), 0);
    expect_int(taskrt_waitgroup_done(&shared->group), -EINVAL);
    expect_int(taskrt_waitgroup_add(&shared->group, -1), -EINVAL);
    expect_int(taskrt_waitgroup_add(&shared->group, 1), 0);
    expect_int(taskrt_waitgroup_add(&shared->group, INT64_MAX), -EINVAL);
    expect_int(taskrt_waitgroup_wait_until(&shared->group, 0), -EAGAIN);
    expect_int(taskrt_waitgroup_wait_until(&shared->group, 1), -ETIMEDOUT);
    expect_int(taskrt_waitgroup_wait_until(&shared->group, taskrt_now_ns() + TASKRT_MS),
               -ETIMEDOUT);
    struct taskrt_task *tasks[3];
    for (int i = 0; i < 3; i++) {
        tasks[i] = spawn(wait_group, shared);
        await_parked(tasks[i], TASKRT_REASON_WAITGROUP);
    }
    expect_int(taskrt_waitgroup_done(&shared->group), 0);
    for (int i = 0; i < 3; i++)
        join(tasks[i]);
}

static void waitgroup__counts_and_wakes_all(void **state)
{
    (void)state;
    struct shared shared = {.count = 0};
    in_task(group_forms, &shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex__is_handed_over_in_order),
        cmocka_unit_test(taken_mutex__lock_until__times_out),
        cmocka_unit_test(mutex_of_ended_task__is_not_of_the_next_in_its_memory),
        cmocka_unit_test(mutex__excludes),
        cmocka_unit_test(cond__signal_wakes_one__broadcast_all),
        cmocka_unit_test(waitgroup__counts_and_wakes_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
