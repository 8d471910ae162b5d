#include "analyzer/large.h"

#include <stdint.h>
#include <stdlib.h>
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
