/* How to get from a frame to its caller: learned from libunwind once an address, and kept. */
#ifndef LEAKSPY_UNWIND_RULES_H
#define LEAKSPY_UNWIND_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum rule_kind {
    RULE_NONE,    /* not known yet */
    RULE_SP,      /* the caller's stack pointer is ours + cfa_offset */
    RULE_FP,      /* the caller's stack pointer is our frame pointer + cfa_offset */
    RULE_END,     /* the outermost frame */
    RULE_STEP,    /* libunwind has to take this step itself */
    RULE_SIGNAL,  /* a signal handler returns to it: the kernel saved the registers */
    RULE_NO_INFO, /* no call frame information: the chain of frame pointers is all there is */
};

struct rule {
    uint64_t pc;
    int32_t cfa_offset;
    int32_t return_offset; /* where the return address is, from the caller's stack pointer */
    int32_t fp_offset;     /* where the caller's frame pointer is; 0: still in its register */
    uint32_t kind;         /* enum rule_kind */
    uint64_t unused;       /* so that a page holds whole rows */
};

/* As unwind_init. */
bool rules_init(bool may_open);

/* libunwind is not called any more. */
void rules_give_up(void);

/* The rule for rule->pc, if it is known. Lock-free; any thread, any context. */
bool rule_find(uint64_t pc, struct rule *ret);

/* Asks libunwind for the rule of rule->pc, and keeps it. Takes the unwinder's lock. */
void rule_learn(struct rule *rule);

/* How often all rules were forgotten. */
uint32_t rule_flushes(void);

/* Registers of a frame. */
struct rule_step {
    uint64_t pc, sp, fp;
    bool no_info;
};

/* Lets libunwind take the step from *step to its caller. 1: done; 0: there is none; negative: it
 * cannot be told. Takes the unwinder's lock. */
int rule_step(struct rule_step *step);

#endif
