/* Tables that grow a row at a time, and whose length nobody knows beforehand. */
#ifndef LEAKSPY_ANALYZER_BASE_ROWS_H
#define LEAKSPY_ANALYZER_BASE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

/* Makes room for one row behind the first `count`. `rows_pointer`: address of the pointer to the
 * table, which is NULL at first, and freed by free; `row_bytes`: size of a row. There is room for
 * the next power of two above `count`, so the table is moved only where `count` is one, and need
 * not say how large it is. What is new is not cleared. False: no memory, or more than size_t
 * counts; the table is as it was. */
bool rows_grow(void *rows_pointer, size_t count, size_t row_bytes);

#endif
