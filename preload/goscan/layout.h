/* Where the fields are that the scanner reads, in the structures of one version of Go's runtime.
 * The table is layout.def; a caller that has DWARF fills the same structure from it. */
#ifndef LEAKSPY_GOSCAN_LAYOUT_H
#define LEAKSPY_GOSCAN_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GO_MINOR_OLDEST 18
#define GO_MINOR_NEWEST 27

#define GO_ABSENT 0xffffU /* this version has no such field */

/* Offsets in bytes, or the size of a structure. */
struct go_layout {
    uint16_t minor; /* 24 for Go 1.24 */
#define FIELD(name, ...) uint16_t name;
#include "preload/goscan/layout.def"
#undef FIELD
};

/* How DWARF names what a member of go_layout says. */
struct go_layout_field {
    const char *member; /* "g_sched_sp" */
    const char *type;   /* "runtime.g" */
    const char *path;   /* "sched.sp"; "" : the size of the type. Where versions differ there are
                           several, separated by '|': the first one that exists counts */
    size_t offset;      /* of the uint16_t in struct go_layout */
    bool optional;      /* not in every program, or not in every version */
};

extern const struct go_layout_field go_layout_fields[];
extern const size_t go_layout_field_count;

/* The table's layout of Go 1.`minor`. False: it is not in the table; *ret is that of the nearest
 * version, fit to be filled from DWARF. */
bool go_layout_of(unsigned minor, struct go_layout *ret);

/* How many bytes of a structure hold the words at these `count` offsets, of which some may be
 * GO_ABSENT. Fields of less than a word have another one, or nothing, behind them. */
size_t go_layout_reach(const uint16_t *fields, size_t count);

#endif
