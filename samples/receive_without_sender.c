/* A task waits for a result, but the job that would send it was turned down: nobody ever sends. */
#include "samples/sample_task.h"

static struct taskrt_chan *results;

static void await_result(void *arg)
{
    int result = 0;
    (void)arg;
    taskrt_receive(results, &result); /* parks here */
}

static bool accept_job(int job)
{
    return job > 0;
}

static void submit(int job)
{
    results = taskrt_chan_create(sizeof(int), 0);
    struct taskrt_task *waiter = sample_spawn("waiter", await_result, NULL); /* spawned here */
    if (!accept_job(job)) {
#ifdef FIXED
        taskrt_chan_close(results); /* whoever waits hears that nothing will come */
        sample_join(waiter);
#else
        (void)waiter;
#endif
    }
}

static void run(void *arg)
{
    (void)arg;
    submit(0);
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
