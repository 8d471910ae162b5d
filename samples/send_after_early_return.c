/* A function starts a worker, finds that its input is bad and returns early: the worker's result
 * has no receiver any more. A channel with room for the one result lets the worker end all the
 * same. */
#include "samples/sample_task.h"

#ifdef FIXED
enum { ROOM = 1 };
#else
enum { ROOM = 0 };
#endif

static struct taskrt_task *worker;

static void compute(void *arg)
{
    struct taskrt_chan *result = arg;
    int answer = 6 * 7;
    taskrt_send(result, &answer); /* parks here */
}

static int process(const char *input)
{
    struct taskrt_chan *result = taskrt_chan_create(sizeof(int), ROOM);
    worker = sample_spawn("worker", compute, result); /* spawned here */
    if (input[0] == '\0')
        return -1; /* nobody receives from `result` now */
    int answer = 0;
    taskrt_receive(result, &answer);
    return answer;
}

static void run(void *arg)
{
    (void)arg;
    process("");
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
