#include "analyzer/base/large.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE_BYTES ((size_t)4 << 20) /* two huge pages: at least one of them whole */

void *large_calloc(size_t count, size_t bytes)
{
    char *memory = calloc(count, bytes);
    if (memory && count * bytes >= LARGE_BYTES) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        size_t before = -(uintptr_t)memory & (page - 1);
        madvise(memory + before, count * bytes - before, MADV_HUGEPAGE); /* or not: no matter */
    }
    return memory;
}

bool large_grow(void **rows, size_t *room, size_t count, size_t expected, size_t row_bytes)
{
    const size_t least = 256;
    size_t larger = *room ? *room * 2 : least;
    if (larger < expected)
        larger = expected;
    void *moved = large_calloc(larger, row_bytes);
    if (!moved)
        return false;
    if (count)
        memcpy(moved, *rows, count * row_bytes);
    free(*rows);
    *rows = moved;
    *room = larger;
    return true;
}
