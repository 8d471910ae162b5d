/* Many tasks at once, and all kinds of work on several threads. TASKRT_TEST_TASKS sets how many. */
#include "in_task.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct crowd {
    struct taskrt_chan *chan;
    long count;
    _Atomic long begun;
    _Atomic long ended;
};

static long resident_kib(void)
{
    long total = 0;
    long resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file) {
        if (fscanf(file, "%ld %ld", &total, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void wait_for_close(void *arg)
{
    struct crowd *crowd = arg;
    crowd->begun++;
    taskrt_receive(crowd->chan, NULL);
    crowd->ended++;
}

static void gather(void *arg)
{
    struct crowd *crowd = arg;
    crowd->chan = taskrt_chan_create(0, 0);
    long before_kib = resident_kib();
    int64_t begun_ns = taskrt_now_ns();
    for (long i = 0; i < crowd->count; i++)
        expect_int(taskrt_spawn(NULL, wait_for_close, crowd, NULL), 0);
    while (crowd->begun < crowd->count)
        taskrt_yield();
    int64_t parked_ns = taskrt_now_ns();
    long after_kib = resident_kib();
    expect_int(taskrt_inspect.live, crowd->count + 1);
    expect_int(taskrt_chan_close(crowd->chan), 0);
    while (crowd->ended < crowd->count)
        taskrt_yield();
    print_message("%ld tasks: %.0f ns each to spawn and park, %.0f ns to wake, %.2f KiB each\n",
                  crowd->count, (double)(parked_ns - begun_ns) / (double)crowd->count,
                  (double)(taskrt_now_ns() - parked_ns) / (double)crowd->count,
                  (double)(after_kib - before_kib) / (double)crowd->count);
    expect_int(taskrt_chan_destroy(crowd->chan), 0);
}

static void many_parked_tasks__all_wake(void **state)
{
    (void)state;
    const char *wish = getenv("TASKRT_TEST_TASKS");
    struct crowd crowd = {.count = wish        ? atol(wish)
                                   : WITH_TSAN ? 2000
                                   : WITH_ASAN ? 20000
                                               : 100000};
    in_task(gather, &crowd);
    assert_int_equal(crowd.ended, crowd.count);
}

/* A tree: every task spawns two and joins them. */
struct node {
    int depth;
    long leaves;
};

static void grow(void *arg)
{
    struct node *node = arg;
    if (node->depth == 0) {
        node->leaves = 1;
        return;
    }
    struct node children[2] = {{.depth = node->depth - 1}, {.depth = node->depth - 1}};
    struct taskrt_task *tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = spawn(grow, &children[i]);
    for (int i = 0; i < 2; i++) {
        join(tasks[i]);
        node->leaves += children[i].leaves;
    }
}

static void tree_of_tasks__joins_all(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++) {
        struct node root = {.depth = WITH_TSAN ? 9 : 13};
        in_task_on(threads, grow, &root, 0);
        assert_int_equal(root.leaves, 1 << (WITH_TSAN ? 9 : 13));
    }
}

/* A task that waits in `next` of a worker that computes is taken by an idle worker. */
static void set_flag(void *arg)
{
    *(_Atomic int *)arg = 1;
}

static void compute(void *arg)
{
    _Atomic int flag = 0;
    (void)arg;
    taskrt_sleep(300 * TASKRT_MS); /* the watch has ended by now, and must be taken up again */
    struct taskrt_task *task = spawn(set_flag, (void *)&flag);
    int64_t until_ns = taskrt_now_ns() + 20 * TASKRT_S;
    while (!flag && taskrt_now_ns() < until_ns)
        ;
    expect_int(flag, 1);
    join(task);
}

static void busy_worker__does_not_keep_others_waiting(void **state)
{
    (void)state;
    in_task_on(2, compute, NULL, 0);
}

/* A sleeper wakes while every worker computes between yields. */
static void spin(void *arg)
{
    _Atomic int *stop = arg;
    while (!*stop)
        taskrt_yield();
}

static void sleep_among_spinners(void *arg)
{
    (void)arg;
    _Atomic int stop = 0;
    struct taskrt_task *tasks[6];
    for (int i = 0; i < 6; i++)
        tasks[i] = spawn(spin, (void *)&stop);
    for (int i = 0; i < 5; i++)
        taskrt_sleep(2 * TASKRT_MS);
    stop = 1;
    for (int i = 0; i < 6; i++)
        join(tasks[i]);
}

static void sleeper__wakes_among_busy_tasks(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++)
        in_task_on(threads, sleep_among_spinners, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_parked_tasks__all_wake),
        cmocka_unit_test(tree_of_tasks__joins_all),
        cmocka_unit_test(busy_worker__does_not_keep_others_waiting),
        cmocka_unit_test(sleeper__wakes_among_busy_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
