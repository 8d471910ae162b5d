/* Three consumers take jobs until the channel is closed. The producer runs out of jobs and forgets
 * to close it. */
#include <stdatomic.h>

#include "samples/sample_task.h"

enum { CONSUMERS = 3, JOBS = 30 };

static atomic_int jobs_done;
static struct taskrt_task *consumers[CONSUMERS];

static void consume(void *arg)
{
    struct taskrt_chan *jobs = arg;
    int job;
    while (taskrt_receive(jobs, &job) == 0) /* parks here */
        atomic_fetch_add(&jobs_done, 1);
}

static void produce(void)
{
    struct taskrt_chan *jobs = taskrt_chan_create(sizeof(int), 4);
    for (int i = 0; i < CONSUMERS; i++)
        consumers[i] = sample_spawn("consumer", consume, jobs); /* spawned here */
    for (int job = 0; job < JOBS; job++)
        taskrt_send(jobs, &job);
#ifdef FIXED
    taskrt_chan_close(jobs);
    for (int i = 0; i < CONSUMERS; i++)
        sample_join(consumers[i]);
#endif
    while (atomic_load(&jobs_done) < JOBS)
        taskrt_sleep(TASKRT_MS);
}

static void run(void *arg)
{
    (void)arg;
    produce();
    printf("%d jobs done\n", atomic_load(&jobs_done));
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
