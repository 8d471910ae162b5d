/* pthread_mutex_lock, the function that programs call most often, and nearly always for a lock that
 * is free. Then it costs a few comparisons, or stores: there is no frame of ours around the real
 * function, and so nothing to come back to. Compiled without frame pointers, and with sibling
 * calls. */
#include "preload/arch.h"
#include "preload/hooks.h"

__attribute__((noinline)) static int lock_that_is_held(pthread_mutex_t *mutex)
{
    if (!HOOK_RECORDS(MUTEX_LOCK))
        return hooks_real.pthread_mutex_lock(mutex);
    struct wait published;
    wait_begin(&published, recorder_self(), CALL_pthread_mutex_lock, 0, (uint64_t)mutex, 0);
    int result = hooks_real.pthread_mutex_lock(mutex);
    wait_end(&published);
    return result;
}

int hook_pthread_mutex_lock(pthread_mutex_t *mutex)
{
#ifdef ARCH_CALLER_FP
    arch_will_write(mutex);
    struct rec_task *task = recorder_own()->task;
    if (likely(task != NULL && __atomic_load_n(&mutex->__data.__lock, __ATOMIC_RELAXED) == 0)) {
        struct passing passing = wait_passing(CALL_pthread_mutex_lock, (uint64_t)mutex,
                                              (uint64_t)__builtin_dwarf_cfa(), ARCH_CALLER_FP());
        if (wait_is_published(task, passing))
            return hooks_real.pthread_mutex_lock(mutex);
        if (likely(SHARED_GET(task->gen) == 0 && HOOK_RECORDS(MUTEX_LOCK))) {
            wait_publish_passing(task, passing);
            return hooks_real.pthread_mutex_lock(mutex);
        }
    }
#endif
    return lock_that_is_held(mutex);
}
