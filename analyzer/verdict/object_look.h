/* What a task waits on, with all that is known of it: what sentences and reports tell. */
#ifndef LEAKSPY_ANALYZER_VERDICT_OBJECT_LOOK_H
#define LEAKSPY_ANALYZER_VERDICT_OBJECT_LOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/snapshot/snapshot.h"
#include "analyzer/snapshot/waitgraph.h"

/* What a lock of Go says of itself to who waits for it. */
enum lock_state {
    LOCK_STATE_UNKNOWN,
    LOCK_STATE_FREE,
    LOCK_STATE_HELD,
    LOCK_STATE_READ, /* it is held for reading, and a writer waits for these readers */
    LOCK_STATE_WRITTEN,
};

/* The parts of an object, as one task saw it. owner, joined: the index of the task that holds it,
 * or that is joined, or WAITGRAPH_NONE. */
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

/* Looks at what a task waits on, given by its index. Its kind is REC_OBJECT_NONE where it waits on
 * nothing that is known. */
struct object_look object_look_at(const struct snapshot *snapshot, const struct waitgraph *graph,
                                  uint32_t task);

#endif
