#include "analyzer/image_registers.h"

void image_take_registers(const uint64_t user[USER_REGISTERS], struct image_registers *ret)
{
    /* By DWARF number (System V ABI, AMD64, figure 3.36): the place in user_regs_struct. */
    static const uint8_t place[IMAGE_REGISTERS] = {
        10 /* rax */, 12 /* rdx */, 11 /* rcx */, 5 /* rbx */, 13 /* rsi */, 14 /* rdi */,
        4 /* rbp */,  19 /* rsp */, 9 /* r8 */,   8 /* r9 */,  7 /* r10 */,  6 /* r11 */,
        3 /* r12 */,  2 /* r13 */,  1 /* r14 */,  0 /* r15 */, 16 /* rip */,
    };
    for (unsigned i = 0; i < IMAGE_REGISTERS; i++)
        ret->value[i] = user[place[i]];
    ret->known = (1u << IMAGE_REGISTERS) - 1;
}
