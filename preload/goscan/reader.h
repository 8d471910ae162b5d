/* Memory of a process, whichever way it is read: the own one, another one, a core, an array in a
 * test. Whoever implements it puts a struct mem_reader first in a struct of its own. */
#ifndef LEAKSPY_GOSCAN_READER_H
#define LEAKSPY_GOSCAN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One piece of what is to be read. */
struct mem_piece {
    uint64_t address;
    void *to;
    size_t bytes;
    bool ok; /* set by the reader: all of it was read; if not, what is in `to` is anything */
};

struct mem_reader {
    /* Reads all pieces, each wholly or not at all, in whichever order; together they cost as few
     * system calls as the reader manages. One thread at a time. */
    void (*read)(struct mem_reader *reader, struct mem_piece *pieces, size_t count);
};

/* Reads one piece. */
static inline bool mem_read(struct mem_reader *reader, uint64_t address, void *to, size_t bytes)
{
    struct mem_piece piece = {.address = address, .to = to, .bytes = bytes};
    reader->read(reader, &piece, 1);
    return piece.ok;
}

/* Words of 8 and of 4 bytes in what was read, aligned or not. */
static inline uint64_t word_at(const void *bytes, size_t offset)
{
    uint64_t word;
    memcpy(&word, (const char *)bytes + offset, sizeof(word));
    return word;
}

static inline uint32_t half_at(const void *bytes, size_t offset)
{
    uint32_t word;
    memcpy(&word, (const char *)bytes + offset, sizeof(word));
    return word;
}

#endif
