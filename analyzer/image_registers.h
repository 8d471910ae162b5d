/* Registers as the kernel writes them, for ptrace and in cores. */
#ifndef LEAKSPY_IMAGE_REGISTERS_H
#define LEAKSPY_IMAGE_REGISTERS_H

#include "analyzer/image.h"

/* struct user_regs_struct of sys/user.h, word by word: what PTRACE_GETREGSET and NT_PRSTATUS give.
 */
#define USER_REGISTERS 27
#define USER_REGISTER_CALL 15 /* orig_rax: the system call's number; negative: not in one */
#define USER_REGISTER_FS_BASE 21

/* All of the registers that an image knows of. */
void image_take_registers(const uint64_t user[USER_REGISTERS], struct image_registers *ret);

#endif
