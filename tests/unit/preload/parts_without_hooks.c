/* What the rest of libleakspy.so gives to the parts that are tested: no hooks, no sampler. */
#include "preload/hooks.h"
#include "preload/sampler.h"

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
