/* A recording as a file: opened, its header and tables checked, its rows read in pieces.
 *
 * Nothing in the file is trusted. It is read with pread and never mapped, because its writer may
 * cut it short at any moment. Memory is bounded by what is asked for, not by what the file says.
 */
#ifndef LEAKSPY_ANALYZER_RECORDING_FILE_H
#define LEAKSPY_ANALYZER_RECORDING_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/err.h"
#include "preload/recording.h"

struct rec_file {
    int fd;
    char *path;
    uint64_t file_bytes;
    struct rec_header header;
    struct rec_table tables[REC_TABLE_COUNT + 1]; /* by id; stride 0: not there */
};

/* Opens and checks. Errors: the file cannot be opened or read; it is no recording, of a newer major
 * version, of another byte order, truncated, not begun yet, or its tables are impossible. */
bool rec_file_open(struct rec_file *file, const char *path, struct err *err);
/* Reads and checks the header of an open file anew, and how long its tables are by now. False: as
 * above. */
bool rec_file_read_header(struct rec_file *file, struct err *err);
/* Opens a file that was found in a folder, not named by anybody: no link to elsewhere. */
bool rec_file_open_found(struct rec_file *file, const char *path);
void rec_file_close(struct rec_file *file);

/* How many rows of a table can be read: what is taken, at most what fits. */
uint64_t rec_file_rows(const struct rec_file *file, enum rec_table_id id);

/* Reads rows [first, first + count) of a table into `rows`, packed to `row_bytes` each (what this
 * program knows of a row; the file's rows may be longer). Bytes past the file's end read as zeroes.
 * False: the read failed. */
bool rec_file_read(const struct rec_file *file, enum rec_table_id id, uint64_t first, size_t count,
                   void *rows, size_t row_bytes, struct err *err);

/* The first row at or after `row` that may hold something other than zeroes: skips holes of sparse
 * files. Returns the number of rows when only a hole is left. */
uint64_t rec_file_next_data(const struct rec_file *file, enum rec_table_id id, uint64_t row);

/* Whether rows [first, first + count), within what fits, may hold something other than zeroes. */
bool rec_file_has_data(const struct rec_file *file, enum rec_table_id id, uint64_t first,
                       size_t count);

#endif
