/* A task serves two channels until a third says stop. Both clients went away, and the channel that
 * says stop is known to nobody but the task: no case of its select can ever become ready. */
#include "samples/sample_task.h"

struct service {
    struct taskrt_chan *reads, *writes, *stop;
};

static void serve(void *arg)
{
    struct service service = *(struct service *)arg;
    free(arg);
    int value;
    struct taskrt_case cases[] = {
        {.direction = TASKRT_RECEIVE, .chan = service.reads, .element = &value},
        {.direction = TASKRT_RECEIVE, .chan = service.writes, .element = &value},
        {.direction = TASKRT_RECEIVE, .chan = service.stop, .element = &value},
    };
    while (taskrt_select(cases, 3, TASKRT_NEVER) != 2) /* parks here */
        ;
}

static void start_service(void)
{
    struct service *service = malloc(sizeof *service);
    if (!service)
        abort();
    *service =
        (struct service){taskrt_chan_create(sizeof(int), 0), taskrt_chan_create(sizeof(int), 0),
                         taskrt_chan_create(sizeof(int), 0)};
#ifdef FIXED
    struct taskrt_chan *stop = service->stop; /* the starter keeps the means to end it */
#endif
    struct taskrt_task *server = sample_spawn("service", serve, service); /* spawned here */
#ifdef FIXED
    taskrt_chan_close(stop);
    sample_join(server);
#else
    taskrt_detach(server);
#endif
}

static void run(void *arg)
{
    (void)arg;
    start_service();
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
