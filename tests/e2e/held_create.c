/* Comes between the preload and the C library: a pthread_create in which other things happen, and
 * whose thread begins when it may. */
#include "tests/e2e/held_create.h"

#include <dlfcn.h>
#include <sched.h>

void (*held_create_before)(void), (*held_create_after)(void);
bool held_create_holds;

static void *(*held_start)(void *);
static void *held_arg;

static void *begin(void *arg)
{
    while (__atomic_load_n(&held_create_holds, __ATOMIC_ACQUIRE))
        sched_yield();
    (void)arg;
    return held_start(held_arg);
}

static void call_once_only(void (**callback)(void))
{
    void (*call)(void) = *callback;
    *callback = NULL;
    if (call)
        call();
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    void (*after)(void) = held_create_after;
    *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    held_create_after = NULL;
    call_once_only(&held_create_before);
    if (after) {
        held_start = start;
        held_arg = arg;
        held_create_holds = true;
    }
    int result = after ? real(thread, attr, begin, NULL) : real(thread, attr, start, arg);
    call_once_only(&after);
    return result;
}
