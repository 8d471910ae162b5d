/* One unit of a file's debug information, without the rest of it. libdw unfolds every compressed
 * section of a file before it answers anything, which is most of what it costs to ask something
 * small of a large program. Here .debug_info is unfolded up to the end of the unit that is wanted,
 * and libdw is given a file in memory that has that and .debug_abbrev alone. So what says its name
 * in another section has none: Go's linker writes names where they are used, other linkers do not.
 *
 * The file is not trusted, and is read, not mapped: it may be cut short meanwhile. */
#ifndef LEAKSPY_ANALYZER_DEBUG_HEAD_H
#define LEAKSPY_ANALYZER_DEBUG_HEAD_H

#include <stddef.h>
#include <stdint.h>

struct Dwarf; /* libdw's */
struct debug_head;

/* Where a section is in its file. */
struct debug_section {
    uint64_t offset, bytes; /* 0 bytes: there is none */
    enum debug_packing {
        DEBUG_PACKING_NONE,
        DEBUG_PACKING_ELF, /* SHF_COMPRESSED */
        DEBUG_PACKING_GNU, /* by its name, .zdebug_info: Go 1.18 does that */
    } packing;
};

struct debug_sections {
    struct debug_section info, abbreviations;
};

/* NULL: the file cannot be read, there is none of these sections in it, or no memory. */
struct debug_head *debug_head_open(const char *path, const struct debug_sections *sections);

/* NULL is fine. */
void debug_head_close(struct debug_head *head);

/* Finds the next unit of that language (DW_LANG_Go) in which these bytes stand somewhere, as a name
 * does; the first one at first. *ret_die: the offset of its entry. NULL: there is none among those
 * that can be read. What was returned before is good until this is called again, or the head is
 * closed. */
struct Dwarf *debug_head_next(struct debug_head *head, int language, const void *bytes,
                              size_t count, uint64_t *ret_die);

#endif
