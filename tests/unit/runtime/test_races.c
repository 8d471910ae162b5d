/* Deadlines that race with wake-ups: each wait ends in exactly one way, and both sides agree. */
#include "in_task.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define ROUNDS 3000

struct race {
    struct taskrt_chan *chan;
    struct taskrt_mutex mutex;
    struct taskrt_cond cond;
    int64_t received;
    int64_t timed_out;
    int64_t sent;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

static void pause_ns(int64_t ns)
{
    int64_t until_ns = taskrt_now_ns() + ns;
    while (taskrt_now_ns() < until_ns)
        taskrt_yield();
}

static void receive_until(void *arg)
{
    struct race *race = arg;
    uint32_t seed = 1;
    for (;;) {
        int value = -1;
        int64_t deadline_ns = taskrt_now_ns() + next_random(&seed) % 30000;
        int result = taskrt_receive_until(race->chan, &value, deadline_ns);
        if (result == -EPIPE)
            return;
        if (result == 0) {
            expect_int(value, race->received); /* none lost, none twice, in order */
            race->received++;
        } else {
            expect_int(result, -ETIMEDOUT);
            expect_int(taskrt_now_ns() >= deadline_ns, 1);
            expect_int(value, -1);
            race->timed_out++;
        }
    }
}

static void send_now_and_then(void *arg)
{
    struct race *race = arg;
    race->chan = taskrt_chan_create(sizeof(int), 0);
    struct taskrt_task *receiver = spawn(receive_until, race);
    uint32_t seed = 2;
    for (int i = 0; i < ROUNDS; i++) {
        int value = (int)race->sent;
        int64_t deadline_ns = taskrt_now_ns() + next_random(&seed) % 20000;
        int result = taskrt_send_until(race->chan, &value, deadline_ns);
        if (result == 0)
            race->sent++;
        else
            expect_int(result, -ETIMEDOUT);
        pause_ns(next_random(&seed) % 20000);
    }
    expect_int(taskrt_chan_close(race->chan), 0);
    join(receiver);
    expect_int(race->received, race->sent);
    expect_int(taskrt_chan_destroy(race->chan), 0);
}

static void channel__deadline_against_sender(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        struct race race = {.sent = 0};
        in_task_on(threads, send_now_and_then, &race, 0);
        assert_int_not_equal(race.received, 0);
        assert_int_not_equal(race.timed_out, 0);
    }
}

static void lock_until(void *arg)
{
    struct race *race = arg;
    uint32_t seed = (uint32_t)(uintptr_t)taskrt_self();
    for (int i = 0; i < ROUNDS / 4; i++) {
        int result =
            taskrt_mutex_lock_until(&race->mutex, taskrt_now_ns() + next_random(&seed) % 20000);
        if (result == 0) {
            race->received++; /* under the mutex */
            pause_ns(next_random(&seed) % 5000);
            expect_int(taskrt_mutex_unlock(&race->mutex), 0);
        } else {
            expect_int(result, -ETIMEDOUT);
        }
    }
}

static void contend(void *arg)
{
    struct taskrt_task *tasks[4];
    for (int i = 0; i < 4; i++)
        tasks[i] = spawn(lock_until, arg);
    for (int i = 0; i < 4; i++)
        join(tasks[i]);
    struct race *race = arg;
    expect_int(taskrt_mutex_lock_until(&race->mutex, 0), 0); /* nobody kept it */
}

static void mutex__deadline_against_unlock(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        struct race race = {.sent = 0};
        in_task_on(threads, contend, &race, 0);
        assert_int_not_equal(race.received, 0);
    }
}

static void wait_until(void *arg)
{
    struct race *race = arg;
    uint32_t seed = 5;
    taskrt_mutex_lock(&race->mutex);
    for (int i = 0; i < ROUNDS; i++) {
        int result = taskrt_cond_wait_until(&race->cond, &race->mutex,
                                            taskrt_now_ns() + next_random(&seed) % 20000);
        if (result == 0)
            race->received++;
        else
            expect_int(result, -ETIMEDOUT);
    }
    race->timed_out = 1; /* done */
    taskrt_mutex_unlock(&race->mutex);
}

static void signal_now_and_then(void *arg)
{
    struct race *race = arg;
    struct taskrt_task *waiter = spawn(wait_until, race);
    uint32_t seed = 6;
    for (int done = 0; !done;) {
        pause_ns(next_random(&seed) % 20000);
        taskrt_mutex_lock(&race->mutex);
        done = race->timed_out != 0;
        race->sent++;
        taskrt_cond_signal(&race->cond);
        taskrt_mutex_unlock(&race->mutex);
    }
    join(waiter);
}

static void cond__deadline_against_signal(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++) {
        struct race race = {.sent = 0};
        in_task_on(threads, signal_now_and_then, &race, 0);
        assert_int_not_equal(race.received, 0);
        assert_true(race.received <= race.sent);
    }
}

static void end_soon(void *arg)
{
    pause_ns((int64_t)(uintptr_t)arg);
}

static void join_until(void *arg)
{
    (void)arg;
    uint32_t seed = 7;
    for (int i = 0; i < ROUNDS / 2; i++) {
        struct taskrt_task *task = spawn(end_soon, (void *)(uintptr_t)(next_random(&seed) % 10000));
        int result = taskrt_join(task, taskrt_now_ns() + next_random(&seed) % 10000);
        if (result == -ETIMEDOUT)
            join(task); /* the handle is still good */
        else
            expect_int(result, 0);
    }
    expect_int(taskrt_inspect.live, 1);
}

static void join__deadline_against_the_end(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++)
        in_task_on(threads, join_until, NULL, 0);
}

static void read_until(void *arg)
{
    int fd = *(int *)arg;
    uint32_t seed = 8;
    for (int left = ROUNDS / 4; left > 0;) {
        int result = taskrt_wait_fd(fd, POLLIN, taskrt_now_ns() + next_random(&seed) % 30000);
        char byte;
        if (result == POLLIN) {
            expect_int(read(fd, &byte, 1), 1);
            left--;
        } else {
            expect_int(result, -ETIMEDOUT);
        }
    }
}

static void write_now_and_then(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    struct taskrt_task *reader = spawn(read_until, &ends[0]);
    uint32_t seed = 9;
    for (int i = 0; i < ROUNDS / 4; i++) {
        expect_int(write(ends[1], "x", 1), 1);
        pause_ns(next_random(&seed) % 40000);
    }
    join(reader);
    close(ends[0]);
    close(ends[1]);
}

static void fd__deadline_against_readiness(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++)
        in_task_on(threads, write_now_and_then, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channel__deadline_against_sender),
        cmocka_unit_test(mutex__deadline_against_unlock),
        cmocka_unit_test(cond__deadline_against_signal),
        cmocka_unit_test(join__deadline_against_the_end),
        cmocka_unit_test(fd__deadline_against_readiness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
