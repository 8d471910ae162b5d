/* A barrier is made for three, and only two threads are started. */
#include <pthread.h>

#include "samples/sample.h"

enum { PARTIES = 3 };
#ifdef FIXED
enum { STARTED = PARTIES };
#else
enum { STARTED = PARTIES - 1 };
#endif

static pthread_barrier_t barrier;

static void *phase(void *arg)
{
    int last = pthread_barrier_wait(&barrier); /* parks here */
    return last ? NULL : arg;
}

static void start_phases(void)
{
    pthread_t threads[STARTED];
    pthread_barrier_init(&barrier, NULL, PARTIES);
    for (int i = 0; i < STARTED; i++)
        pthread_create(&threads[i], NULL, phase, NULL); /* spawned here */
#ifdef FIXED
    for (int i = 0; i < STARTED; i++)
        pthread_join(threads[i], NULL);
#endif
}

int main(void)
{
    start_phases();
    sample_ready();
    sample_hold();
    return 0;
}
