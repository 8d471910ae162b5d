/* Stacks of native code, by the unwind tables of the loaded files. Knows libdw. */
#ifndef LEAKSPY_DEBUG_UNWIND_H
#define LEAKSPY_DEBUG_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#include "analyzer/image.h"

#define DEBUG_UNWIND_DEPTH 256

struct debug_unwind;

/* `image` has to outlive it. NULL: no memory, or none of its files can be read. */
struct debug_unwind *debug_unwind_create(struct image *image);
void debug_unwind_destroy(struct debug_unwind *unwind);

/* Unwinds from `registers`, of which at least sp and pc are known. `stop`: a copy of the stack that
 * is read where it reaches, before the image's memory; NULL: none. `pcs`: the pc, then return
 * addresses. *ret_flags: enum rec_site_flag. Returns how many there are. */
size_t debug_unwind_walk(struct debug_unwind *unwind, const struct image_registers *registers,
                         const struct image_stop *stop, uint64_t pcs[DEBUG_UNWIND_DEPTH],
                         uint16_t *ret_flags);

#endif
