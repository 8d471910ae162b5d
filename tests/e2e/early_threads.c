/* A library whose constructor starts threads, as libraries of linear algebra and loggers do: two
 * wait for ever from before the program's start, one sleeps and goes on again and again. With
 * EARLY_HANDLES=heap in the environment, their handles are put where the thread might free them. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static int waiting;

static void *wait_for_work(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&mutex);
    waiting++;
    for (;;)
        pthread_cond_wait(&never, &mutex); /* waits here */
    return NULL;
}

static void *sleep_on_and_on(void *unused)
{
    (void)unused;
    for (;;)
        usleep(2000);
    return NULL;
}

static void start(void *(*function)(void *))
{
    pthread_t on_stack, *thread = &on_stack;
    if (getenv("EARLY_HANDLES"))
        thread = malloc(sizeof *thread);
    if (!thread || pthread_create(thread, NULL, function, NULL) != 0)
        abort();
    if (thread != &on_stack)
        free(thread);
}

__attribute__((constructor)) static void start_threads(void)
{
    enum { WAITERS = 2 };
    for (int i = 0; i < WAITERS; i++)
        start(wait_for_work);
    start(sleep_on_and_on);
    /* Until both wait: the mutex is free then. */
    for (int settled = 0; settled < WAITERS;) {
        pthread_mutex_lock(&mutex);
        settled = waiting;
        pthread_mutex_unlock(&mutex);
    }
}
