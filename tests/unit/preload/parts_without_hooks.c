/* What the rest of libleakspy.so gives to the parts that are tested: no hooks but one, no sampler.
 */
#include "preload/filter.h"
#include "preload/hooks.h"
#include "preload/sampler.h"
#include "preload/thread_count.h"
#include "tests/unit/preload/parts.h"

void hooks_add_calls(void)
{
    recorder_add_call("pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0);
    recorder_add_call("read", REC_OP_IO_WAIT, 0);
}

void sampler_ensure(void)
{
}

void sampler_forget(void)
{
}

/* There is no filter here. */
bool filter_forbids(long number)
{
    (void)number;
    return false;
}

/* Programs do not count threads here. */
bool thread_count_goes_on(void)
{
    return false;
}

void parts_park(struct rec_task *task, const struct parts_wait *what, void (*meanwhile)(void *),
                void *arg)
{
    struct wait wait;
    wait_begin(&wait, task, what->call, what->flags, what->object, what->arg);
    if (meanwhile != NULL)
        meanwhile(arg);
    wait_end(&wait);
}
