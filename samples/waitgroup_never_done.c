/* A worker that fails forgets to say that it is done: the task that waits for all of them never
 * goes on. */
#include "samples/sample_task.h"

enum { WORKERS = 4 };

static struct taskrt_waitgroup group;
static struct taskrt_task *workers[WORKERS];
static int numbers[WORKERS];

static void work(void *arg)
{
    int number = *(const int *)arg;
    if (number == 2) {
#ifdef FIXED
        taskrt_waitgroup_done(&group);
#endif
        return; /* failed */
    }
    taskrt_waitgroup_done(&group);
}

static void collect(void *arg)
{
    (void)arg;
    int error = taskrt_waitgroup_wait(&group); /* parks here */
    if (error)
        abort();
}

static void run(void *arg)
{
    (void)arg;
    taskrt_waitgroup_add(&group, WORKERS);
    for (int i = 0; i < WORKERS; i++) {
        numbers[i] = i;
        workers[i] = sample_spawn("worker", work, &numbers[i]);
    }
    struct taskrt_task *collector = sample_spawn("collector", collect, NULL); /* spawned here */
    for (int i = 0; i < WORKERS; i++)
        sample_join(workers[i]);
#ifdef FIXED
    sample_join(collector);
#else
    (void)collector;
#endif
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
