#include "preload/unwind.h"

#include <string.h>

#include "preload/arch.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/own_stack.h"
#include "preload/recorder.h"
#include "preload/unwind_rules.h"

static struct module_range own_module; /* frames of ours are not shown */

/* How a walker reads stack memory. */
struct walker {
    uint64_t pc, sp, fp;
    uint64_t low, high; /* the stack's memory, if `direct` */
    bool direct;        /* reads are plain loads: the memory is there as long as this thread is */
    struct unwind_trace *trace; /* of these loads; NULL: none is kept */
    char *window;               /* a copy of stack memory; NULL: none is kept */
    uint64_t window_start;
    size_t window_bytes;
};

#define WINDOW_BYTES 4096
#define MAX_STEPS (4 * UNWIND_MAX_FRAMES)

static void trace_read(struct walker *walker, uint64_t address, uint64_t value)
{
    struct unwind_trace *trace = walker->trace;
    if (trace == NULL)
        return;
    if (trace->count == UNWIND_MAX_READS) {
        walker->trace = NULL;
        return;
    }
    trace->reads[trace->count].address = address;
    trace->reads[trace->count++].value = value;
}

static bool walker_read(struct walker *walker, uint64_t address, uint64_t *ret)
{
    if (walker->direct && address >= walker->low && address <= walker->high - sizeof(*ret) &&
        address % sizeof(*ret) == 0) {
        *ret = *(const uint64_t *)address;
        trace_read(walker, address, *ret);
        return true;
    }
    walker->trace = NULL;
    if (walker->window == NULL)
        return memory_read(address, ret, sizeof(*ret));
    if (address < walker->window_start || address - walker->window_start > walker->window_bytes ||
        walker->window_bytes - (address - walker->window_start) < sizeof(*ret)) {
        walker->window_start = address;
        walker->window_bytes = memory_read_some(address, walker->window, WINDOW_BYTES);
        if (walker->window_bytes < sizeof(*ret))
            return false;
    }
    memcpy(ret, walker->window + (address - walker->window_start), sizeof(*ret));
    return true;
}

static void walker_rule(struct walker *walker, struct rule *rule)
{
    if (rule_find(walker->pc, rule))
        return;
    *rule = (struct rule){.pc = walker->pc, .kind = RULE_NO_INFO};
    if (recorder_quiet && !recorder_thread.sampler)
        return; /* what this thread has not learned it may not ask for now */
    rule_learn(rule);
}

enum walked { WALKED_ON, WALKED_TO_END, WALKED_NOWHERE };

static enum walked walk_real_step(struct walker *walker)
{
    struct rule_step step = {.pc = walker->pc - 1, .sp = walker->sp, .fp = walker->fp};
    walker->trace = NULL;
    int result = rule_step(&step);
    if (result <= 0)
        return result == 0 ? WALKED_TO_END : WALKED_NOWHERE;
    walker->pc = step.pc;
    walker->sp = step.sp;
    walker->fp = step.fp;
    if (walker->sp < walker->low || walker->sp >= walker->high)
        walker->direct = false;
    return WALKED_ON;
}

/* To what a signal interrupted. The handler has returned to the trampoline with the stack pointer
 * at what the kernel saved there (struct rt_sigframe). */
static enum walked walk_signal_frame(struct walker *walker)
{
    uint64_t pc, sp, fp;
    walker->trace = NULL;
    if (!walker_read(walker, walker->sp + ARCH_SIGNAL_PC, &pc) ||
        !walker_read(walker, walker->sp + ARCH_SIGNAL_SP, &sp) ||
        !walker_read(walker, walker->sp + ARCH_SIGNAL_FP, &fp))
        return WALKED_NOWHERE;
    walker->pc = pc + 1; /* so that pc - 1 is the place in every frame */
    walker->sp = sp;
    walker->fp = fp;
    walker->direct = false; /* it may have run on another stack */
    return WALKED_ON;
}

static enum walked walk_frame_pointer(struct walker *walker)
{
    struct arch_frame frame;
    walker->direct = false; /* from here on it is guesswork */
    if (walker->fp < walker->sp || walker->fp - walker->sp > (1U << 20) ||
        walker->fp % sizeof(uint64_t) != 0 || !walker_read(walker, walker->fp, &frame.caller_fp) ||
        !walker_read(walker, walker->fp + sizeof(uint64_t), &frame.return_pc))
        return WALKED_NOWHERE;
    walker->sp = walker->fp + sizeof(frame);
    walker->fp = frame.caller_fp;
    walker->pc = frame.return_pc;
    return walker->pc == 0 ? WALKED_TO_END : WALKED_ON;
}

/* Is the walker at a frame of this library? */
static bool is_ours(const struct walker *walker)
{
    return walker->pc - 1 >= own_module.start && walker->pc - 1 < own_module.end;
}

/* To the caller of the walker's frame. */
static enum walked walk(struct walker *walker)
{
    struct rule rule;
    walker_rule(walker, &rule);
    switch ((enum rule_kind)rule.kind) {
    case RULE_SP:
    case RULE_FP:
        break;
    case RULE_END:
        return WALKED_TO_END;
    case RULE_STEP:
        return walk_real_step(walker);
    case RULE_SIGNAL:
        return walk_signal_frame(walker);
    case RULE_NONE:
    case RULE_NO_INFO:
        return walk_frame_pointer(walker);
    }
    uint64_t base = rule.kind == RULE_SP ? walker->sp : walker->fp;
    uint64_t cfa = base + (uint64_t)(int64_t)rule.cfa_offset;
    uint64_t pc, fp = walker->fp;
    if (!walker_read(walker, cfa + (uint64_t)(int64_t)rule.return_offset, &pc) ||
        (rule.fp_offset != 0 && !walker_read(walker, cfa + (uint64_t)(int64_t)rule.fp_offset, &fp)))
        return WALKED_NOWHERE;
    walker->sp = cfa;
    walker->fp = fp;
    walker->pc = pc;
    return pc == 0 ? WALKED_TO_END : WALKED_ON;
}

static void walk_all(struct walker *walker, struct unwind_stack *ret)
{
    enum walked walked = WALKED_ON;
    ret->count = 0;
    ret->flags = 0;
    /* Damaged stacks may lead round in a circle. */
    for (int steps = 0; walked == WALKED_ON && steps < MAX_STEPS; steps++) {
        if (!is_ours(walker)) {
            if (ret->count == UNWIND_MAX_FRAMES) {
                ret->flags |= REC_SITE_CUT;
                return;
            }
            ret->pcs[ret->count++] = walker->pc;
        }
        walked = walk(walker);
    }
    if (walked != WALKED_TO_END)
        ret->flags |= REC_SITE_BROKEN;
}

void unwind_own(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t low, uint64_t high,
                struct unwind_trace *trace, struct unwind_stack *ret)
{
    struct walker walker = {.pc = pc, .sp = sp, .fp = fp, .low = low, .high = high};
    walker.direct = low < high && sp >= low && sp < high;
    if (trace != NULL) {
        trace->pc = 0;
        trace->count = 0;
        trace->flushes = rule_flushes();
        walker.trace = trace;
    }
    walk_all(&walker, ret);
    if (trace == NULL || walker.trace == NULL || !walker.direct)
        return;
    trace->sp = sp;
    trace->fp = fp;
    trace->high = high;
    trace->pc = pc;
}

bool unwind_is_same(const struct unwind_trace *trace, uint64_t pc, uint64_t sp, uint64_t fp,
                    uint64_t high)
{
    if (trace->pc != pc || trace->sp != sp || trace->fp != fp || trace->high != high ||
        trace->flushes != rule_flushes())
        return false;
    for (uint32_t i = 0; i < trace->count; i++)
        if (*(const uint64_t *)trace->reads[i].address != trace->reads[i].value)
            return false;
    return true;
}

static char sampler_window[WINDOW_BYTES];

static void walk_if(bool known, struct walker *walker, struct unwind_stack *ret)
{
    ret->count = 0;
    ret->flags = REC_SITE_BROKEN;
    if (known)
        walk_all(walker, ret);
}

void unwind_parked(uint64_t cfa, uint64_t fp, struct unwind_stack *ret)
{
    struct walker walker = {.sp = cfa, .window = sampler_window};
    walk_if(walker_read(&walker, fp + offsetof(struct arch_frame, caller_fp), &walker.fp) &&
                walker_read(&walker, fp + offsetof(struct arch_frame, return_pc), &walker.pc),
            &walker, ret);
}

void unwind_passing(uint64_t cfa, uint64_t fp, struct unwind_stack *ret)
{
    struct walker walker = {.sp = cfa, .fp = fp, .window = sampler_window};
    walk_if(walker_read(&walker, cfa - sizeof(walker.pc), &walker.pc), &walker, ret);
}

void unwind_asleep(uint64_t pc, uint64_t sp, struct unwind_stack *ret)
{
    struct walker walker = {.pc = pc, .sp = sp, .window = sampler_window};
    walk_all(&walker, ret);
}

bool unwind_own_stack_has_ours(uint64_t cfa)
{
    struct walker walker = {
        .pc = (uint64_t)__builtin_return_address(0),
        .sp = (uint64_t)__builtin_dwarf_cfa(),
        .fp = ((const struct arch_frame *)__builtin_frame_address(0))->caller_fp,
    };
    walker.low = walker.sp;
    walker.high = own_stack_end(walker.sp);
    walker.direct = walker.high != 0;
    for (int i = 0; i < 1000 && !recorder_thread.inside && !recorder_quiet; i++) {
        bool ours = is_ours(&walker);
        enum walked walked = walk(&walker);
        if (walked != WALKED_ON)
            return walked == WALKED_NOWHERE;
        if (walker.sp == cfa)
            return ours;
    }
    return true;
}

bool unwind_init(bool may_open)
{
    module_find((uint64_t)&unwind_init, &own_module);
    return rules_init(may_open);
}
