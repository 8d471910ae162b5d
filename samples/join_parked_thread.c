/* One thread joins another that waits for a semaphore nobody posts: two are stuck, and the second
 * because of the first. */
#include <pthread.h>
#include <semaphore.h>

#include "samples/sample.h"

static sem_t work;
static pthread_t worker, supervisor;

static void *do_work(void *arg)
{
    while (sem_wait(&work) != 0) /* parks here */
        ;
    return arg;
}

static void *supervise(void *arg)
{
    if (pthread_create(&worker, NULL, do_work, NULL) != 0) /* worker spawned here */
        return arg;
#ifdef FIXED
    sem_post(&work); /* the shutdown that the leaking twin forgot */
#endif
    int error = pthread_join(worker, NULL); /* joins here */
    return error ? arg : NULL;
}

static void start(void)
{
    sem_init(&work, 0, 0);
    pthread_create(&supervisor, NULL, supervise, NULL); /* spawned here */
#ifdef FIXED
    pthread_join(supervisor, NULL);
#endif
}

int main(void)
{
    start();
    sample_ready();
    sample_hold();
    return 0;
}
