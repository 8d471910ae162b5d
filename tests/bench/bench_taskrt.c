/* libtaskrt's hot paths, through its public functions; for ratios with and without a preload.
 *
 *   bench_taskrt pingpong N   N rounds over two unbuffered channels; prints ns a hand-over
 *   bench_taskrt spawn N      N tasks that end at once, each joined; prints ns a task
 *   bench_taskrt flood N      N detached tasks that end at once, spawned without waiting; ns a task
 *   bench_taskrt park N       N tasks that park on a send; prints ns a task, then "ready", and
 * waits for the end of stdin
 */
#include "runtime/taskrt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    struct taskrt_chan *ping;
    struct taskrt_chan *pong;
    long rounds;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_taskrt: %s\n", what);
    exit(2);
}

static void print_rate(int64_t begun_ns, double operations)
{
    printf("%.1f\n", (double)(taskrt_now_ns() - begun_ns) / operations);
    fflush(stdout);
}

static void echo(void *arg)
{
    struct pair *pair = arg;
    long value;
    while (taskrt_receive(pair->ping, &value) == 0)
        taskrt_send(pair->pong, &value);
}

static void pingpong(void *arg)
{
    struct pair *pair = arg;
    pair->ping = taskrt_chan_create(sizeof(long), 0);
    pair->pong = taskrt_chan_create(sizeof(long), 0);
    struct taskrt_task *task;
    if (!pair->ping || !pair->pong || taskrt_spawn(NULL, echo, pair, &task) < 0)
        die("out of memory");
    int64_t begun_ns = taskrt_now_ns();
    for (long i = 0; i < pair->rounds; i++) {
        long back;
        taskrt_send(pair->ping, &i);
        taskrt_receive(pair->pong, &back);
        if (back != i)
            die("a value was lost");
    }
    print_rate(begun_ns, 2.0 * (double)pair->rounds);
    taskrt_chan_close(pair->ping);
    taskrt_join(task, TASKRT_NEVER);
    taskrt_chan_destroy(pair->ping);
    taskrt_chan_destroy(pair->pong);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void spawn(void *arg)
{
    struct pair *pair = arg;
    int64_t begun_ns = taskrt_now_ns();
    for (long i = 0; i < pair->rounds; i++) {
        struct taskrt_task *task;
        if (taskrt_spawn(NULL, nothing, NULL, &task) < 0)
            die("out of memory");
        taskrt_join(task, TASKRT_NEVER);
    }
    print_rate(begun_ns, (double)pair->rounds);
}

static void done(void *arg)
{
    taskrt_waitgroup_done(arg);
}

static void flood(void *arg)
{
    struct pair *pair = arg;
    static struct taskrt_waitgroup group;
    int64_t begun_ns = taskrt_now_ns();
    for (long i = 0; i < pair->rounds;) {
        long batch = pair->rounds - i < 1000 ? pair->rounds - i : 1000;
        taskrt_waitgroup_add(&group, batch);
        for (long end = i + batch; i < end; i++)
            if (taskrt_spawn(NULL, done, &group, NULL) < 0)
                die("out of memory");
        taskrt_waitgroup_wait(&group);
    }
    print_rate(begun_ns, (double)pair->rounds);
}

static _Atomic long parked; /* or about to be */

static void leak(void *arg)
{
    long value = 1;
    parked++;
    taskrt_send(arg, &value);
}

static void park(void *arg)
{
    struct pair *pair = arg;
    struct taskrt_chan *chan = taskrt_chan_create(sizeof(long), 0);
    if (!chan)
        die("out of memory");
    int64_t begun_ns = taskrt_now_ns();
    for (long i = 0; i < pair->rounds; i++)
        if (taskrt_spawn(NULL, leak, chan, NULL) < 0)
            die("out of memory");
    while (parked < pair->rounds)
        taskrt_yield();
    print_rate(begun_ns, (double)pair->rounds);
    taskrt_sleep(10 * TASKRT_MS); /* the last one is on its way into the channel */
    puts("ready");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0)
        ;
}

static const struct {
    const char *name;
    taskrt_fn *fn;
} modes[] = {{"pingpong", pingpong}, {"spawn", spawn}, {"flood", flood}, {"park", park}};

int main(int argc, char **argv)
{
    struct pair pair = {.rounds = argc == 3 ? atol(argv[2]) : 0};
    for (size_t i = 0; pair.rounds > 0 && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0)
            return taskrt_run(modes[i].fn, &pair) == 0 ? 0 : 1;
    fprintf(stderr, "usage: bench_taskrt pingpong|spawn|flood|park N\n");
    return 64;
}
