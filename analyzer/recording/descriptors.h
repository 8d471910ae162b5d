/* What a recording tells of the descriptors that tasks wait for. */
#ifndef LEAKSPY_ANALYZER_RECORDING_DESCRIPTORS_H
#define LEAKSPY_ANALYZER_RECORDING_DESCRIPTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/recording/file.h"

/* Bytes for what a descriptor is called. */
enum { RECORDING_DESCRIPTOR_TEXT = 512 };

/* The rows beside those of some tasks, side by side in the file. */
struct recording_descriptors {
    const struct rec_file *file;
    struct rec_descriptor *rows; /* twice as many, the second half for a second look */
    uint64_t first;              /* number of the first */
    size_t count;
};

/* `room`: how many tasks are read at once at most. False: no memory. */
bool recording_descriptors_init(struct recording_descriptors *ret, const struct rec_file *file,
                                size_t room);
void recording_descriptors_deinit(struct recording_descriptors *descriptors);

/* Reads the rows beside `count` tasks from row `first` on. False: the file cannot
 * be read. */
bool recording_descriptors_read(struct recording_descriptors *descriptors, uint64_t first,
                                size_t count, struct err *err);

/* The row of the wait that the task in row `number` is in; NULL: there is none. */
const struct rec_descriptor *
recording_descriptors_of(const struct recording_descriptors *descriptors, uint64_t number,
                         const struct rec_task *task);

/* What it is called, as by PID. `listens`: it is known to accept connections. False: the row
 * contradicts itself. */
bool recording_descriptor_text(const struct rec_descriptor *row, bool listens,
                               char to[RECORDING_DESCRIPTOR_TEXT]);

#endif
