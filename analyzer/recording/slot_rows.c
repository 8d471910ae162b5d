#include "analyzer/recording/slot_rows.h"

#include <stdlib.h>
#include <string.h>

bool slot_rows_init(struct slot_rows *ret, const struct rec_file *file, enum rec_table_id id,
                    size_t row_bytes, size_t room)
{
    *ret = (struct slot_rows){
        .file = file, .id = id, .row_bytes = row_bytes, .rows = malloc(2 * room * row_bytes)};
    return ret->rows != NULL;
}

void slot_rows_deinit(struct slot_rows *rows)
{
    free(rows->rows);
    *rows = (struct slot_rows){0};
}

/* How many rows there are in all is not asked: the file was opened before its tasks were read, and
 * what they waited for may have been written since. Most tasks have none: then the rows are in a
 * hole of the file. */
bool slot_rows_read(struct slot_rows *rows, uint64_t first, size_t count, struct err *err)
{
    uint64_t room = rows->file->tables[rows->id].capacity;
    rows->first = first;
    rows->count = 0;
    if (first >= room)
        return true;
    if (count > room - first)
        count = (size_t)(room - first);
    if (!rec_file_has_data(rows->file, rows->id, first, count))
        return true;
    rows->count = count;
    unsigned char *once = rows->rows, *again = once + count * rows->row_bytes;
    if (!rec_file_read(rows->file, rows->id, first, count, once, rows->row_bytes, err) ||
        !rec_file_read(rows->file, rows->id, first, count, again, rows->row_bytes, err))
        return false;
    /* One that is written meanwhile may be of two waits. */
    for (size_t at = 0; at < count * rows->row_bytes; at += rows->row_bytes) {
        if (memcmp(once + at, again + at, rows->row_bytes) != 0)
            memset(once + at, 0, rows->row_bytes);
    }
    return true;
}

const void *slot_rows_at(const struct slot_rows *rows, uint64_t number)
{
    if (number < rows->first || number - rows->first >= rows->count)
        return NULL;
    return rows->rows + (number - rows->first) * rows->row_bytes;
}
