#include "analyzer/recording/file.h"

#include <byteswap.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"

/* What this program knows of each table's rows. */
static const struct {
    const char *name;
    size_t row_bytes;
    bool required;
} known_tables[REC_TABLE_COUNT + 1] = {
    [REC_TABLE_TASKS] = {"tasks", sizeof(struct rec_task), true},
    [REC_TABLE_SITES] = {"sites", sizeof(struct rec_site), false},
    [REC_TABLE_PCS] = {"pcs", sizeof(uint64_t), false},
    [REC_TABLE_FRAMES] = {"frames", sizeof(struct rec_frame), false},
    [REC_TABLE_STRINGS] = {"strings", 1, true},
    [REC_TABLE_MODULES] = {"modules", sizeof(struct rec_module), false},
    [REC_TABLE_CALLS] = {"calls", sizeof(struct rec_call), true},
    [REC_TABLE_CASES] = {"cases", sizeof(struct rec_case), false},
    [REC_TABLE_DESCRIPTORS] = {"descriptors", sizeof(struct rec_descriptor), false},
    [REC_TABLE_ASLEEP] = {"asleep", sizeof(struct rec_asleep), false},
};

#define MAX_STRIDE 65536U

/* The fields that say whether the rest can be understood. */
static bool check_identity(const struct rec_file *file, size_t got, struct err *err)
{
    const struct rec_header *header = &file->header;
    const char *path = file->path;

    if (got < sizeof(header->magic)) {
        if (got == 0)
            return err_set(err, ERR_NOT_A_RECORDING, path, "is empty, not a recording");
        return err_set(err, ERR_NOT_A_RECORDING, path, "is not a recording (%zu bytes)", got);
    }
    if (header->magic == bswap_64(REC_MAGIC))
        return err_set(err, ERR_NOT_A_RECORDING, path,
                       "was recorded on a machine with the other byte order");
    if (header->magic != REC_MAGIC) {
        if (header->magic == 0)
            return err_set(err, ERR_NOT_A_RECORDING, path,
                           "is not a recording, or one that has not begun yet");
        return err_set(err, ERR_NOT_A_RECORDING, path, "is not a recording");
    }
    if (got < offsetof(struct rec_header, header_bytes))
        return err_set(err, ERR_TRUNCATED, path, "is truncated: it ends in the header");
    if (header->major > REC_MAJOR)
        return err_set(err, ERR_NEWER_VERSION, path,
                       "has format version %u.%u, a newer version than %d.%d, the one that this "
                       "leakspy reads",
                       header->major, header->minor, REC_MAJOR, REC_MINOR);
    if (header->major == 0)
        return err_set(err, ERR_CORRUPT, path, "has format version 0, which never existed");
    if (got < sizeof(*header))
        return err_set(err, ERR_TRUNCATED, path, "is truncated: it ends in the header");
    if (header->byte_order != REC_BYTE_ORDER)
        return err_set(err, ERR_CORRUPT, path, "states an unknown byte order (%#" PRIx32 ")",
                       header->byte_order);
    if (header->state == REC_STATE_STARTING)
        return err_set(err, ERR_NOT_A_RECORDING, path, "has only just begun: try again");
    if (header->header_bytes < sizeof(*header) || header->header_bytes > REC_HEADER_BYTES)
        return err_set(err, ERR_CORRUPT, path, "is damaged: a header of %" PRIu32 " bytes",
                       header->header_bytes);
    if (file->file_bytes < header->file_bytes)
        return err_set(err, ERR_TRUNCATED, path,
                       "is truncated: %" PRIu64 " of %" PRIu64 " bytes are there", file->file_bytes,
                       header->file_bytes);
    return true;
}

static bool check_table(struct rec_file *file, const struct rec_table *table, struct err *err)
{
    if (table->id == 0 || table->id > REC_TABLE_COUNT)
        return true; /* from a newer minor version: nothing that we would look for */

    const char *name = known_tables[table->id].name;
    if (file->tables[table->id].stride)
        return err_set(err, ERR_CORRUPT, file->path, "is damaged: two tables of %s", name);
    if (table->version > 1)
        return err_set(err, ERR_NEWER_VERSION, file->path,
                       "has a table of %s of version %" PRIu32
                       ", a newer version than 1, the one that this leakspy reads",
                       name, table->version);
    if (table->version == 0 || table->stride < known_tables[table->id].row_bytes ||
        table->stride > MAX_STRIDE || (table->id == REC_TABLE_STRINGS && table->stride != 1) ||
        table->offset % 4096 || table->offset < file->header.header_bytes)
        return err_set(err, ERR_CORRUPT, file->path,
                       "is damaged: its table of %s is impossible (version %" PRIu32
                       ", offset %" PRIu64 ", %" PRIu32 " bytes a row)",
                       name, table->version, table->offset, table->stride);
    uint64_t bytes = (uint64_t)table->stride * table->capacity;
    if (table->offset > file->file_bytes || bytes > file->file_bytes - table->offset)
        return err_set(err, ERR_CORRUPT, file->path,
                       "is damaged: its table of %s ends past the end of the file", name);
    file->tables[table->id] = *table;
    return true;
}

static bool check_tables(struct rec_file *file, const char *page, size_t page_bytes,
                         struct err *err)
{
    size_t first = offsetof(struct rec_header, tables);
    uint32_t most = (uint32_t)((page_bytes - first) / sizeof(struct rec_table));
    if (file->header.table_count > most)
        return err_set(err, ERR_CORRUPT, file->path, "is damaged: a header with %" PRIu32 " tables",
                       file->header.table_count);
    for (uint32_t i = 0; i < file->header.table_count; i++) {
        struct rec_table table;
        memcpy(&table, page + first + i * sizeof(table), sizeof(table));
        if (!check_table(file, &table, err))
            return false;
    }
    for (unsigned id = 1; id <= REC_TABLE_COUNT; id++) {
        if (known_tables[id].required && !file->tables[id].stride)
            return err_set(err, ERR_CORRUPT, file->path, "is damaged: it has no table of %s",
                           known_tables[id].name);
    }
    return true;
}

bool rec_file_read_header(struct rec_file *file, struct err *err)
{
    struct stat status;
    char page[REC_HEADER_BYTES] = {0};
    if (fstat(file->fd, &status) != 0)
        return err_system(err, file->path, errno);
    if (!S_ISREG(status.st_mode))
        return err_set(err, ERR_NOT_A_RECORDING, file->path, "is not a regular file");
    ssize_t got = file_read_at(file->fd, 0, page, sizeof(page));
    if (got < 0)
        return err_system(err, file->path, errno);
    file->file_bytes = (uint64_t)status.st_size;
    memcpy(&file->header, page, sizeof(file->header));
    memset(file->tables, 0, sizeof(file->tables));
    return check_identity(file, (size_t)got, err) &&
           check_tables(file, page, file->header.header_bytes, err);
}

bool rec_file_open(struct rec_file *file, const char *path, struct err *err)
{
    memset(file, 0, sizeof(*file));
    /* Not blocking: a FIFO without a writer would make open wait for ever. */
    file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file->fd < 0)
        return err_system(err, path, errno);

    file->path = strdup(path);
    bool ok = file->path ? rec_file_read_header(file, err) : err_system(err, path, ENOMEM);
    if (!ok)
        rec_file_close(file);
    return ok;
}

void rec_file_close(struct rec_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    free(file->path);
    file->path = NULL;
}

bool rec_file_open_found(struct rec_file *file, const char *path)
{
    struct stat found, opened;
    if (lstat(path, &found) != 0 || !S_ISREG(found.st_mode) || !rec_file_open(file, path, NULL))
        return false;
    bool same = fstat(file->fd, &opened) == 0 && opened.st_ino == found.st_ino &&
                opened.st_dev == found.st_dev;
    if (!same)
        rec_file_close(file);
    return same;
}

uint64_t rec_file_rows(const struct rec_file *file, enum rec_table_id id)
{
    const struct rec_table *table = &file->tables[id];
    return table->count < table->capacity ? table->count : table->capacity;
}

bool rec_file_read(const struct rec_file *file, enum rec_table_id id, uint64_t first, size_t count,
                   void *rows, size_t row_bytes, struct err *err)
{
    const struct rec_table *table = &file->tables[id];
    memset(rows, 0, count * row_bytes);
    if (table->stride == row_bytes) {
        uint64_t offset = table->offset + first * table->stride;
        if (file_read_at(file->fd, offset, rows, count * row_bytes) < 0)
            return err_system(err, file->path, errno);
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t offset = table->offset + (first + i) * table->stride;
        if (file_read_at(file->fd, offset, (char *)rows + i * row_bytes, row_bytes) < 0)
            return err_system(err, file->path, errno);
    }
    return true;
}

/* Where the first data at or after `offset` are, of a file with holes; UINT64_MAX: nowhere. */
static uint64_t next_data_at(const struct rec_file *file, uint64_t offset)
{
    off_t data = lseek(file->fd, (off_t)offset, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? UINT64_MAX : offset; /* ENXIO: nothing but a hole up to the end */
    return (uint64_t)data;
}

uint64_t rec_file_next_data(const struct rec_file *file, enum rec_table_id id, uint64_t row)
{
    const struct rec_table *table = &file->tables[id];
    uint64_t rows = rec_file_rows(file, id);
    if (row >= rows)
        return rows;
    uint64_t offset = table->offset + row * table->stride;
    uint64_t data = next_data_at(file, offset);
    if (data <= offset)
        return row;
    uint64_t next = row + (data - offset) / table->stride;
    return next < rows ? next : rows;
}

bool rec_file_has_data(const struct rec_file *file, enum rec_table_id id, uint64_t first,
                       size_t count)
{
    const struct rec_table *table = &file->tables[id];
    uint64_t offset = table->offset + first * table->stride;
    return next_data_at(file, offset) < offset + count * (uint64_t)table->stride;
}
