/* A thread waits on a semaphore for a task of libtaskrt, which waits on a channel for a sender that
 * was never started. One bug, and a finding of each kind. */
#include <pthread.h>
#include <semaphore.h>

#include "samples/sample_task.h"

static sem_t done;
static struct taskrt_chan *jobs;
static struct taskrt_task *worker;
static pthread_t client;

static void work(void *arg)
{
    int job;
    (void)arg;
    if (taskrt_receive(jobs, &job) == 0) /* task parks here */
        sem_post(&done);
}

static void *await_work(void *arg)
{
    while (sem_wait(&done) != 0) /* thread parks here */
        ;
    return arg;
}

static void start(void)
{
    sem_init(&done, 0, 0);
    jobs = taskrt_chan_create(sizeof(int), 0);
    worker = sample_spawn("worker", work, NULL);              /* task spawned here */
    if (pthread_create(&client, NULL, await_work, NULL) != 0) /* thread spawned here */
        abort();
#ifdef FIXED
    taskrt_send(jobs, &(int){1});
    sample_join(worker);
    pthread_join(client, NULL);
#endif
}

static void run(void *arg)
{
    (void)arg;
    start();
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
