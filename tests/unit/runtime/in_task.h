/* For tests whose bodies run in tasks. CMocka's assertions jump to the test's own stack, which a
 * task must not do: a task states what it expects, and in_task fails the test afterwards, with the
 * values.
 */
#ifndef LEAKSPY_TEST_IN_TASK_H
#define LEAKSPY_TEST_IN_TASK_H

#include "runtime/taskrt.h"
#include "runtime/taskrt_inspect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#if defined(__SANITIZE_THREAD__)
#define WITH_TSAN 1 /* allows some 8,000 threads, tasks among them */
#else
#define WITH_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#else
#define WITH_ASAN 0
#endif

#define expect_int(actual, expected)                                                               \
    expect_at(__FILE__, __LINE__, #actual, (int64_t)(actual), (int64_t)(expected))

void expect_at(const char *file, int line, const char *what, int64_t actual, int64_t expected);

/* Runs fn(arg) as the first task; the test fails unless the run gives `expected` and all that tasks
 * expected was so. `threads`: how many workers; 0: one a core. */
void in_task_on(int threads, taskrt_fn *fn, void *arg, int expected);
void in_task(taskrt_fn *fn, void *arg);

/* Spawns, expecting success. */
struct taskrt_task *spawn(taskrt_fn *fn, void *arg);
void join(struct taskrt_task *task);

/* Reads a field of a task through taskrt_inspect alone. */
uint64_t task_word(const struct taskrt_task *task, uint32_t offset);
uint32_t task_half(const struct taskrt_task *task, uint32_t offset);

/* Yields until the task is parked for this reason. */
void await_parked(const struct taskrt_task *task, enum taskrt_reason reason);

#endif
