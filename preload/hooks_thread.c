/* Threads get names, and end. */
#include "preload/hooks.h"

#include "preload/hooks_thread.h"
#include "preload/sampler.h"

int hook_pthread_setname_np(pthread_t thread, const char *name)
{
    int result = hooks_real.pthread_setname_np(thread, name);
    if (result != 0 || recorder.classes == 0)
        return result;
    struct rec_task *task = pthread_equal(thread, pthread_self())
                                ? recorder_self()
                                : hooks_find_thread((uint64_t)thread);
    if (task != NULL)
        recorder_rename(task, name);
    return result;
}

void hooks_thread_ends(struct rec_task *task)
{
    /* Whatever it waited in, as where a handler ends it or it is cancelled, it does no more. */
    if (task != NULL)
        __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    recorder_end(task);
    recorder_thread_ends();
    sampler_thread_ends();
}

/* The first thread has no function of ours around its own. */
void hook_pthread_exit(void *value)
{
    hooks_thread_ends(recorder_known_self());
    hooks_real.pthread_exit(value);
    __builtin_unreachable();
}

void hook_thrd_exit(int result)
{
    hooks_thread_ends(recorder_known_self());
    hooks_real.thrd_exit(result);
    __builtin_unreachable();
}
