/* Tasks: beginning, ending, joining, and what happens outside of them. */
#include "in_task.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static void nothing(void *arg)
{
    (void)arg;
}

static void set_one(void *arg)
{
    *(int *)arg = 1;
}

static void run_first(void *arg)
{
    *(int *)arg = 7;
    expect_int(taskrt_self() != NULL, 1);
    expect_int(taskrt_run(nothing, NULL), -EBUSY);
}

static void first_task__runs_and_returns(void **state)
{
    (void)state;
    int value = 0;
    in_task(run_first, &value);
    assert_int_equal(value, 7);
    assert_null(taskrt_self());
    assert_int_equal(taskrt_run(NULL, NULL), -EINVAL);
}

static void spawn_and_join(void *arg)
{
    (void)arg;
    int value = 0;
    join(spawn(set_one, &value));
    expect_int(value, 1);
    expect_int(taskrt_spawn(NULL, NULL, NULL, NULL), -EINVAL);
    expect_int(taskrt_join(NULL, TASKRT_NEVER), -EINVAL);
    expect_int(taskrt_detach(NULL), -EINVAL);
}

static void spawned_task__is_joined(void **state)
{
    (void)state;
    in_task(spawn_and_join, NULL);
    in_task_on(1, spawn_and_join, NULL, 0);
    in_task_on(5, spawn_and_join, NULL, 0);
}

static void wait_for_send(void *arg)
{
    taskrt_receive(arg, NULL);
}

static void join_forms(void *arg)
{
    (void)arg;
    struct taskrt_chan *chan = taskrt_chan_create(0, 0);
    struct taskrt_task *task = spawn(wait_for_send, chan);
    expect_int(taskrt_join(task, 0), -EAGAIN);
    expect_int(taskrt_join(task, 1), -ETIMEDOUT);
    expect_int(taskrt_join(task, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_send(chan, NULL), 0);
    join(task);
    expect_int(taskrt_chan_destroy(chan), 0);
    expect_int(taskrt_join(task, TASKRT_NEVER), -EINVAL);
    expect_int(taskrt_detach(task), -EINVAL);
    expect_int(taskrt_join(taskrt_self(), TASKRT_NEVER), -EDEADLK);
}

static void join__with_deadline_or_twice(void **state)
{
    (void)state;
    in_task(join_forms, NULL);
}

static void join_arg(void *arg)
{
    join(arg);
}

static void two_joiners(void *arg)
{
    (void)arg;
    struct taskrt_chan *chan = taskrt_chan_create(0, 0);
    struct taskrt_task *joined = spawn(wait_for_send, chan);
    struct taskrt_task *joiner = spawn(join_arg, joined);
    await_parked(joiner, TASKRT_REASON_JOIN);
    expect_int(taskrt_join(joined, TASKRT_NEVER), -EINVAL);
    expect_int(taskrt_detach(joined), -EINVAL);
    expect_int(taskrt_send(chan, NULL), 0);
    join(joiner);
    expect_int(taskrt_chan_destroy(chan), 0);
}

static void joined_task__second_joiner__invalid(void **state)
{
    (void)state;
    in_task(two_joiners, NULL);
}

static void wait_for_ended(struct taskrt_task *task)
{
    while (task_half(task, taskrt_inspect.state) != TASKRT_STATE_ENDED)
        taskrt_yield();
}

static void detach_both_ways(void *arg)
{
    (void)arg;
    struct taskrt_chan *chan = taskrt_chan_create(0, 0);
    struct taskrt_task *task = spawn(wait_for_send, chan);
    expect_int(taskrt_detach(task), 0);
    expect_int(taskrt_detach(task), -EINVAL);
    expect_int(taskrt_join(task, 0), -EINVAL);
    expect_int(taskrt_send(chan, NULL), 0);
    expect_int(taskrt_chan_destroy(chan), 0);
    task = spawn(nothing, NULL);
    wait_for_ended(task);
    expect_int(taskrt_detach(task), 0);
    expect_int(task_half(task, taskrt_inspect.state), TASKRT_STATE_FREE);
}

static void detach__before_and_after_the_end(void **state)
{
    (void)state;
    in_task(detach_both_ways, NULL);
}

static void names(void *arg)
{
    (void)arg;
    struct taskrt_options options = {.name = "0123456789012345678901234567890123456789",
                                     .stack_bytes = 100};
    struct taskrt_task *task = NULL;
    expect_int(taskrt_spawn(&options, nothing, NULL, &task), 0);
    expect_int(strcmp(taskrt_name(task), "0123456789012345678901234567890"), 0);
    expect_int(task_word(task, taskrt_inspect.stack_high) -
                   task_word(task, taskrt_inspect.stack_low),
               16384);
    join(task);
    expect_int(strcmp(taskrt_name(taskrt_self()), ""), 0);
    expect_int(taskrt_name(NULL) == NULL, 1);
    options.stack_bytes = SIZE_MAX / 2;
    expect_int(taskrt_spawn(&options, nothing, NULL, &task), -ENOMEM);
}

static void options__name_is_cut_and_stack_rounded(void **state)
{
    (void)state;
    in_task(names, NULL);
}

struct turns {
    int order[6];
    _Atomic int count;
};

static void three_turns(void *arg)
{
    struct turns *turns = ((void **)arg)[0];
    for (int i = 0; i < 3; i++) {
        turns->order[turns->count++] = (int)(intptr_t)((void **)arg)[1];
        taskrt_yield();
    }
}

static void two_take_turns(void *arg)
{
    void *a[] = {arg, (void *)1};
    void *b[] = {arg, (void *)2};
    struct taskrt_task *one = spawn(three_turns, a);
    struct taskrt_task *two = spawn(three_turns, b);
    join(one);
    join(two);
}

static void yield__lets_the_other_run(void **state)
{
    (void)state;
    struct turns turns = {.count = 0};
    in_task_on(1, two_take_turns, &turns, 0);
    for (int i = 0; i + 1 < 6; i++)
        assert_int_equal(turns.order[i] + turns.order[i + 1], 3);
}

static void sleep_some(void *arg)
{
    (void)arg;
    int64_t before_ns = taskrt_now_ns();
    expect_int(taskrt_sleep(5 * TASKRT_MS), 0);
    expect_int(taskrt_now_ns() - before_ns >= 5 * TASKRT_MS, 1);
    expect_int(taskrt_sleep(0), 0);
    expect_int(taskrt_sleep(-1), 0);
}

static void sleep__lasts_as_long_as_asked(void **state)
{
    (void)state;
    in_task(sleep_some, NULL);
    in_task_on(1, sleep_some, NULL, 0);
}

struct sleeps {
    int64_t deadlines_ns[8]; /* in the order of their ends */
    int count;
};

struct sleeper {
    struct sleeps *sleeps;
    int number;
};

/* The deadline, which stays until its next wait, is later than that of one with a higher number
 * where it was long in getting here. */
static void sleep_in_order(void *arg)
{
    struct sleeper *sleeper = arg;
    struct sleeps *sleeps = sleeper->sleeps;
    int64_t duration_ns = (10 + sleeper->number * 10) * TASKRT_MS;
    int64_t before_ns = taskrt_now_ns();
    taskrt_sleep(duration_ns);
    int64_t deadline_ns = (int64_t)task_word(taskrt_self(), taskrt_inspect.deadline_ns);
    expect_int(deadline_ns >= before_ns + duration_ns, 1);
    expect_int(deadline_ns <= taskrt_now_ns(), 1);
    sleeps->deadlines_ns[sleeps->count++] = deadline_ns;
}

static void sleepers(void *arg)
{
    static const int numbers[] = {5, 2, 7, 0, 3, 6, 1, 4};
    struct sleeper all[8];
    struct taskrt_task *tasks[8];
    for (int i = 0; i < 8; i++) {
        all[i] = (struct sleeper){arg, numbers[i]};
        tasks[i] = spawn(sleep_in_order, &all[i]);
    }
    for (int i = 0; i < 8; i++)
        join(tasks[i]);
}

static void sleeps__end_in_the_order_of_their_deadlines(void **state)
{
    (void)state;
    struct sleeps sleeps = {.count = 0};
    in_task_on(1, sleepers, &sleeps, 0);
    assert_int_equal(sleeps.count, 8);
    for (int i = 1; i < 8; i++)
        assert_true(sleeps.deadlines_ns[i - 1] <= sleeps.deadlines_ns[i]);
}

static void never_ends(void *arg)
{
    (void)arg;
    for (;;)
        taskrt_sleep(TASKRT_MS);
}

static void leave_others_behind(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        expect_int(taskrt_spawn(NULL, never_ends, NULL, NULL), 0);
    taskrt_sleep(3 * TASKRT_MS);
}

static void run__abandons_what_is_left__and_runs_again(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        in_task(leave_others_behind, NULL);
        assert_int_equal(taskrt_inspect.live, 0);
    }
}

static void outside__every_function_refuses(void **state)
{
    (void)state;
    struct taskrt_task *task;
    struct taskrt_mutex mutex = {{0}};
    struct taskrt_cond cond = {{0}};
    struct taskrt_waitgroup group = {{0}};
    int value = 0;
    struct taskrt_chan *chan = taskrt_chan_create(sizeof value, 1);
    assert_non_null(chan);
    assert_int_equal(taskrt_spawn(NULL, nothing, NULL, &task), -EPERM);
    assert_int_equal(taskrt_join(NULL, 0), -EPERM);
    assert_int_equal(taskrt_detach(NULL), -EPERM);
    taskrt_yield();
    errno = ENOTTY;
    assert_int_equal(taskrt_errno(), ENOTTY);
    assert_int_equal(taskrt_sleep(1), -EPERM);
    assert_int_equal(taskrt_send(chan, &value), -EPERM);
    assert_int_equal(taskrt_receive(chan, &value), -EPERM);
    assert_int_equal(taskrt_try_send(chan, &value), -EPERM);
    assert_int_equal(taskrt_try_receive(chan, &value), -EPERM);
    assert_int_equal(taskrt_send_until(chan, &value, 1), -EPERM);
    assert_int_equal(taskrt_receive_until(chan, &value, 1), -EPERM);
    assert_int_equal(taskrt_chan_close(chan), -EPERM);
    assert_int_equal(taskrt_select(NULL, 0, 0), -EPERM);
    assert_int_equal(taskrt_mutex_lock(&mutex), -EPERM);
    assert_int_equal(taskrt_mutex_lock_until(&mutex, 1), -EPERM);
    assert_int_equal(taskrt_mutex_unlock(&mutex), -EPERM);
    assert_int_equal(taskrt_cond_wait(&cond, &mutex), -EPERM);
    assert_int_equal(taskrt_cond_wait_until(&cond, &mutex, 1), -EPERM);
    assert_int_equal(taskrt_cond_signal(&cond), -EPERM);
    assert_int_equal(taskrt_cond_broadcast(&cond), -EPERM);
    assert_int_equal(taskrt_waitgroup_add(&group, 1), -EPERM);
    assert_int_equal(taskrt_waitgroup_done(&group), -EPERM);
    assert_int_equal(taskrt_waitgroup_wait(&group), -EPERM);
    assert_int_equal(taskrt_waitgroup_wait_until(&group, 1), -EPERM);
    assert_int_equal(taskrt_wait_fd(0, 1, 0), -EPERM);
    assert_int_equal(taskrt_fd_close(0), -EPERM);
    assert_int_equal(taskrt_chan_destroy(chan), 0);
}

static void *run_elsewhere(void *arg)
{
    *(int *)arg = taskrt_run(nothing, NULL);
    return NULL;
}

static void run_twice_at_once(void *arg)
{
    pthread_t thread;
    expect_int(pthread_create(&thread, NULL, run_elsewhere, arg), 0);
    pthread_join(thread, NULL);
}

static void second_runtime__busy(void **state)
{
    (void)state;
    int result = 0;
    in_task(run_twice_at_once, &result);
    assert_int_equal(result, -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_task__runs_and_returns),
        cmocka_unit_test(spawned_task__is_joined),
        cmocka_unit_test(join__with_deadline_or_twice),
        cmocka_unit_test(joined_task__second_joiner__invalid),
        cmocka_unit_test(detach__before_and_after_the_end),
        cmocka_unit_test(options__name_is_cut_and_stack_rounded),
        cmocka_unit_test(yield__lets_the_other_run),
        cmocka_unit_test(sleep__lasts_as_long_as_asked),
        cmocka_unit_test(sleeps__end_in_the_order_of_their_deadlines),
        cmocka_unit_test(run__abandons_what_is_left__and_runs_again),
        cmocka_unit_test(outside__every_function_refuses),
        cmocka_unit_test(second_runtime__busy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
