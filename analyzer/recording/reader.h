/* A recording while a snapshot is made of it: shared by what reads its header, its tasks, and the
 * tables that these refer to. */
#ifndef LEAKSPY_ANALYZER_RECORDING_READER_H
#define LEAKSPY_ANALYZER_RECORDING_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/base/err.h"
#include "analyzer/recording/file.h"
#include "analyzer/recording/slot_rows.h"
#include "analyzer/snapshot/builder.h"
#include "analyzer/snapshot/snapshot.h"

/* More rows than any program has; what a damaged count may cost is bounded by it. */
#define RECORDING_MAX_ROWS (UINT64_C(1) << 26)

/* A wait with cases, in a file that is being written: by what it is known again. */
struct recording_select {
    uint64_t id;       /* of the task, in the file */
    uint32_t row;      /* of it, there */
    uint32_t task;     /* its index in the snapshot */
    uint32_t gen, seq; /* of the wait */
};

struct recording_reader {
    struct rec_file file;
    struct snapshot *snapshot;
    bool live;             /* the file is being written */
    bool late;             /* nobody looked at the tasks for long (snapshot_look_is_late_after) */
    bool scanned;          /* there are tasks that were found by looking into their runtime */
    uint64_t now_ns;       /* CLOCK_MONOTONIC that ages refer to */
    uint64_t last_walk_ns; /* of the sampler, when the reading began */
    uint32_t *rows;        /* in the file, of the tasks so far */
    size_t row_room;
    struct recording_select *selects; /* so far, in the order of their rows */
    size_t select_count, select_room;
    struct slot_rows descriptors;   /* of the tasks that are being read */
    struct slot_rows asleep;        /* and in what those sleep that published nothing */
    struct snapshot_builder *texts; /* of what tasks wait for, in the snapshot */
    struct err *err;
};

/* The age at a moment of something that began at `since_ns` (CLOCK_MONOTONIC; 0: not known). */
static inline int64_t recording_age_at(uint64_t now_ns, uint64_t since_ns)
{
    if (since_ns == 0)
        return SNAPSHOT_AGE_UNKNOWN;
    uint64_t age_ns = now_ns > since_ns ? now_ns - since_ns : 0;
    return age_ns < INT64_MAX ? (int64_t)age_ns : INT64_MAX;
}

/* Its age now. */
static inline int64_t recording_age(const struct recording_reader *reader, uint64_t since_ns)
{
    return recording_age_at(reader->now_ns, since_ns);
}

#endif
