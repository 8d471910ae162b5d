/* What a recording tells of the descriptors that tasks wait for. */
#ifndef LEAKSPY_ANALYZER_RECORDING_DESCRIPTORS_H
#define LEAKSPY_ANALYZER_RECORDING_DESCRIPTORS_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/recording/slot_rows.h"

/* Bytes for what a descriptor is called. */
enum { RECORDING_DESCRIPTOR_TEXT = 512 };

/* The row of the wait that the task in row `number` is in, of the rows beside the tasks; NULL:
 * there is none. */
const struct rec_descriptor *recording_descriptor_of(const struct slot_rows *descriptors,
                                                     uint64_t number, const struct rec_task *task);

/* What it is called, as by PID. `listens`: it is known to accept connections. False: the row
 * contradicts itself. */
bool recording_descriptor_text(const struct rec_descriptor *row, bool listens,
                               char to[RECORDING_DESCRIPTOR_TEXT]);

#endif
