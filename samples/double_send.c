/* A worker reports its error and then, for want of a `return`, its result as well. The caller
 * receives once. */
#include "samples/sample_task.h"

static struct taskrt_task *worker;

static void fetch(void *arg)
{
    struct taskrt_chan *outcome = arg;
    int error = -5, result = 0;
    taskrt_send(outcome, &error);
#ifdef FIXED
    return;
#endif
    taskrt_send(outcome, &result); /* parks here */
}

static int fetch_or_fail(void)
{
    struct taskrt_chan *outcome = taskrt_chan_create(sizeof(int), 0);
    int first = 0;
    worker = sample_spawn("fetch", fetch, outcome); /* spawned here */
    taskrt_receive(outcome, &first);
    return first;
}

static void run(void *arg)
{
    (void)arg;
    printf("outcome %d\n", fetch_or_fail());
#ifdef FIXED
    sample_join(worker);
#endif
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
