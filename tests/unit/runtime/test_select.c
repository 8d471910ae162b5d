/* Select: choice, fairness, default, deadline, many cases, and wakers that compete. */
#include "in_task.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

static struct taskrt_chan *ints(size_t capacity)
{
    return taskrt_chan_create(sizeof(int), capacity);
}

static void no_case_ready(void *arg)
{
    (void)arg;
    int got = 0;
    struct taskrt_chan *chan = ints(0);
    struct taskrt_case cases[] = {
        {.direction = TASKRT_RECEIVE, .chan = chan, .element = &got},
        {.direction = TASKRT_SEND, .chan = chan, .element = &got}, /* not to itself */
        {.direction = TASKRT_RECEIVE, .chan = NULL},
    };
    expect_int(taskrt_select(cases, 3, 0), -EAGAIN);
    expect_int(taskrt_select(cases, 3, 1), -ETIMEDOUT);
    expect_int(taskrt_select(cases, 3, taskrt_now_ns() + 2 * TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_select(NULL, 0, 0), -EAGAIN);
    expect_int(taskrt_select(NULL, 0, taskrt_now_ns() + TASKRT_MS), -ETIMEDOUT);
    expect_int(taskrt_select(NULL, 3, 0), -EINVAL);
    expect_int(taskrt_select(cases, 65536, 0), -EINVAL);
    expect_int(taskrt_chan_destroy(chan), 0);
}

static void nothing_ready__default_or_deadline(void **state)
{
    (void)state;
    in_task(no_case_ready, NULL);
}

static void fairness(void *arg)
{
    int *counts = arg;
    struct taskrt_chan *chans[4];
    struct taskrt_case cases[4];
    int got = 0;
    for (int i = 0; i < 4; i++) {
        chans[i] = ints(1);
        cases[i] = (struct taskrt_case){
            .direction = i % 2 ? TASKRT_SEND : TASKRT_RECEIVE, .chan = chans[i], .element = &got};
        if (i % 2 == 0)
            taskrt_send(chans[i], &i);
    }
    for (int round = 0; round < 4000; round++) {
        int chosen = taskrt_select(cases, 4, TASKRT_NEVER);
        counts[chosen]++;
        expect_int(cases[chosen].result, 0);
        if (chosen % 2 == 0) {
            expect_int(got, chosen);
            taskrt_send(chans[chosen], &chosen);
        } else {
            taskrt_receive(chans[chosen], NULL);
        }
    }
    for (int i = 0; i < 4; i++)
        expect_int(taskrt_chan_destroy(chans[i]), 0);
}

static void several_ready__each_is_chosen_about_as_often(void **state)
{
    (void)state;
    int counts[4] = {0};
    in_task(fairness, counts);
    for (int i = 0; i < 4; i++)
        assert_in_range(counts[i], 800, 1200); /* 1000 expected, standard deviation 27 */
}

struct send_one {
    struct taskrt_chan *chan;
    int value;
};

static void send_it(void *arg)
{
    struct send_one *one = arg;
    expect_int(taskrt_send(one->chan, &one->value), 0);
}

struct selector {
    struct taskrt_chan **chans;
    size_t count;
    int got;
    int chosen;
    int result;
};

static void select_any(void *arg)
{
    struct selector *selector = arg;
    struct taskrt_case *cases = calloc(selector->count, sizeof *cases);
    for (size_t i = 0; i < selector->count; i++)
        cases[i] = (struct taskrt_case){
            .direction = TASKRT_RECEIVE, .chan = selector->chans[i], .element = &selector->got};
    selector->chosen = taskrt_select(cases, selector->count, TASKRT_NEVER);
    selector->result = selector->chosen < 0 ? 0 : cases[selector->chosen].result;
    free(cases);
}

static void parked_selects(void *arg)
{
    size_t count = *(size_t *)arg;
    struct taskrt_chan **chans = calloc(count, sizeof(void *));
    for (size_t i = 0; i < count; i++)
        chans[i] = i % 3 == 2 ? chans[i - 1] : ints(0); /* some channels twice */
    for (size_t at = 0; at < count; at += 1 + count / 7) {
        struct selector selector = {.chans = chans, .count = count};
        struct taskrt_task *task = spawn(select_any, &selector);
        await_parked(task, TASKRT_REASON_SELECT);
        expect_int(task_half(task, taskrt_inspect.object_count), count);
        expect_int(taskrt_chan_destroy(chans[at]), -EBUSY);
        struct send_one one = {chans[at], (int)at};
        send_it(&one);
        join(task);
        expect_int(chans[selector.chosen] == chans[at], 1);
        expect_int(selector.got, at);
        expect_int(selector.result, 0);
    }
    struct selector selector = {.chans = chans, .count = count};
    struct taskrt_task *task = spawn(select_any, &selector);
    await_parked(task, TASKRT_REASON_SELECT);
    expect_int(taskrt_chan_close(chans[0]), 0);
    join(task);
    expect_int(selector.chosen, 0);
    expect_int(selector.result, -EPIPE);
    for (size_t i = 0; i < count; i++)
        if (i % 3 != 2)
            expect_int(taskrt_chan_destroy(chans[i]), 0);
    free(chans);
}

static void parked_select__is_woken_by_any_of_its_cases(void **state)
{
    (void)state;
    const size_t counts[] = {1, 2, 3, 8, 9, 100, 1000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t count = counts[i];
        in_task(parked_selects, &count);
    }
}

/* On one worker, so that the select does not run before it is let. */
static void woken_select(void *arg)
{
    (void)arg;
    struct taskrt_chan *chans[] = {ints(0), ints(0)};
    struct selector selector = {.chans = chans, .count = 2};
    struct taskrt_task *task = spawn(select_any, &selector);
    await_parked(task, TASKRT_REASON_SELECT);
    struct send_one one = {chans[0], 5};
    send_it(&one);
    expect_int(taskrt_chan_destroy(chans[0]), -EBUSY); /* it will come back to both */
    expect_int(taskrt_try_send(chans[1], &one.value), -EAGAIN);
    expect_int(taskrt_chan_close(chans[1]), 0);
    expect_int(taskrt_chan_destroy(chans[1]), -EBUSY);
    join(task);
    expect_int(selector.chosen, 0);
    expect_int(selector.got, 5);
    expect_int(taskrt_chan_destroy(chans[0]), 0);
    expect_int(taskrt_chan_destroy(chans[1]), 0);
}

static void woken_select__that_has_not_run__keeps_its_channels(void **state)
{
    (void)state;
    in_task_on(1, woken_select, NULL, 0);
}

static void closed_cases(void *arg)
{
    (void)arg;
    struct taskrt_chan *open = ints(0);
    struct taskrt_chan *closed = ints(0);
    taskrt_chan_close(closed);
    int got = 4;
    struct taskrt_case cases[] = {
        {.direction = TASKRT_RECEIVE, .chan = open, .element = &got},
        {.direction = TASKRT_RECEIVE, .chan = closed, .element = &got},
    };
    expect_int(taskrt_select(cases, 2, TASKRT_NEVER), 1);
    expect_int(cases[1].result, -EPIPE);
    expect_int(got, 0);
    cases[1].direction = TASKRT_SEND;
    expect_int(taskrt_select(cases, 2, TASKRT_NEVER), 1);
    expect_int(cases[1].result, -EPIPE);
    expect_int(taskrt_chan_destroy(open), 0);
    expect_int(taskrt_chan_destroy(closed), 0);
}

static void closed_channel__is_ready_with_epipe(void **state)
{
    (void)state;
    in_task(closed_cases, NULL);
}

/* Every worker sends and receives in selects over the same channels: what goes in comes out. */
#define MESH_TASKS 8
#define MESH_ROUNDS 3000

struct mesh {
    struct taskrt_chan *chans[3];
    _Atomic int64_t sent;
    _Atomic int64_t received;
    _Atomic int busy;
};

static void mesh_task(void *arg)
{
    struct mesh *mesh = arg;
    for (int i = 0; i < MESH_ROUNDS; i++) {
        int out = i;
        int in[3];
        struct taskrt_case cases[6];
        for (int c = 0; c < 3; c++) {
            cases[c] = (struct taskrt_case){
                .direction = TASKRT_SEND, .chan = mesh->chans[c], .element = &out};
            cases[c + 3] = (struct taskrt_case){
                .direction = TASKRT_RECEIVE, .chan = mesh->chans[c], .element = &in[c]};
        }
        int64_t deadline_ns = i % 3 ? taskrt_now_ns() + 20 * TASKRT_US : 0;
        int chosen = taskrt_select(cases, 6, deadline_ns);
        if (chosen >= 3)
            mesh->received += in[chosen - 3] + 1;
        else if (chosen >= 0)
            mesh->sent += out + 1;
        else
            expect_int(chosen, i % 3 ? -ETIMEDOUT : -EAGAIN);
    }
    mesh->busy--;
}

static void mesh_run(void *arg)
{
    struct mesh *mesh = arg;
    struct taskrt_task *tasks[MESH_TASKS];
    mesh->busy = MESH_TASKS;
    for (int i = 0; i < 3; i++)
        mesh->chans[i] = ints((size_t)i);
    for (int i = 0; i < MESH_TASKS; i++)
        tasks[i] = spawn(mesh_task, mesh);
    for (int i = 0; i < MESH_TASKS; i++)
        join(tasks[i]);
    int left;
    for (int i = 0; i < 3; i++) {
        while (taskrt_try_receive(mesh->chans[i], &left) == 0)
            mesh->received += left + 1;
        expect_int(taskrt_chan_destroy(mesh->chans[i]), 0);
    }
}

static void selects_against_selects__lose_nothing(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        struct mesh mesh = {.sent = 0};
        in_task_on(threads, mesh_run, &mesh, 0);
        assert_int_equal(mesh.sent, mesh.received);
        assert_int_not_equal(mesh.sent, 0);
    }
}

enum { ABANDONED = 100, MANY_CASES = 9 };

static void wait_for_none(void *arg)
{
    struct taskrt_case cases[MANY_CASES] = {0};
    expect_int(taskrt_select(cases, MANY_CASES, 1), -ETIMEDOUT);
    (*(int *)arg)++;
    taskrt_select(cases, MANY_CASES, TASKRT_NEVER);
}

static void abandon_selects(void *arg)
{
    struct taskrt_task *task = NULL;
    for (int i = 0; i < ABANDONED; i++)
        task = spawn(wait_for_none, arg);
    await_parked(task, TASKRT_REASON_SELECT);
}

static void abandoned_select_of_many_cases__leaves_no_memory(void **state)
{
    (void)state;
    int waits = 0;
    in_task_on(1, abandon_selects, &waits, 0);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 3; i++)
        in_task_on(1, abandon_selects, &waits, 0);
    size_t after =
        mallinfo2().uordblks; /* the sanitizers tell nothing here; one finds leaks itself */
    assert_int_equal(waits, 4 * ABANDONED);
    assert_in_range(after, 0, before + ABANDONED * MANY_CASES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_ready__default_or_deadline),
        cmocka_unit_test(several_ready__each_is_chosen_about_as_often),
        cmocka_unit_test(parked_select__is_woken_by_any_of_its_cases),
        cmocka_unit_test(woken_select__that_has_not_run__keeps_its_channels),
        cmocka_unit_test(closed_channel__is_ready_with_epipe),
        cmocka_unit_test(selects_against_selects__lose_nothing),
        cmocka_unit_test(abandoned_select_of_many_cases__leaves_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
