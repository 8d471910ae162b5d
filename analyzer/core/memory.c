#include "analyzer/core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzer/base/file_reader.h"
#include "analyzer/base/ranges.h"
#include "analyzer/base/rows.h"

static size_t least(uint64_t a, uint64_t b)
{
    return (size_t)(a < b ? a : b);
}

/* A descriptor of a file, opened if need be; -1: it cannot be. */
static int open_file(struct core_memory *memory, const char *path)
{
    for (size_t i = 0; i < memory->open_count; i++) {
        if (memory->open[i].path == path)
            return memory->open[i].fd;
    }
    size_t at = memory->open_next;
    if (at < memory->open_count && memory->open[at].fd >= 0)
        close(memory->open[at].fd);
    memory->open[at].path = path;
    memory->open[at].fd = file_open(path, NULL);
    if (at == memory->open_count)
        memory->open_count++;
    memory->open_next = (at + 1) % CORE_OPEN_FILES;
    return memory->open[at].fd;
}

/* Reads from a mapped file at most `bytes` bytes; 0: there is none, or it ends before. *ret_mapped:
 * there was something at that address. */
static size_t read_mapped(struct core_memory *memory, uint64_t address, void *to, size_t bytes,
                          bool *ret_mapped)
{
    size_t i =
        ranges_at(memory->overlays, memory->overlay_count, sizeof(*memory->overlays), address);
    if (i == memory->overlay_count)
        return 0;
    *ret_mapped = true;
    const struct core_overlay *row = &memory->overlays[i];
    int fd = open_file(memory, row->path);
    bytes = least(bytes, row->end - address);
    ssize_t got =
        fd >= 0 ? pread(fd, to, bytes, (off_t)(row->file_offset + (address - row->start))) : 0;
    return got > 0 ? (size_t)got : 0;
}

static bool read_piece(struct core_memory *memory, const struct mem_piece *piece)
{
    size_t done = 0;
    while (done < piece->bytes) {
        uint64_t address = piece->address + done;
        char *to = (char *)piece->to + done;
        size_t left = piece->bytes - done, got = 0;
        const struct core_range *range = core_file_range(memory->core, address);
        bool mapped = range && range->readable;
        if (address < piece->address)
            return false;
        uint64_t at = range ? address - range->start : 0;
        if (range && at < range->file_bytes) {
            got = least(left, range->file_bytes - at);
            if (!core_file_read(memory->core, range->offset + at, to, got))
                got = 0;
        } else if (!range || at >= range->dumped_bytes) {
            /* Of what was not dumped, up to where the core has something again. What was dumped and
             * is cut off need not be what the file has. */
            const struct core_range *next = core_file_next(memory->core, address);
            if (range)
                left = least(left, range->end - address);
            if (next < memory->core->ranges + memory->core->range_count)
                left = least(left, next->start - address);
            got = read_mapped(memory, address, to, left, &mapped);
        }
        if (got == 0) {
            if (mapped && memory->misses++ == 0)
                memory->first_miss = address;
            return false;
        }
        done += got;
    }
    return true;
}

static void read_pieces(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = read_piece((struct core_memory *)reader, &pieces[i]);
}

void core_memory_init(struct core_memory *ret, const struct core_file *core)
{
    *ret = (struct core_memory){.reader = {.read = read_pieces}, .core = core};
}

void core_memory_deinit(struct core_memory *memory)
{
    for (size_t i = 0; i < memory->open_count; i++) {
        if (memory->open[i].fd >= 0)
            close(memory->open[i].fd);
    }
    free(memory->overlays);
    memset(memory, 0, sizeof(*memory));
}

bool core_memory_overlay(struct core_memory *memory, const struct core_overlay *row)
{
    if (!rows_grow(&memory->overlays, memory->overlay_count, sizeof(*memory->overlays)))
        return false;
    memory->overlays[memory->overlay_count++] = *row;
    return true;
}
