/* A library whose constructor starts threads, as libraries of linear algebra and loggers do. */
#include <pthread.h>
#include <stdlib.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int waiting;

static void *wait_for_work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    waiting++;
    for (;;)
        pthread_cond_wait(&never, &mutex);
    return NULL;
}

__attribute__((constructor)) static void start_workers(void)
{
    enum { WORKERS = 2 };
    for (int i = 0; i < WORKERS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, wait_for_work, NULL) != 0)
            abort();
    }
    /* Until both wait: the mutex is free then. */
    for (int settled = 0; settled < WORKERS;) {
        pthread_mutex_lock(&mutex);
        settled = waiting;
        pthread_mutex_unlock(&mutex);
    }
}
