/* Threads of programs that tests start. */
#ifndef LEAKSPY_E2E_THREADS_H
#define LEAKSPY_E2E_THREADS_H

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

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

/* Until a thread waits in a futex for ever, as in a join: in the lock of a preloaded library, which
 * it may meet on its way there, it has a time limit. */
static inline void wait_until_in_futex(pid_t tid)
{
    char path[64];
    int number = 0;
    unsigned long timeout = 1;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", tid);
    while (number != SYS_futex || timeout != 0) {
        usleep(1000);
        FILE *file = fopen(path, "re");
        if (!file || fscanf(file, "%d %*x %*x %*x %lx", &number, &timeout) != 2)
            number = 0;
        if (file)
            fclose(file);
    }
}

#endif
