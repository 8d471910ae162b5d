/* -EDEADLK: said when every task is parked and nothing can wake one, and only then. */
#include "in_task.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static void receive_for_ever(void *arg)
{
    taskrt_receive(arg, NULL);
    expect_int(0, 1); /* not reached */
}

struct stuck {
    int count;
    struct taskrt_chan *chans[5];
};

static void all_receive(void *arg)
{
    struct stuck *stuck = arg;
    for (int i = 0; i < stuck->count; i++) {
        stuck->chans[i] = taskrt_chan_create(1, 0);
        expect_int(taskrt_spawn(NULL, receive_for_ever, stuck->chans[i], NULL), 0);
    }
    taskrt_select(NULL, 0, TASKRT_NEVER);
    expect_int(0, 1); /* not reached */
}

static void everybody_parked__run_returns_edeadlk(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct stuck stuck = {.count = round % 5};
        in_task_on(1 + round % 4, all_receive, &stuck, -EDEADLK);
        for (int i = 0; i < stuck.count; i++)
            assert_int_equal(taskrt_chan_destroy(stuck.chans[i]), 0);
    }
}

static void lock_twice(void *arg)
{
    struct taskrt_mutex *pair = arg;
    taskrt_mutex_lock(&pair[1]);
    taskrt_yield();
    taskrt_mutex_lock(&pair[0]);
}

static void lock_in_both_orders(void *arg)
{
    struct taskrt_mutex *pair = arg;
    taskrt_mutex_lock(&pair[0]);
    struct taskrt_task *task = spawn(lock_twice, pair);
    await_parked(task, TASKRT_REASON_MUTEX);
    taskrt_mutex_lock(&pair[1]);
    expect_int(0, 1); /* not reached */
}

static void lock_order__edeadlk(void **state)
{
    (void)state;
    struct taskrt_mutex pair[2] = {{{0}}, {{0}}};
    in_task_on(2, lock_in_both_orders, pair, -EDEADLK);
}

static void join_each_other(void *arg)
{
    taskrt_join(arg, TASKRT_NEVER);
}

static void join_a_joiner(void *arg)
{
    (void)arg;
    join(spawn(join_each_other, taskrt_self()));
}

static void join_cycle__edeadlk(void **state)
{
    (void)state;
    in_task_on(2, join_a_joiner, NULL, -EDEADLK);
}

static void sleep_then_send(void *arg)
{
    taskrt_sleep(5 * TASKRT_MS);
    expect_int(taskrt_send(arg, NULL), 0);
}

static void wait_for_sleeper(void *arg)
{
    (void)arg;
    struct taskrt_chan *chan = taskrt_chan_create(0, 0);
    struct taskrt_task *task = spawn(sleep_then_send, chan);
    expect_int(taskrt_receive(chan, NULL), 0);
    join(task);
    expect_int(taskrt_chan_destroy(chan), 0);
}

static void deadline_pending__no_deadlock(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++)
        in_task_on(threads, wait_for_sleeper, NULL, 0);
}

static void *write_later(void *arg)
{
    usleep(20000);
    ssize_t written = write(*(int *)arg, "x", 1);
    return written == 1 ? NULL : arg;
}

static void wait_for_writer(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    pthread_t thread;
    expect_int(pthread_create(&thread, NULL, write_later, &ends[1]), 0);
    expect_int(taskrt_wait_fd(ends[0], POLLIN, TASKRT_NEVER), POLLIN);
    pthread_join(thread, NULL);
    close(ends[0]);
    close(ends[1]);
}

static void fd_waiter__no_deadlock(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++)
        in_task_on(threads, wait_for_writer, NULL, 0);
}

/* Workers run in and out of work all the time; none of these moments is a deadlock. */
static void relay(void *arg)
{
    struct taskrt_chan **chans = arg;
    for (int i = 0; i < 500; i++) {
        expect_int(taskrt_receive(chans[0], NULL), 0);
        if (i % 50 == 0)
            taskrt_sleep(100 * TASKRT_US);
        expect_int(taskrt_send(chans[1], NULL), 0);
    }
}

static void ring(void *arg)
{
    (void)arg;
    struct taskrt_chan *chans[9];
    struct taskrt_task *tasks[8];
    for (int i = 0; i < 9; i++)
        chans[i] = taskrt_chan_create(0, 0);
    for (int i = 0; i < 8; i++)
        tasks[i] = spawn(relay, &chans[i]);
    for (int i = 0; i < 500; i++) {
        expect_int(taskrt_send(chans[0], NULL), 0);
        expect_int(taskrt_receive(chans[8], NULL), 0);
    }
    for (int i = 0; i < 8; i++)
        join(tasks[i]);
    for (int i = 0; i < 9; i++)
        expect_int(taskrt_chan_destroy(chans[i]), 0);
}

static void busy_now_and_then__no_deadlock(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 6; threads++)
        in_task_on(threads, ring, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_parked__run_returns_edeadlk),
        cmocka_unit_test(lock_order__edeadlk),
        cmocka_unit_test(join_cycle__edeadlk),
        cmocka_unit_test(deadline_pending__no_deadlock),
        cmocka_unit_test(fd_waiter__no_deadlock),
        cmocka_unit_test(busy_now_and_then__no_deadlock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
