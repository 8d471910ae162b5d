/* The functions of one ELF file by its own symbol tables: names at addresses, and addresses of
 * names. Quick, and without separate debug files: for what is to be recognized, not shown.
 * Knows libelf. Addresses are in the file's own numbering. */
#ifndef LEAKSPY_ANALYZER_DEBUG_NAMES_H
#define LEAKSPY_ANALYZER_DEBUG_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct debug_names;

/* NULL: the file is not to be had, or has no symbols. */
struct debug_names *debug_names_open(const char *path);
void debug_names_close(struct debug_names *names);

/* The function around an address, by the plainest of its names; NULL: none. *ret_start: where it
 * begins. The text lives as long as `names`. */
const char *debug_names_function(const struct debug_names *names, uint64_t address,
                                 uint64_t *ret_start);

/* Where the function around an address begins, named or not, by the file's table for unwinding.
 * False: it says nothing of it. */
bool debug_names_begin(const struct debug_names *names, uint64_t address, uint64_t *ret_start);

/* The function after the `*at`th, which is counted on; `*at` is 0 at first. NULL: there are no
 * more. */
const char *debug_names_next(const struct debug_names *names, size_t *at, uint64_t *ret_start,
                             uint64_t *ret_bytes);

/* The address of a function or an object. False: there is none of that name. */
bool debug_names_find(const struct debug_names *names, const char *name, uint64_t *ret);

#endif
