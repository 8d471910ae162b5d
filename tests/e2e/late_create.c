/* Comes between the preload and the C library: pthread_create and thrd_create that return late,
 * once the new thread has said so (late_create_may_return). */
#include "tests/e2e/late_create.h"

#include <dlfcn.h>
#include <sched.h>

int late_create_may_return;

static void wait_for_thread(void)
{
    while (!__atomic_load_n(&late_create_may_return, __ATOMIC_ACQUIRE))
        sched_yield();
    late_create_may_return = 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    int result = real(thread, attr, start, arg);
    wait_for_thread();
    return result;
}

int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
    int (*real)(thrd_t *, thrd_start_t, void *);
    *(void **)&real = dlsym(RTLD_NEXT, "thrd_create");
    int result = real(thread, start, arg);
    wait_for_thread();
    return result;
}
