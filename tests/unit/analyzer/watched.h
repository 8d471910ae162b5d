/* A program that a test has watched, by looks in a line each. */
#ifndef LEAKSPY_TESTS_WATCHED_H
#define LEAKSPY_TESTS_WATCHED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "analyzer/snapshot/builder.h"
#include "analyzer/source/watch.h"

#define SECOND INT64_C(1000000000)
#define MILLISECOND INT64_C(1000000)
#define START_NS (UINT64_C(1000) * 1000000000)
#define NOBODY_KNOWS SNAPSHOT_AGE_UNKNOWN

/* What the last look saw, and what a look adds to. */
extern struct snapshot last_look;
extern struct snapshot_builder *look_rows;

/* Of what kind of source it is: SNAPSHOT_PROCESS, unless a test sets it. */
extern enum snapshot_source looked_at;

/* Looks every second from 0 to `last`, 1 ms each; `see` adds the tasks of each look. What the watch
 * makes of them is in last_look then, until done(). */
void look_each_second(int last, void (*see)(int second));
void done(void);

/* Adds a task that is parked in `call` on `object` at the stack {place, 2}; 0: at none. */
struct snapshot_task *park(uint64_t id, const char *call, uint64_t object, uint64_t place,
                           int64_t parked_ns);

/* The task of that number in the last look, which must be there. */
const struct snapshot_task *task_of(uint64_t id);

#endif
