/* The functions, inlined calls and lines of a file's DWARF. Addresses are looked up by two indexes:
 * the ranges of all units, and the functions of one unit, which is made when the unit is first met.
 */
#ifndef LEAKSPY_ANALYZER_DEBUG_UNITS_H
#define LEAKSPY_ANALYZER_DEBUG_UNITS_H

#include <elfutils/libdw.h>

#include "analyzer/debug/file.h"

struct debug_units;

/* Index the units of `dwarf`, which must outlive the result. NULL when there is none in it, or no
 * memory. */
struct debug_units *debug_units_create(Dwarf *dwarf);

/* NULL is fine. */
void debug_units_destroy(struct debug_units *units);

/* As debug_file_frames; the address is in the numbering of the debug information. */
size_t debug_units_frames(struct debug_units *units, uint64_t address,
                          struct debug_frame frames[DEBUG_FILE_MAX_FRAMES]);

#endif
