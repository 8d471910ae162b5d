/* The layout of the Go runtime's structures and the addresses of its data, from DWARF. All types of
 * a Go program stand in one unit: the last one of package runtime. */
#ifndef LEAKSPY_ANALYZER_DEBUG_TYPES_H
#define LEAKSPY_ANALYZER_DEBUG_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/debug/file.h"
#include "analyzer/debug/head.h"
#include "preload/goscan/layout.h"

/* Fills *layout, which holds that of the version or of the nearest one that is known, with what the
 * DWARF says. What it does not say stays as it is; optional fields of structures that are there but
 * do not have them become GO_ABSENT. Structures of which all is absent are not looked for. False:
 * there is no DWARF, or something that is needed is not in it: *ret_missing then names its member,
 * or is NULL. */
bool debug_types_layout(struct debug_file *file, struct go_layout *layout,
                        const char **ret_missing);

/* The same from the unit of runtime.g alone, which is much cheaper. */
bool debug_types_layout_in_head(struct debug_head *head, struct go_layout *layout,
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
