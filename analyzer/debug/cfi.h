/* How to get from a frame to its caller, as the call frame information of one ELF file says
 * (.eh_frame, .debug_frame). Knows libdw.
 *
 * Source: DWARF 5, section 6.4; System V ABI, AMD64, section 3.6.2 for the numbers of registers.
 * Files are not trusted: what libdw refuses is no answer, every program that is run is bounded.
 */
#ifndef LEAKSPY_ANALYZER_DEBUG_CFI_H
#define LEAKSPY_ANALYZER_DEBUG_CFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"

struct debug_cfi;

/* Opens a file by path. NULL: it is not to be had, no ELF file of x86-64, or has no such tables. */
struct debug_cfi *debug_cfi_open(const char *path);

/* The same from the memory of a loaded module: `bytes` from its first address on, which are the
 * callee's from now on (malloc; also on failure). */
struct debug_cfi *debug_cfi_open_loaded(void *memory, size_t bytes);

void debug_cfi_close(struct debug_cfi *cfi);

enum cfi_kind {
    CFI_UNDEFINED, /* it cannot be had back; of the pc: there is no caller */
    CFI_SAME,      /* the frame left it as it was */
    CFI_AT,        /* it was saved at the CFA + offset */
    CFI_VALUE,     /* it is the CFA + offset */
    CFI_MOVED,     /* it is in another register */
    CFI_COMPUTED,  /* by an expression of the file */
};

struct cfi_register {
    uint8_t kind; /* enum cfi_kind */
    uint8_t other;
    int32_t offset;
};

/* What holds for one address. */
struct cfi_row {
    bool signal;          /* its caller was interrupted by a signal, not calling */
    uint8_t cfa_register; /* CFA = this register + cfa_offset; IMAGE_REGISTERS: by an expression */
    int32_t cfa_offset;
    struct cfi_register registers[IMAGE_REGISTERS];
    void *frame; /* libdw's, kept for expressions; NULL: there are none */
};

/* Finds the row for an address, in the file's numbering. False: the file does not know it. */
bool debug_cfi_find(struct debug_cfi *cfi, uint64_t address, struct cfi_row *ret);
void cfi_row_deinit(struct cfi_row *row);

/* The memory of the process that a stack is in. */
struct cfi_memory {
    bool (*read)(struct cfi_memory *memory, uint64_t address, uint64_t *ret);
};

/* From the registers of a frame to those of its caller; what is not known stays unknown.
 * pc: the frame's own address, for expressions that look at it. *ret_lacking: registers (bit n)
 * that the step needed and nobody knew. Returns false when the caller's stack pointer and pc cannot
 * be told; the pc is unknown in *ret, with true, when there is no caller. */
bool cfi_step(const struct cfi_row *row, uint64_t pc, const struct image_registers *registers,
              struct cfi_memory *memory, struct image_registers *ret, uint32_t *ret_lacking);

#endif
