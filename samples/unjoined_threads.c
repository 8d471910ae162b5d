/* Five joinable threads do their work and end, and nobody joins them: their stacks and ids stay. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "samples/sample.h"

enum { WORKERS = 5 };

static atomic_int working = WORKERS;

static void *work(void *arg)
{
    atomic_fetch_sub(&working, 1);
    return arg;
}

static void start_workers(void)
{
    for (int i = 0; i < WORKERS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL) != 0) /* spawned here */
            abort();
#ifdef FIXED
        pthread_join(thread, NULL);
#endif
    }
}

int main(void)
{
    start_workers();
    while (atomic_load(&working) > 0)
        usleep(1000);
    sample_ready();
    sample_hold();
    return 0;
}
