#include "in_task.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static pthread_mutex_t failure_lock = PTHREAD_MUTEX_INITIALIZER;
static char failure[512]; /* the first one */

void expect_at(const char *file, int line, const char *what, int64_t actual, int64_t expected)
{
    if (actual == expected)
        return;
    pthread_mutex_lock(&failure_lock);
    if (!failure[0])
        snprintf(failure, sizeof failure, "%s:%d: %s is %" PRId64 ", expected %" PRId64, file, line,
                 what, actual, expected);
    pthread_mutex_unlock(&failure_lock);
}

void in_task_on(int threads, taskrt_fn *fn, void *arg, int expected)
{
    char count[16];
    snprintf(count, sizeof count, "%d", threads);
    setenv("TASKRT_THREADS", count, 1);
    failure[0] = '\0';
    int result = taskrt_run(fn, arg);
    if (failure[0])
        fail_msg("%s", failure);
    assert_int_equal(result, expected);
}

void in_task(taskrt_fn *fn, void *arg)
{
    in_task_on(2, fn, arg, 0);
}

struct taskrt_task *spawn(taskrt_fn *fn, void *arg)
{
    struct taskrt_task *task = NULL;
    expect_int(taskrt_spawn(NULL, fn, arg, &task), 0);
    return task;
}

void join(struct taskrt_task *task)
{
    expect_int(taskrt_join(task, TASKRT_NEVER), 0);
}

uint64_t task_word(const struct taskrt_task *task, uint32_t offset)
{
    return __atomic_load_n((const uint64_t *)((const char *)task + offset), __ATOMIC_ACQUIRE);
}

uint32_t task_half(const struct taskrt_task *task, uint32_t offset)
{
    return __atomic_load_n((const uint32_t *)((const char *)task + offset), __ATOMIC_ACQUIRE);
}

void await_parked(const struct taskrt_task *task, enum taskrt_reason reason)
{
    while (task_half(task, taskrt_inspect.state) != TASKRT_STATE_PARKED ||
           task_half(task, taskrt_inspect.reason) != (uint32_t)reason)
        taskrt_yield();
}
