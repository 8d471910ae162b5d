/* Stacks of native code, by the unwind tables of the loaded files. Knows libdw. */
#ifndef LEAKSPY_ANALYZER_DEBUG_UNWIND_H
#define LEAKSPY_ANALYZER_DEBUG_UNWIND_H

#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"

#define DEBUG_UNWIND_DEPTH 256

struct debug_unwind;

/* `image` has to outlive it. NULL: no memory. */
struct debug_unwind *debug_unwind_create(struct image *image);
void debug_unwind_destroy(struct debug_unwind *unwind);

/* Unwinds from `registers`, of which at least sp and pc are known. `stop`: a copy of the stack that
 * is read where it reaches, before the image's memory; NULL: none. `pcs`: the pc, then return
 * addresses. The pc is taken for a return address too, as behind a system call or a call that
 * switched stacks; of a thread that was interrupted anywhere, give the pc + 1. *ret_flags: enum
 * rec_site_flag. Returns how many there are. */
size_t debug_unwind_walk(struct debug_unwind *unwind, const struct image_registers *registers,
                         const struct image_stop *stop, uint64_t pcs[DEBUG_UNWIND_DEPTH],
                         uint16_t *ret_flags);

/* The registers (bit n) without which the last walk could not go on; 0: it was not for that. */
uint32_t debug_unwind_lacking(const struct debug_unwind *unwind);

#endif
