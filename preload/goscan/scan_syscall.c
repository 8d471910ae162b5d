/* A goroutine in a system call runs, and may come back at any moment; there are no more of them
 * than threads. Its stack is read twice, and believed if it is the same one. */
#include "preload/goscan/scan.h"

struct place {
    uint64_t sp, pc, lo, hi;
    uint32_t status;
    uint8_t tracking;
};

static void take_place(const struct go_layout *layout, const uint8_t *g, struct place *ret)
{
    *ret = (struct place){
        .sp = word_at(g, layout->g_syscall_sp),
        .pc = word_at(g, layout->g_syscall_pc),
        .lo = word_at(g, layout->g_stack_lo),
        .hi = word_at(g, layout->g_stack_hi),
        .status = g_status(layout, g),
        .tracking = g[layout->g_tracking],
    };
}

static bool places_agree(const struct place *a, const struct place *b)
{
    return a->sp == b->sp && a->pc == b->pc && a->lo == b->lo && a->hi == b->hi &&
           a->status == b->status && a->tracking == b->tracking;
}

static bool stacks_agree(const struct go_stack *a, const struct go_stack *b)
{
    return a->count == b->count && a->cut == b->cut && a->broken == b->broken &&
           memcmp(a->pcs, b->pcs, a->count * sizeof(*a->pcs)) == 0;
}

static bool read_once(struct goscan *scan, const struct place *place, struct go_stack *ret)
{
    struct scan_state *state = scan_state(scan);
    uint64_t bytes = place->hi - place->sp;
    if (bytes > state->deep_area_bytes)
        bytes = state->deep_area_bytes;
    if (!mem_read(scan->reader, place->sp, state->deep_area, bytes))
        return false;
    go_unwind(&scan->unwinder, place->pc, place->sp, state->deep_area, place->sp, bytes, ret);
    if (ret->broken && place->sp + bytes < place->hi) {
        ret->broken = false;
        ret->cut = true;
    }
    return true;
}

bool scan_syscall_stack(struct goscan *scan, struct scan_item *item)
{
    struct scan_state *state = scan_state(scan);
    struct place before, after;
    struct go_stack first;
    take_place(&scan->layout, item->bytes, &before);
    if (before.pc == 0 || before.sp % 8 != 0 || before.sp < before.lo || before.sp >= before.hi ||
        !read_once(scan, &before, &first) || !read_once(scan, &before, &state->stack) ||
        !stacks_agree(&first, &state->stack) ||
        !g_read(scan->reader, &scan->layout, item->g, item->bytes))
        return false;
    take_place(&scan->layout, item->bytes, &after);
    return places_agree(&before, &after);
}
