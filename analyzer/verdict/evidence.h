/* The sentences of a verdict: each one something that a person can check. */
#ifndef LEAKSPY_ANALYZER_VERDICT_EVIDENCE_H
#define LEAKSPY_ANALYZER_VERDICT_EVIDENCE_H

#include "analyzer/verdict/verdict.h"

struct judge;

/* Adds a sentence; dropped when the group has its fill or there is no memory. */
void evidence_add(struct group *group, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Why the wait counts as too long. */
void evidence_add_threshold(const struct judge *judge, struct group *group);

/* Who waits for whom, round each cycle that the group has a part in. */
void evidence_add_cycles(const struct judge *judge, struct group *group);

/* What a lock of Go says of itself to who waits for it. */
enum lock_state {
    LOCK_STATE_UNKNOWN,
    LOCK_STATE_FREE,
    LOCK_STATE_HELD,
    LOCK_STATE_READ, /* it is held for reading, and a writer waits for these readers */
    LOCK_STATE_WRITTEN,
};

/* The parts of a group's object as the first member saw it. owner, joined: the index of the task
 * that holds it, or that is joined, or WAITGRAPH_NONE. */
struct object_look {
    enum rec_object kind;
    uint64_t address;
    bool has_channel; /* capacity, length and closed are known */
    uint32_t capacity, length;
    bool closed;
    uint32_t owner, joined;
    enum lock_state lock;
    int32_t lock_word; /* of a mutex that is FREE or HELD: enum go_mutex */
    uint32_t readers;  /* of one that is READ: how often it was taken so and not let go */
    bool has_counter;  /* of a waitgroup */
    int32_t counter;
    const char *text; /* what it is: "tcp 127.0.0.1:80 listening"; NULL: nothing more is known */
};
struct object_look evidence_look_at(const struct snapshot *snapshot, const struct waitgraph *graph,
                                    uint32_t task);

/* The name of a task, where it has one of its own; NULL: none, or the program's, as threads have
 * that were given none. */
const char *evidence_own_name(const struct snapshot *snapshot, uint32_t index);

/* "thread 7 (worker)"; "thread 7" where its name is the program's. */
const char *evidence_task_name(const struct snapshot *snapshot, uint32_t task, char to[64]);

/* "mutex 0x1234" or "descriptor 5". */
const char *evidence_object_name(enum rec_object kind, uint64_t address, char to[64]);

/* "thread" or "threads", as the count wants. */
const char *evidence_plural(const char *word, uint64_t count, char to[64]);

#endif
