/* C11 threads: the producer puts an item into the queue and does not signal. */
#include <stdlib.h>
#include <threads.h>

#include "samples/sample.h"

static mtx_t lock;
static cnd_t filled;
static int items;
static bool waiting;

static int consume(void *arg)
{
    (void)arg;
    mtx_lock(&lock);
    waiting = true;
    while (items == 0)
        cnd_wait(&filled, &lock); /* parks here */
    items--;
    mtx_unlock(&lock);
    return 0;
}

static void produce(void)
{
    for (bool put = false; !put; thrd_sleep(&(struct timespec){.tv_nsec = 1000000}, NULL)) {
        mtx_lock(&lock);
        if (waiting) { /* under the lock: the consumer is in cnd_wait */
            items++;
            put = true;
        }
        mtx_unlock(&lock);
    }
#ifdef FIXED
    cnd_signal(&filled);
#endif
}

static void start_consumer(void)
{
    thrd_t consumer;
    mtx_init(&lock, mtx_plain);
    cnd_init(&filled);
    if (thrd_create(&consumer, consume, NULL) != thrd_success) /* spawned here */
        abort();
    produce();
#ifdef FIXED
    thrd_join(consumer, NULL);
#endif
}

int main(void)
{
    start_consumer();
    sample_ready();
    sample_hold();
    return 0;
}
