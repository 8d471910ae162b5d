/* C11 threads: a worker waits for work on a condition. Who shuts down tells it to stop, does not
 * wake it, and joins it: one thread is stuck in its wait, and the other because of it. */
#include <stdlib.h>
#include <threads.h>

#include "samples/sample.h"

static mtx_t lock;
static cnd_t changed;
static bool stop, waiting;
static thrd_t worker;

static int wait_for_work(void *arg)
{
    (void)arg;
    mtx_lock(&lock);
    waiting = true;
    while (!stop)
        cnd_wait(&changed, &lock);
    mtx_unlock(&lock);
    return 0;
}

static int shut_down(void *arg)
{
    (void)arg;
    for (bool told = false; !told; thrd_sleep(&(struct timespec){.tv_nsec = 1000000}, NULL)) {
        mtx_lock(&lock);
        if (waiting) { /* under the lock: the worker is in cnd_wait */
            stop = true;
            told = true;
        }
        mtx_unlock(&lock);
    }
#ifdef FIXED
    cnd_signal(&changed);
#endif
    int result = thrd_join(worker, NULL); /* parks here */
    return result;
}

static void start(void)
{
    thrd_t closer;
    mtx_init(&lock, mtx_plain);
    cnd_init(&changed);
    if (thrd_create(&worker, wait_for_work, NULL) != thrd_success)
        abort();
    if (thrd_create(&closer, shut_down, NULL) != thrd_success) /* spawned here */
        abort();
#ifdef FIXED
    thrd_join(closer, NULL);
#endif
}

int main(void)
{
    start();
    sample_ready();
    sample_hold();
    return 0;
}
