#include "analyzer/image/registers.h"

void image_take_registers(const uint64_t user[USER_REGISTERS], struct image_registers *ret)
{
    /* By DWARF number (System V ABI, AMD64, figure 3.36). */
    static const enum user_register place[IMAGE_REGISTERS] = {
        USER_RAX, USER_RDX, USER_RCX, USER_RBX, USER_RSI, USER_RDI, USER_RBP, USER_RSP, USER_R8,
        USER_R9,  USER_R10, USER_R11, USER_R12, USER_R13, USER_R14, USER_R15, USER_RIP,
    };
    for (unsigned i = 0; i < IMAGE_REGISTERS; i++)
        ret->value[i] = user[place[i]];
    ret->known = (1u << IMAGE_REGISTERS) - 1;
}
