#include "analyzer/base/ranges.h"

#include <stdlib.h>
#include <string.h>

struct range {
    uint64_t start, end;
};

static const struct range *row_of(const void *rows, size_t row_bytes, size_t index)
{
    return (const struct range *)((const char *)rows + index * row_bytes);
}

static int compare(const void *a, const void *b)
{
    const struct range *left = a, *right = b;
    return left->start < right->start ? -1 : left->start > right->start;
}

size_t ranges_sort(void *rows, size_t count, size_t row_bytes)
{
    size_t kept = 0;
    if (count > 0)
        qsort(rows, count, row_bytes, compare);
    for (size_t i = 0; i < count; i++) {
        const struct range *row = row_of(rows, row_bytes, i);
        if (kept == 0 || row->start >= row_of(rows, row_bytes, kept - 1)->end)
            memmove((char *)rows + kept++ * row_bytes, row, row_bytes);
    }
    return kept;
}

size_t ranges_after(const void *rows, size_t count, size_t row_bytes, uint64_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (row_of(rows, row_bytes, middle)->end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t ranges_at(const void *rows, size_t count, size_t row_bytes, uint64_t address)
{
    size_t index = ranges_after(rows, count, row_bytes, address);
    return index < count && row_of(rows, row_bytes, index)->start <= address ? index : count;
}
