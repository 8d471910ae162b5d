#include "tests/unit/analyzer/memory_here.h"

#include <string.h>

uint64_t here_readable_from = HERE_FIRST_PAGE;

static void read_own(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    for (size_t i = 0; i < count; i++) {
        pieces[i].ok = pieces[i].address >= here_readable_from && pieces[i].address < UINT64_C(1)
                                                                                          << 47;
        if (pieces[i].ok)
            memcpy(pieces[i].to, (const void *)pieces[i].address, pieces[i].bytes);
    }
}

struct mem_reader here_memory = {read_own};
