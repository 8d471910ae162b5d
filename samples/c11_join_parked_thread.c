/* C11 threads: a thread that polls for work in timed waits never learns that it should stop, and so
 * its joiner waits for ever. Only the joiner is parked: every wait of the worker ends by itself. */
#include <stdatomic.h>
#include <stdlib.h>
#include <threads.h>

#include "samples/sample.h"

static atomic_bool stop;
static thrd_t worker;

static int poll_for_work(void *arg)
{
    (void)arg;
    while (!atomic_load(&stop))
        thrd_sleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    return 0;
}

static int shut_down(void *arg)
{
    (void)arg;
#ifdef FIXED
    atomic_store(&stop, true);
#endif
    int result = thrd_join(worker, NULL); /* parks here */
    return result;
}

static void start(void)
{
    thrd_t closer;
    if (thrd_create(&worker, poll_for_work, NULL) != thrd_success)
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
