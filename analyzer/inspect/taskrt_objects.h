/* What parked tasks of a libtaskrt wait on: channels, the channels of a select, owners of mutexes.
 */
#ifndef LEAKSPY_ANALYZER_INSPECT_TASKRT_OBJECTS_H
#define LEAKSPY_ANALYZER_INSPECT_TASKRT_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/inspect/taskrt_looks.h"
#include "analyzer/snapshot/builder.h"

#define TASKRT_MAX_CHAN_BYTES 512

static inline bool taskrt_waits_on_channel(uint32_t reason)
{
    return reason == TASKRT_REASON_SEND || reason == TASKRT_REASON_RECEIVE;
}

/* Reads the objects of the first `count` looks, which were read. Tasks side by side often share
 * one. */
void taskrt_objects_read(struct taskrt_looks *looks, size_t count);

/* Reads the cases of one that is parked in a select, and adds them to the snapshot. */
void taskrt_objects_read_cases(struct taskrt_looks *looks, struct taskrt_look *look,
                               struct snapshot_builder *builder);

#endif
