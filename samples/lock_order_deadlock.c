/* Two transfers in opposite directions take the same two locks in opposite orders, and meet in the
 * middle. */
#include <pthread.h>
#include <stdint.h>

#include "samples/sample.h"

struct account {
    pthread_mutex_t lock;
    long balance;
};

static struct account accounts[2] = {{PTHREAD_MUTEX_INITIALIZER, 100},
                                     {PTHREAD_MUTEX_INITIALIZER, 100}};
#ifndef FIXED
static pthread_barrier_t both_have_one; /* makes sure that they do meet */
#endif

static void *transfer(void *arg)
{
    int from = (int)(intptr_t)arg, to = 1 - from;
    struct account *first = &accounts[from], *second = &accounts[to];
#ifdef FIXED
    if (from > to) { /* one order for everybody */
        first = &accounts[to];
        second = &accounts[from];
    }
#endif
    pthread_mutex_lock(&first->lock);
#ifndef FIXED
    pthread_barrier_wait(&both_have_one);
#endif
    pthread_mutex_lock(&second->lock); /* parks here */
    accounts[from].balance -= 10;
    accounts[to].balance += 10;
    pthread_mutex_unlock(&second->lock);
    pthread_mutex_unlock(&first->lock);
    return NULL;
}

static void start_transfers(void)
{
    pthread_t threads[2];
#ifndef FIXED
    pthread_barrier_init(&both_have_one, NULL, 2);
#endif
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, transfer, (void *)(intptr_t)i); /* spawned here */
#ifdef FIXED
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
#endif
}

int main(void)
{
    start_transfers();
    sample_ready();
    sample_hold();
    return 0;
}
