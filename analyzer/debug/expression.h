/* Expressions of call frame information, run over the registers of a frame (DWARF 5, section 2.5).
 * Knows libdw. */
#ifndef LEAKSPY_ANALYZER_DEBUG_EXPRESSION_H
#define LEAKSPY_ANALYZER_DEBUG_EXPRESSION_H

#include <elfutils/libdw.h>

#include "analyzer/debug/cfi.h"

/* What an expression runs over. */
struct debug_expression {
    const struct image_registers *registers;
    uint64_t pc; /* the frame's own */
    struct cfi_memory *memory;
    bool has_cfa;
    uint64_t cfa;
    uint32_t lacking; /* registers (bit n) that were asked for and are not known */
};

struct debug_value {
    uint64_t number;
    bool is_value;    /* else it is where the value stands */
    bool is_register; /* number is that of the register that holds it */
};

/* A register of the frame. False: not known, and noted as lacking. */
bool debug_expression_register(struct debug_expression *expression, int number, uint64_t *ret);

/* Runs `count` operations. False: one of them is not known here, memory or a register could not be
 * read, it leaves nothing, or it does not come to an end. */
bool debug_expression_run(struct debug_expression *expression, const Dwarf_Op *ops, size_t count,
                          struct debug_value *ret);

#endif
