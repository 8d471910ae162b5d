/* Goroutines, as the scanner tells of them, that a test adds to a snapshot in a line or two; and
 * what is said of them. */
#ifndef LEAKSPY_TESTS_GOROUTINES_ADDED_H
#define LEAKSPY_TESTS_GOROUTINES_ADDED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "analyzer/inspect/go_tasks.h"
#include "analyzer/naming/waits.h"
#include "analyzer/verdict/verdict.h"

#define SECOND INT64_C(1000000000)

/* Why they wait: rows of the table of reasons. */
enum reason {
    SEND,
    RECEIVE,
    NIL_SEND,
    SELECT,
    MUTEX,
    RLOCK,
    LOCK,
    WAITGROUP,
    SLEEPING,
    IO,
    GC_WORKER,
    COROUTINE,
    REASONS
};

/* A snapshot to which they are added, of a process with two threads: 70 is in read(5) for 5 s, 71
 * runs. */
struct added {
    struct snapshot snapshot;
    struct snapshot_builder *builder;
    struct image_thread threads[2];
    struct image image;
    struct go_stack stack;
    struct go_tasks tasks;
    struct waits waits;
    struct verdicts verdicts;
    bool judged;
};

/* For CMocka: *state becomes an empty one, and is let go. */
int added_set_up(void **state);
int added_tear_down(void **state);

/* A goroutine that waits; its stack is f->stack. */
struct go_goroutine parked(struct added *f, uint64_t id, enum reason reason);

/* Adds it. Returns its row, which the next one may move. */
const struct snapshot_task *add(struct added *f, const struct go_goroutine *it);

/* Judges them all, at the second 1000. Returns their group, which must be the only one. */
const struct group *judge(struct added *f, int64_t threshold_ns);

/* That one of its sentences is this. */
void assert_evidence(const struct group *group, const char *wanted);

#endif
