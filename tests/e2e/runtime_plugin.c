/* A plugin with tasks: one is left parked. See closed_runtime.c. */
#include "runtime/taskrt.h"

int leave_a_task(void);

static void park(void *chan)
{
    (void)taskrt_receive(chan, NULL);
}

/* Its runtime has one worker: the other task parks before this one goes on. */
static void first(void *ret)
{
    struct taskrt_chan *chan = taskrt_chan_create(0, 0);
    *(int *)ret = chan ? taskrt_spawn(NULL, park, chan, NULL) : -1;
    for (int i = 0; i < 10; i++)
        taskrt_yield();
}

int leave_a_task(void)
{
    int result = -1;
    int ran = taskrt_run(first, &result);
    return ran == 0 ? result : ran;
}
