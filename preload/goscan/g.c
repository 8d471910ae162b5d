#include "preload/goscan/g.h"

#define STACK_MAX_BYTES (UINT64_C(1) << 30)
#define STACK_MIN_BYTES 2048 /* both bounds are multiples of it */
#define MAX_ID (UINT64_C(1) << 56)

size_t g_bytes(const struct go_layout *layout)
{
    const uint16_t fields[] = {
        layout->g_stack_lo, layout->g_stack_hi,   layout->g_m,           layout->g_sched_sp,
        layout->g_sched_pc, layout->g_syscall_pc, layout->g_syscall_sp,  layout->g_status,
        layout->g_id,       layout->g_wait_since, layout->g_wait_reason, layout->g_tracking,
        layout->g_locked_m, layout->g_parent_id,  layout->g_created_pc,  layout->g_ancestors,
        layout->g_start_pc, layout->g_waiting,    layout->g_labels,
    };
    return go_layout_reach(fields, sizeof(fields) / sizeof(*fields));
}

bool g_read(struct mem_reader *reader, const struct go_layout *layout, uint64_t address, void *to)
{
    return mem_read(reader, address, to, g_bytes(layout));
}

static bool bounds_fit(uint64_t low, uint64_t high)
{
    return low != 0 && low < high && high - low <= STACK_MAX_BYTES;
}

/* Whether the bounds of its stack fit each other and its state. */
static bool stack_fits(const struct go_layout *layout, const void *bytes)
{
    uint64_t low = word_at(bytes, layout->g_stack_lo), high = word_at(bytes, layout->g_stack_hi);
    uint64_t sp = word_at(bytes, layout->g_sched_sp);
    return bounds_fit(low, high) &&
           (g_status(layout, bytes) != G_WAITING || (sp >= low && sp < high));
}

/* The bounds are two words, which are not written at once: its thread may lose the processor
 * between them. A dead one has no stack, or is given one, or loses it; that of a live one is
 * replaced in a state of its own, or by the collector, or, where it is made smaller, by itself. And
 * the one that collects says that it waits before it leaves its stack, of which nothing is kept
 * until then (src/runtime/stack.go, newstack; mgc.go, gcMarkTermination). */
static bool stack_may_change(const struct go_layout *layout, const void *bytes)
{
    uint64_t low = word_at(bytes, layout->g_stack_lo), high = word_at(bytes, layout->g_stack_hi);
    bool scanned = (half_at(bytes, layout->g_status) & G_SCAN) != 0;
    switch (g_status(layout, bytes)) {
    case G_IDLE:
        return low == 0 && high == 0; /* not listed yet when it is given one */
    case G_DEAD:
    case G_DEAD_EXTRA:
        return low == 0 || high == 0;
    case G_COPYSTACK:
        return true;
    case G_RUNNING:
        return low != 0 && high != 0 && (low | high) % STACK_MIN_BYTES == 0;
    case G_WAITING:
        return scanned || (word_at(bytes, layout->g_sched_sp) == 0 && bounds_fit(low, high));
    default:
        return scanned;
    }
}

bool g_is_plausible(const struct go_layout *layout, const void *bytes,
                    const struct pclntab *functions)
{
    uint64_t start = word_at(bytes, layout->g_start_pc);
    uint32_t status = g_status(layout, bytes);
    if (status > G_STATUS_LAST || status == 5 || status == 7 ||
        word_at(bytes, layout->g_id) >= MAX_ID)
        return false;
    /* One that came from C was started by no code of Go. */
    if (start != 0 && !pclntab_covers(functions, start))
        return false;
    return stack_fits(layout, bytes) || stack_may_change(layout, bytes);
}

bool g_stands_still(const struct go_layout *layout, const void *bytes)
{
    return g_status(layout, bytes) != G_COPYSTACK && stack_fits(layout, bytes);
}
