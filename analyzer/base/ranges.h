/* Tables of rows that begin with `uint64_t start, end`, the first address and the first one past:
 * sorted by start, and no two rows overlap. As for qsort(3), `row_bytes` is the size of a row. */
#ifndef LEAKSPY_ANALYZER_BASE_RANGES_H
#define LEAKSPY_ANALYZER_BASE_RANGES_H

#include <stddef.h>
#include <stdint.h>

/* Sorts rows, and leaves out of two that overlap the later one. Returns how many there are then. */
size_t ranges_sort(void *rows, size_t count, size_t row_bytes);

/* The index of the first row that ends after an address; `count`: none does. */
size_t ranges_after(const void *rows, size_t count, size_t row_bytes, uint64_t address);

/* The index of the row that an address lies in; `count`: none. */
size_t ranges_at(const void *rows, size_t count, size_t row_bytes, uint64_t address);

#endif
