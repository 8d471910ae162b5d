/* Channels: sending, receiving, closing, destroying. */
#include "in_task.h"

#include <errno.h>

struct values {
    struct taskrt_chan *chan;
    int sent;
    int result;
};

static void send_value(void *arg)
{
    struct values *values = arg;
    values->result = taskrt_send(values->chan, &values->sent);
}

static void receive_value(void *arg)
{
    struct values *values = arg;
    values->result = taskrt_receive(values->chan, &values->sent);
}

static void destroy(struct taskrt_chan *chan)
{
    expect_int(taskrt_chan_destroy(chan), 0);
}

static void send_then_receive(void *arg)
{
    (void)arg;
    struct values values = {taskrt_chan_create(sizeof(int), 0), 42, 1};
    struct taskrt_task *sender = spawn(send_value, &values);
    await_parked(sender, TASKRT_REASON_SEND);
    int got = 0;
    expect_int(taskrt_receive(values.chan, &got), 0);
    join(sender);
    expect_int(got, 42);
    expect_int(values.result, 0);
    destroy(values.chan);
}

static void unbuffered__send__parks_until_received(void **state)
{
    (void)state;
    in_task(send_then_receive, NULL);
    in_task_on(1, send_then_receive, NULL, 0);
}

static void receive_then_send(void *arg)
{
    (void)arg;
    struct values values = {taskrt_chan_create(sizeof(int), 0), 0, 1};
    struct taskrt_task *receiver = spawn(receive_value, &values);
    await_parked(receiver, TASKRT_REASON_RECEIVE);
    int value = 43;
    expect_int(taskrt_send(values.chan, &value), 0);
    join(receiver);
    expect_int(values.sent, 43);
    expect_int(values.result, 0);
    destroy(values.chan);
}

static void empty_channel__receive__parks(void **state)
{
    (void)state;
    in_task(receive_then_send, NULL);
}

static void buffer(void *arg)
{
    (void)arg;
    struct values values = {taskrt_chan_create(sizeof(int), 3), 3, 1};
    expect_int(taskrt_chan_capacity(values.chan), 3);
    int got = -1;
    expect_int(taskrt_try_receive(values.chan, &got), -EAGAIN);
    for (int i = 0; i < 3; i++)
        expect_int(taskrt_send(values.chan, &i), 0);
    expect_int(taskrt_chan_length(values.chan), 3);
    expect_int(taskrt_try_send(values.chan, &got), -EAGAIN);
    struct taskrt_task *sender = spawn(send_value, &values);
    await_parked(sender, TASKRT_REASON_SEND);
    for (int i = 0; i < 4; i++) {
        expect_int(taskrt_receive(values.chan, &got), 0);
        expect_int(got, i);
    }
    join(sender);
    expect_int(taskrt_chan_length(values.chan), 0);
    destroy(values.chan);
}

static void buffered__keeps_order__and_parks_when_full(void **state)
{
    (void)state;
    in_task(buffer, NULL);
}

static void try_forms(void *arg)
{
    (void)arg;
    struct values values = {taskrt_chan_create(sizeof(int), 0), 5, 1};
    int got = 0;
    expect_int(taskrt_try_send(values.chan, &got), -EAGAIN);
    expect_int(taskrt_try_receive(values.chan, &got), -EAGAIN);
    expect_int(taskrt_send_until(values.chan, &got, 0), -EAGAIN);
    expect_int(taskrt_receive_until(values.chan, &got, 0), -EAGAIN);
    expect_int(taskrt_send_until(values.chan, &got, 1), -ETIMEDOUT);
    expect_int(taskrt_receive_until(values.chan, &got, -1), -ETIMEDOUT);
    int64_t before_ns = taskrt_now_ns();
    expect_int(taskrt_send_until(values.chan, &got, before_ns + 2 * TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_receive_until(values.chan, &got, before_ns + 4 * TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_now_ns() - before_ns >= 4 * TASKRT_MS, 1);
    struct taskrt_task *sender = spawn(send_value, &values);
    await_parked(sender, TASKRT_REASON_SEND);
    expect_int(taskrt_try_receive(values.chan, &got), 0);
    expect_int(got, 5);
    join(sender);
    destroy(values.chan); /* no waiter was left behind by the deadlines */
}

static void try_and_until__do_not_wait_longer(void **state)
{
    (void)state;
    in_task(try_forms, NULL);
}

static void close_forms(void *arg)
{
    (void)arg;
    struct taskrt_chan *chan = taskrt_chan_create(sizeof(int), 2);
    int value = 9;
    expect_int(taskrt_send(chan, &value), 0);
    expect_int(taskrt_chan_close(chan), 0);
    expect_int(taskrt_chan_close(chan), -EPIPE);
    expect_int(taskrt_chan_close(NULL), -EINVAL);
    expect_int(taskrt_send(chan, &value), -EPIPE);
    expect_int(taskrt_try_send(chan, &value), -EPIPE);
    expect_int(taskrt_send_until(chan, &value, 1), -EPIPE);
    value = 0;
    expect_int(taskrt_receive(chan, &value), 0);
    expect_int(value, 9);
    expect_int(taskrt_receive(chan, &value), -EPIPE);
    expect_int(value, 0);
    value = 1;
    expect_int(taskrt_try_receive(chan, &value), -EPIPE);
    expect_int(value, 0);
    destroy(chan);
}

static void closed__sends_fail__receives_drain(void **state)
{
    (void)state;
    in_task(close_forms, NULL);
}

static void close_wakes(void *arg)
{
    (void)arg;
    struct taskrt_chan *chan = taskrt_chan_create(sizeof(int), 0);
    struct values values[6];
    struct taskrt_task *tasks[6];
    for (int i = 0; i < 6; i++) {
        values[i] = (struct values){chan, 7, 1};
        tasks[i] = spawn(receive_value, &values[i]);
        await_parked(tasks[i], TASKRT_REASON_RECEIVE);
    }
    expect_int(taskrt_chan_destroy(chan), -EBUSY);
    expect_int(taskrt_chan_close(chan), 0);
    destroy(chan); /* at once: who was parked does not come back to it */
    for (int i = 0; i < 6; i++) {
        join(tasks[i]);
        expect_int(values[i].result, -EPIPE);
        expect_int(values[i].sent, 0);
    }
    chan = taskrt_chan_create(sizeof(int), 0);
    for (int i = 0; i < 6; i++) {
        values[i] = (struct values){chan, 7, 1};
        tasks[i] = spawn(send_value, &values[i]);
        await_parked(tasks[i], TASKRT_REASON_SEND);
    }
    expect_int(taskrt_chan_destroy(chan), -EBUSY);
    expect_int(taskrt_chan_close(chan), 0);
    for (int i = 0; i < 6; i++) {
        join(tasks[i]);
        expect_int(values[i].result, -EPIPE);
    }
    destroy(chan);
}

struct limited {
    struct taskrt_chan *chan;
    int64_t until_ns;
    int got;
    int result;
};

static void receive_for_a_while(void *arg)
{
    struct limited *it = arg;
    int result = taskrt_receive_until(it->chan, &it->got, it->until_ns);
    __atomic_store_n(&it->result, result, __ATOMIC_RELEASE);
}

/* On one worker: who was woken has not run when the channel is freed. */
static void free_after_wake(void *arg)
{
    (void)arg;
    struct limited limited = {.chan = taskrt_chan_create(sizeof(int), 0),
                              .until_ns = INT64_MAX - 1};
    struct taskrt_task *task = spawn(receive_for_a_while, &limited);
    await_parked(task, TASKRT_REASON_RECEIVE);
    int value = 8;
    expect_int(taskrt_send(limited.chan, &value), 0);
    destroy(limited.chan); /* at once: only who timed out comes back to it */
    join(task);
    expect_int(limited.result, 0);
    expect_int(limited.got, 8);
}

/* The deadline is claimed on one worker, while another one drops the waiter and frees the channel.
 */
static void free_after_deadline(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        struct limited limited = {.chan = taskrt_chan_create(sizeof(int), 0), .result = 1};
        limited.until_ns = taskrt_now_ns() + TASKRT_MS;
        struct taskrt_task *task = spawn(receive_for_a_while, &limited);
        while (task_half(task, taskrt_inspect.state) != TASKRT_STATE_PARKED &&
               __atomic_load_n(&limited.result, __ATOMIC_ACQUIRE) == 1)
            taskrt_yield();
        while (taskrt_now_ns() < limited.until_ns) {
        }
        int value = 8;
        int sent = taskrt_try_send(limited.chan, &value);
        while (taskrt_chan_destroy(limited.chan) == -EBUSY)
            sent = sent == -EAGAIN ? taskrt_try_send(limited.chan, &value) : sent;
        join(task);
        expect_int(limited.result, sent == 0 ? 0 : -ETIMEDOUT);
    }
}

static void destroy__after_the_last_wait__waits_for_who_comes_back(void **state)
{
    (void)state;
    in_task_on(1, free_after_wake, NULL, 0);
    for (int threads = 2; threads <= 4; threads++)
        in_task_on(threads, free_after_deadline, NULL, 0);
}

static void close__wakes_all_that_are_parked(void **state)
{
    (void)state;
    in_task(close_wakes, NULL);
}

static void null_forms(void *arg)
{
    (void)arg;
    int value = 0;
    expect_int(taskrt_try_send(NULL, &value), -EAGAIN);
    expect_int(taskrt_try_receive(NULL, &value), -EAGAIN);
    expect_int(taskrt_send_until(NULL, &value, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_receive_until(NULL, &value, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_chan_length(NULL), 0);
    expect_int(taskrt_chan_capacity(NULL), 0);
    expect_int(taskrt_chan_destroy(NULL), 0);
    taskrt_receive(NULL, &value);
    expect_int(0, 1); /* not reached */
}

static void null_channel__is_never_ready(void **state)
{
    (void)state;
    in_task_on(2, null_forms, NULL, -EDEADLK);
}

static void send_null(void *arg)
{
    taskrt_send(arg, NULL);
}

static void null_elements(void *arg)
{
    (void)arg;
    for (size_t capacity = 0; capacity < 2; capacity++) {
        struct taskrt_chan *chan = taskrt_chan_create(sizeof(int), capacity);
        struct taskrt_task *sender = spawn(send_null, chan);
        int got = 5;
        expect_int(taskrt_receive(chan, &got), 0);
        expect_int(got, 0);
        join(sender);
        sender = spawn(send_null, chan);
        expect_int(taskrt_receive(chan, NULL), 0);
        join(sender);
        destroy(chan);
        chan = taskrt_chan_create(0, capacity); /* a signal without a value */
        sender = spawn(send_null, chan);
        expect_int(taskrt_receive(chan, NULL), 0);
        join(sender);
        destroy(chan);
    }
}

static void null_element__zeroes_or_drops(void **state)
{
    (void)state;
    in_task(null_elements, NULL);
}

static void sizes_that_overflow__no_channel(void **state)
{
    (void)state;
    assert_null(taskrt_chan_create(SIZE_MAX / 2, 3));
    assert_null(taskrt_chan_create(SIZE_MAX, 1));
    assert_null(taskrt_chan_create(1, (size_t)PTRDIFF_MAX));
}

#define ROUNDS 20000

struct sums {
    struct taskrt_chan *chan;
    struct taskrt_waitgroup producers;
    _Atomic int64_t sum;
    _Atomic int64_t count;
};

static void produce(void *arg)
{
    struct sums *sums = arg;
    for (int64_t i = 1; i <= ROUNDS; i++)
        expect_int(taskrt_send(sums->chan, &i), 0);
    taskrt_waitgroup_done(&sums->producers);
}

static void consume(void *arg)
{
    struct sums *sums = arg;
    int64_t value;
    while (taskrt_receive(sums->chan, &value) == 0) {
        sums->sum += value;
        sums->count++;
    }
}

static void many_to_many(void *arg)
{
    size_t capacity = *(size_t *)arg;
    struct sums sums = {.chan = taskrt_chan_create(sizeof(int64_t), capacity)};
    struct taskrt_task *consumers[4];
    taskrt_waitgroup_add(&sums.producers, 4);
    for (int i = 0; i < 4; i++) {
        consumers[i] = spawn(consume, &sums);
        expect_int(taskrt_spawn(NULL, produce, &sums, NULL), 0);
    }
    expect_int(taskrt_waitgroup_wait(&sums.producers), 0);
    expect_int(taskrt_chan_close(sums.chan), 0);
    for (int i = 0; i < 4; i++)
        join(consumers[i]);
    expect_int(sums.count, 4 * ROUNDS);
    expect_int(sums.sum, INT64_C(4) * ROUNDS * (ROUNDS + 1) / 2);
    destroy(sums.chan);
}

static void many_senders_and_receivers__lose_nothing(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 9; capacity += 4)
        for (int threads = 1; threads <= 4; threads++)
            in_task_on(threads, many_to_many, &capacity, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unbuffered__send__parks_until_received),
        cmocka_unit_test(empty_channel__receive__parks),
        cmocka_unit_test(buffered__keeps_order__and_parks_when_full),
        cmocka_unit_test(try_and_until__do_not_wait_longer),
        cmocka_unit_test(closed__sends_fail__receives_drain),
        cmocka_unit_test(close__wakes_all_that_are_parked),
        cmocka_unit_test(destroy__after_the_last_wait__waits_for_who_comes_back),
        cmocka_unit_test(null_channel__is_never_ready),
        cmocka_unit_test(null_element__zeroes_or_drops),
        cmocka_unit_test(sizes_that_overflow__no_channel),
        cmocka_unit_test(many_senders_and_receivers__lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
