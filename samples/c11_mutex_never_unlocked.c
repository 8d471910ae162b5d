/* C11 threads: the holder of a mutex ends without unlocking it. Whoever comes next waits for a
 * thread that is no more. */
#include <threads.h>

#include "samples/sample.h"

static mtx_t lock;

static int hold_and_end(void *arg)
{
    (void)arg;
    mtx_lock(&lock);
#ifdef FIXED
    mtx_unlock(&lock);
#endif
    return 0;
}

static int come_next(void *arg)
{
    (void)arg;
    int result = mtx_lock(&lock); /* parks here */
    mtx_unlock(&lock);
    return result;
}

static void start_both(void)
{
    thrd_t holder, next;
    mtx_init(&lock, mtx_plain);
    thrd_create(&holder, hold_and_end, NULL);
    thrd_join(holder, NULL);
    thrd_create(&next, come_next, NULL); /* spawned here */
#ifdef FIXED
    thrd_join(next, NULL);
#endif
}

int main(void)
{
    start_both();
    sample_ready();
    sample_hold();
    return 0;
}
