/* Threads of programs that tests start. */
#ifndef LEAKSPY_E2E_THREADS_H
#define LEAKSPY_E2E_THREADS_H

#include <pthread.h>

#include "tests/e2e/check.h"

static inline pthread_t start_thread(void *(*function)(void *), void *arg)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, function, arg) == 0);
    return thread;
}

static inline void *join_thread(pthread_t thread)
{
    void *result;
    CHECK(pthread_join(thread, &result) == 0);
    return result;
}

#endif
