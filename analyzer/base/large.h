/* Memory for tables that may have a row for each of a million tasks. */
#ifndef LEAKSPY_ANALYZER_BASE_LARGE_H
#define LEAKSPY_ANALYZER_BASE_LARGE_H

#include <stdbool.h>
#include <stddef.h>

/* As calloc, and freed by free. Where it is large the kernel is asked for huge pages: to touch
 * small ones for the first time may take longer than all that is done with what is in them, above
 * all in virtual machines. NULL: no memory. */
void *large_calloc(size_t count, size_t bytes);

/* Gives a table of large_calloc, NULL at first, whose first `count` rows are used, more room: twice
 * as much, or `expected` rows where that is more. What is not used is all zeroes. False: no memory,
 * and the table is as it was. */
bool large_grow(void **rows, size_t *room, size_t count, size_t expected, size_t row_bytes);

#endif
