/* Comes between the preload and the C library: pthread_mutex_lock that is late. A lock of
 * late_lock_mutex by a thread with late_lock_here set is let through only once late_lock_taken says
 * that somebody else has the lock, which was free when it was asked for. */
#include <dlfcn.h>
#include <sched.h>
#include <stdlib.h>

#include "tests/e2e/late_lock.h"

pthread_mutex_t late_lock_mutex = PTHREAD_MUTEX_INITIALIZER;
__thread int late_lock_here;
int late_lock_asked, late_lock_taken;

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*real)(pthread_mutex_t *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    if (mutex == &late_lock_mutex && late_lock_here) {
        __atomic_store_n(&late_lock_asked, 1, __ATOMIC_RELEASE);
        while (!__atomic_load_n(&late_lock_taken, __ATOMIC_ACQUIRE))
            sched_yield();
    }
    return real(mutex);
}
