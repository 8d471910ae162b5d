/* lock_order_deadlock, on the mutexes of libtaskrt. */
#include <stdint.h>

#include "samples/sample_task.h"

static struct taskrt_mutex locks[2];
#ifndef FIXED
static int have_one;
#endif

static void lock_both(void *arg)
{
    int first = (int)(intptr_t)arg, second = 1 - first;
#ifdef FIXED
    first = 0; /* one order for everybody */
    second = 1;
#endif
    taskrt_mutex_lock(&locks[first]);
#ifndef FIXED
    __atomic_fetch_add(&have_one, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&have_one, __ATOMIC_SEQ_CST) < 2) /* makes sure that they do meet */
        taskrt_yield();
#endif
    taskrt_mutex_lock(&locks[second]); /* parks here */
    taskrt_mutex_unlock(&locks[second]);
    taskrt_mutex_unlock(&locks[first]);
}

static void start_both(void)
{
    struct taskrt_task *tasks[2];
    for (int i = 0; i < 2; i++)
        tasks[i] = sample_spawn("locker", lock_both, (void *)(intptr_t)i); /* spawned here */
    for (int i = 0; i < 2; i++)
#ifdef FIXED
        sample_join(tasks[i]);
#else
        taskrt_detach(tasks[i]);
#endif
}

static void run(void *arg)
{
    (void)arg;
    start_both();
    sample_ready();
    sample_hold_task();
}

int main(void)
{
    return taskrt_run(run, NULL) == 0 ? 0 : 1;
}
