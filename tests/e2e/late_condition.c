/* Comes between the preload and the C library, as the runtime of a sanitizer does: conditions,
 * under no version, that count who waits. */
#include <dlfcn.h>
#include <pthread.h>

#include "tests/e2e/late_condition.h"

int late_condition_waits;

int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    int (*real)(pthread_cond_t *, pthread_mutex_t *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_wait");
    __atomic_fetch_add(&late_condition_waits, 1, __ATOMIC_RELAXED);
    return real(cond, mutex);
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                           const struct timespec *until)
{
    int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    __atomic_fetch_add(&late_condition_waits, 1, __ATOMIC_RELAXED);
    return real(cond, mutex, until);
}
