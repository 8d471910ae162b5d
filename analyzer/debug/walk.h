/* What all walks over debug information need: rows that grow, lists of entries that end. */
#ifndef LEAKSPY_ANALYZER_DEBUG_WALK_H
#define LEAKSPY_ANALYZER_DEBUG_WALK_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

/* Bounds for damaged files, far above what compilers make. */
#define DEBUG_MAX_ROWS (1U << 24)
#define DEBUG_MAX_WALKED (1U << 26) /* entries looked at for one index */
#define DEBUG_MAX_NESTING 64

/* Make room for one row more. Returns false when there is no memory or there are too many. */
static inline bool debug_grow(void **rows, size_t *room, size_t count, size_t row_bytes)
{
    if (count < *room)
        return true;
    size_t wanted = *room == 0 ? 64 : *room * 2;
    if (count >= DEBUG_MAX_ROWS)
        return false;
    void *larger = reallocarray(*rows, wanted, row_bytes);
    if (larger == NULL)
        return false;
    *rows = larger;
    *room = wanted;
    return true;
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
