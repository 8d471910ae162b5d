/* A caller gives its worker 10 ms, the worker takes 500: the caller is gone when the result comes,
 * and the worker waits for ever to hand it over. */
#include <errno.h>

#include "samples/sample_task.h"

#ifdef FIXED
enum { ROOM = 1 };
#else
enum { ROOM = 0 };
#endif

static struct taskrt_task *worker;

static void slow_query(void *arg)
{
    struct taskrt_chan *result = arg;
    int row = 17;
    taskrt_sleep(500 * TASKRT_MS);
    taskrt_send(result, &row); /* parks here */
}

static int query_with_timeout(void)
{
    struct taskrt_chan *result = taskrt_chan_create(sizeof(int), ROOM);
    int row = 0;
    worker = sample_spawn("query", slow_query, result); /* spawned here */
    return taskrt_receive_until(result, &row, taskrt_now_ns() + 10 * TASKRT_MS);
}

static void run(void *arg)
{
    (void)arg;
    puts(query_with_timeout() == -ETIMEDOUT ? "timed out" : "answered in time");
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
