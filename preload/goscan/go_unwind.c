/* Stacks of parked goroutines, by the sizes of frames in pclntab. Which frames end a stack, and
 * which cannot be gone through, is as in src/runtime/traceback.go (unwinder.resolveInternal). */
#include "preload/goscan/pclntab.h"

#include <string.h>

#include "preload/goscan/hash.h"

enum rule_flag {
    RULE_OUTERMOST = 1,
    RULE_WRITES_SP = 2,
    RULE_AT_ENTRY = 4,     /* the address is the function's first: nothing was called yet */
    RULE_INTERRUPTS = 8,   /* what is taken for its caller was interrupted and called nothing */
    RULE_NO_FUNCTION = 16, /* the address is in no function */
};

static struct go_unwind_rule work_out(const struct pclntab *table, uint64_t pc)
{
    struct go_unwind_rule rule = {.pc = pc, .frame_bytes = -1, .flags = RULE_NO_FUNCTION};
    struct pclntab_function function;
    if (!pclntab_find(table, pc, &function))
        return rule;
    int64_t bytes = pclntab_frame_bytes(table, &function, pc);
    rule.frame_bytes = bytes % 8 == 0 && bytes <= INT32_MAX ? (int32_t)bytes : -1;
    rule.flags = (function.flag & PCLNTAB_OUTERMOST) != 0 ? RULE_OUTERMOST : 0;
    if ((function.flag & PCLNTAB_WRITES_SP) != 0 && function.role != PCLNTAB_CGOCALLBACK)
        rule.flags |= RULE_WRITES_SP;
    if (pc == function.entry)
        rule.flags |= RULE_AT_ENTRY;
    if (function.role == PCLNTAB_SIGPANIC || function.role == PCLNTAB_INTERRUPT)
        rule.flags |= RULE_INTERRUPTS;
    return rule;
}

static struct go_unwind_rule rule_of(struct go_unwinder *unwinder, uint64_t pc)
{
    uint64_t mask = (UINT64_C(1) << unwinder->rules_bits) - 1;
    uint64_t slot = hash_word(pc) >> (64 - unwinder->rules_bits);
    /* A quarter stays free, so that looking ends. */
    bool full = unwinder->rules_used > mask - (mask + 1) / 4;
    while (unwinder->rules[slot].pc != 0) {
        if (unwinder->rules[slot].pc == pc)
            return unwinder->rules[slot];
        slot = (slot + 1) & mask;
    }
    struct go_unwind_rule rule = work_out(unwinder->table, pc);
    /* What is no code is not worth the room: there is no end of it in a torn stack. */
    if (!full && pc != 0 && (rule.flags & RULE_NO_FUNCTION) == 0) {
        unwinder->rules[slot] = rule;
        unwinder->rules_used++;
    }
    return rule;
}

/* The word at `address` of the stack's copy. */
static bool stack_word(const void *stack, uint64_t stack_address, size_t bytes, uint64_t address,
                       uint64_t *ret)
{
    uint64_t offset = address - stack_address;
    if (address < stack_address || offset % 8 != 0 || bytes < 8 || offset > bytes - 8)
        return false;
    memcpy(ret, (const char *)stack + offset, sizeof(*ret));
    return true;
}

void go_unwind(struct go_unwinder *unwinder, uint64_t pc, uint64_t sp, const void *stack,
               uint64_t stack_address, size_t bytes, struct go_stack *ret)
{
    ret->count = 0;
    ret->cut = false;
    ret->broken = true;
    /* A call of a nil function: its caller is the first frame. */
    if (pc == 0) {
        if (!stack_word(stack, stack_address, bytes, sp, &pc))
            return;
        sp += 8;
    }
    bool interrupted = false;
    for (;;) {
        struct go_unwind_rule rule = rule_of(unwinder, pc);
        if ((rule.flags & RULE_NO_FUNCTION) != 0 && ret->count > 0)
            return;
        if (ret->count == GO_STACK_DEPTH) {
            ret->cut = true;
            ret->broken = false;
            return;
        }
        bool called = !interrupted && (rule.flags & RULE_AT_ENTRY) == 0;
        ret->pcs[ret->count++] = called ? pc : pc + 1;
        if ((rule.flags & RULE_OUTERMOST) != 0) {
            ret->broken = false;
            return;
        }
        /* A function that writes the stack pointer is parked before it did so, if it is parked
         * itself: at the check of its stack. */
        if (rule.frame_bytes < 0 || ((rule.flags & RULE_WRITES_SP) != 0 && ret->count > 1))
            return;
        uint64_t return_at = sp + (uint32_t)rule.frame_bytes;
        if (return_at < sp || !stack_word(stack, stack_address, bytes, return_at, &pc))
            return;
        sp = return_at + 8;
        interrupted = (rule.flags & RULE_INTERRUPTS) != 0;
    }
}
