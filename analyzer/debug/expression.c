#include "analyzer/debug/expression.h"

#include <dwarf.h>
#include <string.h>

#define STACK_WORDS 64
#define MAX_STEPS 1000

struct machine {
    uint64_t stack[STACK_WORDS];
    size_t depth;
};

bool debug_expression_register(struct debug_expression *expression, int number, uint64_t *ret)
{
    if (number == IMAGE_REGISTER_PC) {
        *ret = expression->pc;
        return true;
    }
    if (number < 0 || number >= IMAGE_REGISTERS)
        return false;
    if (!(expression->registers->known >> number & 1)) {
        expression->lacking |= 1U << number;
        return false;
    }
    *ret = expression->registers->value[number];
    return true;
}

static bool push(struct machine *machine, uint64_t value)
{
    if (machine->depth == STACK_WORDS)
        return false;
    machine->stack[machine->depth++] = value;
    return true;
}

/* Only aligned words are read: at most two, of which the bytes are a part. */
static bool read_bytes(struct debug_expression *expression, uint64_t address, uint64_t bytes,
                       uint64_t *ret)
{
    struct cfi_memory *memory = expression->memory;
    uint64_t before = address % 8, word, next;
    if (bytes == 0 || bytes > 8 || !memory->read(memory, address - before, &word))
        return false;
    word >>= 8 * before;
    if (before + bytes > 8) {
        if (!memory->read(memory, address - before + 8, &next))
            return false;
        word |= next << 8 * (8 - before);
    }
    *ret = bytes < 8 ? word & ((UINT64_C(1) << 8 * bytes) - 1) : word;
    return true;
}

/* Operations that put one more word on the stack. */
static bool run_push(struct debug_expression *expression, struct machine *machine,
                     const Dwarf_Op *op)
{
    uint64_t value;
    if (op->atom >= DW_OP_lit0 && op->atom <= DW_OP_lit31)
        return push(machine, op->atom - DW_OP_lit0);
    if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
        return debug_expression_register(expression, op->atom - DW_OP_breg0, &value) &&
               push(machine, value + op->number);
    switch (op->atom) {
    case DW_OP_addr:
    case DW_OP_const1u:
    case DW_OP_const2u:
    case DW_OP_const4u:
    case DW_OP_const8u:
    case DW_OP_constu:
        return push(machine, op->number);
    case DW_OP_const1s:
        return push(machine, (uint64_t)(int64_t)(int8_t)op->number);
    case DW_OP_const2s:
        return push(machine, (uint64_t)(int64_t)(int16_t)op->number);
    case DW_OP_const4s:
        return push(machine, (uint64_t)(int64_t)(int32_t)op->number);
    case DW_OP_const8s:
    case DW_OP_consts:
        return push(machine, op->number);
    case DW_OP_bregx:
        return op->number < IMAGE_REGISTERS &&
               debug_expression_register(expression, (int)op->number, &value) &&
               push(machine, value + op->number2);
    case DW_OP_call_frame_cfa:
        return expression->has_cfa && push(machine, expression->cfa);
    case DW_OP_dup:
        return machine->depth >= 1 && push(machine, machine->stack[machine->depth - 1]);
    case DW_OP_over:
        return machine->depth >= 2 && push(machine, machine->stack[machine->depth - 2]);
    case DW_OP_pick:
        return op->number < machine->depth &&
               push(machine, machine->stack[machine->depth - 1 - op->number]);
    default:
        return false;
    }
}

/* Operations that turn the word on top into another one. */
static bool run_unary(struct debug_expression *expression, uint64_t *top, const Dwarf_Op *op)
{
    switch (op->atom) {
    case DW_OP_deref:
        return read_bytes(expression, *top, 8, top);
    case DW_OP_deref_size:
        return read_bytes(expression, *top, op->number, top);
    case DW_OP_plus_uconst:
        *top += op->number;
        return true;
    case DW_OP_neg:
        *top = -*top;
        return true;
    case DW_OP_not:
        *top = ~*top;
        return true;
    case DW_OP_abs:
        *top = (int64_t)*top < 0 ? -*top : *top;
        return true;
    default:
        return false;
    }
}

/* Operations that make one word of the two on top: `a` below `b`. */
static bool run_binary(uint64_t a, uint64_t b, uint8_t atom, uint64_t *ret)
{
    int64_t left = (int64_t)a, right = (int64_t)b;
    switch (atom) {
    case DW_OP_plus:
        *ret = a + b;
        return true;
    case DW_OP_minus:
        *ret = a - b;
        return true;
    case DW_OP_mul:
        *ret = a * b;
        return true;
    case DW_OP_div:
        if (right == 0)
            return false;
        *ret = right == -1 ? -a : (uint64_t)(left / right); /* the least number has no opposite */
        return true;
    case DW_OP_mod: /* without signs, as libgcc does it */
        if (b == 0)
            return false;
        *ret = a % b;
        return true;
    case DW_OP_and:
        *ret = a & b;
        return true;
    case DW_OP_or:
        *ret = a | b;
        return true;
    case DW_OP_xor:
        *ret = a ^ b;
        return true;
    case DW_OP_shl:
        *ret = b < 64 ? a << b : 0;
        return true;
    case DW_OP_shr:
        *ret = b < 64 ? a >> b : 0;
        return true;
    case DW_OP_shra:
        *ret = (uint64_t)(left >> (b < 64 ? b : 63));
        return true;
    case DW_OP_eq:
        *ret = left == right;
        return true;
    case DW_OP_ne:
        *ret = left != right;
        return true;
    case DW_OP_lt:
        *ret = left < right;
        return true;
    case DW_OP_le:
        *ret = left <= right;
        return true;
    case DW_OP_gt:
        *ret = left > right;
        return true;
    case DW_OP_ge:
        *ret = left >= right;
        return true;
    default:
        return false;
    }
}

/* Any operation but branches and descriptions. */
static bool run_one(struct debug_expression *expression, struct machine *machine,
                    const Dwarf_Op *op)
{
    if (run_push(expression, machine, op))
        return true;
    if (machine->depth >= 1 && op->atom == DW_OP_drop) {
        machine->depth--;
        return true;
    }
    if (machine->depth >= 1 && run_unary(expression, &machine->stack[machine->depth - 1], op))
        return true;
    if (machine->depth < 2)
        return false;
    uint64_t *a = &machine->stack[machine->depth - 2], *b = a + 1;
    if (op->atom == DW_OP_swap) {
        uint64_t swap = *a;
        *a = *b;
        *b = swap;
        return true;
    }
    if (op->atom == DW_OP_rot && machine->depth >= 3) {
        uint64_t top = *b;
        *b = *a;
        *a = *(a - 1);
        *(a - 1) = top;
        return true;
    }
    machine->depth--;
    return run_binary(*a, *b, op->atom, a);
}

/* How many bytes a number of 7 bits a byte has (DWARF 5, section 7.6). */
static uint64_t bytes_unsigned(uint64_t number)
{
    uint64_t bytes = 1;
    while ((number >>= 7) != 0)
        bytes++;
    return bytes;
}

static uint64_t bytes_signed(uint64_t number)
{
    uint64_t bits = (int64_t)number < 0 ? ~number : number;
    return bytes_unsigned(bits << 1); /* one more, for the sign */
}

/* How many bytes an operation has, with what it runs on. */
static uint64_t bytes_of(const Dwarf_Op *op)
{
    if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31)
        return 1 + bytes_signed(op->number);
    switch (op->atom) {
    case DW_OP_const1u:
    case DW_OP_const1s:
    case DW_OP_pick:
    case DW_OP_deref_size:
        return 2;
    case DW_OP_const2u:
    case DW_OP_const2s:
    case DW_OP_skip:
    case DW_OP_bra:
        return 3;
    case DW_OP_const4u:
    case DW_OP_const4s:
        return 5;
    case DW_OP_addr:
    case DW_OP_const8u:
    case DW_OP_const8s:
        return 9;
    case DW_OP_constu:
    case DW_OP_plus_uconst:
        return 1 + bytes_unsigned(op->number);
    case DW_OP_consts:
        return 1 + bytes_signed(op->number);
    case DW_OP_bregx:
        return 1 + bytes_unsigned(op->number) + bytes_signed(op->number2);
    default:
        return 1;
    }
}

/* The operation that a branch goes to: they are known by their offsets. It may go to the end, where
 * there is none (DWARF 5, section 2.5.1.5). False: it goes elsewhere. */
static bool branch(const Dwarf_Op *ops, size_t count, size_t *at)
{
    /* An operand of two bytes follows the operation's own byte. */
    Dwarf_Word to = ops[*at].offset + 3 + (Dwarf_Word)(int64_t)(int16_t)ops[*at].number;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].offset == to) {
            *at = i;
            return true;
        }
    }
    *at = count;
    return to == ops[count - 1].offset + bytes_of(&ops[count - 1]);
}

bool debug_expression_run(struct debug_expression *expression, const Dwarf_Op *ops, size_t count,
                          struct debug_value *ret)
{
    struct machine machine = {.depth = 0};
    size_t at = 0;
    memset(ret, 0, sizeof(*ret));
    for (unsigned step = 0; at < count; step++) {
        const Dwarf_Op *op = &ops[at];
        if (step == MAX_STEPS)
            return false;
        if (op->atom == DW_OP_stack_value && at == count - 1) {
            ret->is_value = true;
            break;
        }
        if ((op->atom >= DW_OP_reg0 && op->atom <= DW_OP_reg31) || op->atom == DW_OP_regx) {
            ret->is_register = true;
            ret->number = op->atom == DW_OP_regx ? op->number : (Dwarf_Word)(op->atom - DW_OP_reg0);
            return count == 1 && ret->number < IMAGE_REGISTERS;
        }
        bool jumps = op->atom == DW_OP_skip;
        if (op->atom == DW_OP_bra) {
            if (machine.depth == 0)
                return false;
            jumps = machine.stack[--machine.depth] != 0;
        } else if (op->atom != DW_OP_skip && op->atom != DW_OP_nop &&
                   !run_one(expression, &machine, op)) {
            return false;
        }
        if (!jumps)
            at++;
        else if (!branch(ops, count, &at))
            return false;
    }
    if (machine.depth == 0)
        return false;
    ret->number = machine.stack[machine.depth - 1];
    return true;
}
