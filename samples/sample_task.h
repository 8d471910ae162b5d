/* sample.h for samples on libtaskrt. */
#ifndef LEAKSPY_SAMPLES_SAMPLE_TASK_H
#define LEAKSPY_SAMPLES_SAMPLE_TASK_H

#include <stdlib.h>

#include "runtime/taskrt.h"
#include "samples/sample.h"

/* Returns when stdin ends; for the first task. */
static inline void sample_hold_task(void)
{
    while (!sample_stdin_ended(0))
        taskrt_sleep(20 * TASKRT_MS);
}

/* Starts a task that the caller has to join with sample_join, or to leave to its fate. */
static inline struct taskrt_task *sample_spawn(const char *name, taskrt_fn *fn, void *arg)
    __attribute__((always_inline));

static inline struct taskrt_task *sample_spawn(const char *name, taskrt_fn *fn, void *arg)
{
    struct taskrt_task *task;
    if (taskrt_spawn(&(struct taskrt_options){.name = name}, fn, arg, &task) != 0)
        abort();
    return task;
}

static inline void sample_join(struct taskrt_task *task)
{
    if (taskrt_join(task, TASKRT_NEVER) != 0)
        abort();
}

#endif
