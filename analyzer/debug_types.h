/* The layout of the Go runtime's structures and the addresses of its data, from DWARF. Needed only
 * for a version of Go that layout.def does not know, or for a program whose symbols are elsewhere:
 * all types of a Go program stand in one unit, which is walked from its beginning. */
#ifndef LEAKSPY_DEBUG_TYPES_H
#define LEAKSPY_DEBUG_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/debug_file.h"
#include "preload/goscan/layout.h"

/* Fills *layout, which holds the nearest version that is known, with what the DWARF says. Optional
 * fields of structures that are not there keep what they are; of structures that are there but do
 * not have them they become GO_ABSENT. False: there is no DWARF, or something that is needed is not
 * in it: *ret_missing then names its member, or is NULL. */
bool debug_types_layout(struct debug_file *file, struct go_layout *layout,
                        const char **ret_missing);

/* A variable that is looked for, by its name in DWARF ("runtime.allgs"). */
struct debug_variable {
    const char *name;
    uint64_t address; /* in the file's own numbering; 0: not found */
};

/* Finds variables with a fixed address. Returns how many were found. */
size_t debug_types_variables(struct debug_file *file, struct debug_variable *variables,
                             size_t count);

#endif
