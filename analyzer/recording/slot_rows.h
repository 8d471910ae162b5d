/* Tables of a recording that have a row beside that of each of the first tasks, rewritten while the
 * file is read. */
#ifndef LEAKSPY_ANALYZER_RECORDING_SLOT_ROWS_H
#define LEAKSPY_ANALYZER_RECORDING_SLOT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/recording/file.h"

/* The rows beside those of some tasks, side by side in the file. */
struct slot_rows {
    const struct rec_file *file;
    enum rec_table_id id;
    size_t row_bytes;
    unsigned char *rows; /* twice as many, the second half for a second look */
    uint64_t first;      /* number of the first */
    size_t count;
};

/* `row_bytes`: what is known of a row. `room`: how many tasks are read at once at most. False: no
 * memory. */
bool slot_rows_init(struct slot_rows *ret, const struct rec_file *file, enum rec_table_id id,
                    size_t row_bytes, size_t room);
void slot_rows_deinit(struct slot_rows *rows);

/* Reads the rows beside `count` tasks from row `first` on. False: the file cannot be read. */
bool slot_rows_read(struct slot_rows *rows, uint64_t first, size_t count, struct err *err);

/* The row beside the task in row `number`, of those that were read; all zero where it was being
 * written. NULL: there is none. */
const void *slot_rows_at(const struct slot_rows *rows, uint64_t number);

#endif
