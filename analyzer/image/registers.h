/* Registers as the kernel writes them, for ptrace and in cores. */
#ifndef LEAKSPY_ANALYZER_IMAGE_REGISTERS_H
#define LEAKSPY_ANALYZER_IMAGE_REGISTERS_H

#include "analyzer/image/image.h"

/* struct user_regs_struct of sys/user.h, word by word: what PTRACE_GETREGSET and NT_PRSTATUS give.
 */
enum user_register {
    USER_R15,
    USER_R14,
    USER_R13,
    USER_R12,
    USER_RBP,
    USER_RBX,
    USER_R11,
    USER_R10,
    USER_R9,
    USER_R8,
    USER_RAX,
    USER_RCX,
    USER_RDX,
    USER_RSI,
    USER_RDI,
    USER_ORIG_RAX, /* the system call's number; negative: not in one */
    USER_RIP,
    USER_CS,
    USER_EFLAGS,
    USER_RSP,
    USER_SS,
    USER_FS_BASE,
    USER_GS_BASE,
    USER_DS,
    USER_ES,
    USER_FS,
    USER_GS,
    USER_REGISTERS
};

/* All of the registers that an image knows of. */
void image_take_registers(const uint64_t user[USER_REGISTERS], struct image_registers *ret);

#endif
