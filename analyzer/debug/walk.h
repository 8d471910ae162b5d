/* What all walks over debug information need: bounds, and lists of entries that end. */
#ifndef LEAKSPY_ANALYZER_DEBUG_WALK_H
#define LEAKSPY_ANALYZER_DEBUG_WALK_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>

#include "analyzer/base/rows.h"

/* Bounds for damaged files, far above what compilers make. */
#define DEBUG_MAX_ROWS (1U << 24)
#define DEBUG_MAX_WALKED (1U << 26) /* entries looked at for one index */
#define DEBUG_MAX_NESTING 64

/* As rows_grow; false as well when there are too many. */
static inline bool debug_grow(void *rows_pointer, size_t count, size_t row_bytes)
{
    return count < DEBUG_MAX_ROWS && rows_grow(rows_pointer, count, row_bytes);
}

/* Go on to the next entry in a list of children; false after the last. Entries follow each other in
 * the file; a reference that leads back would make a circle. */
static inline bool debug_next_child(Dwarf_Die *die, size_t *walked)
{
    Dwarf_Off before = dwarf_dieoffset(die);
    return ++*walked < DEBUG_MAX_WALKED && dwarf_siblingof(die, die) == 0 &&
           dwarf_dieoffset(die) > before;
}

#endif
