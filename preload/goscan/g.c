#include "preload/goscan/g.h"

#define STACK_MAX_BYTES (UINT64_C(1) << 30)
#define ID_MAX (UINT64_C(1) << 56)

size_t g_bytes(const struct go_layout *layout)
{
    const uint16_t fields[] = {
        layout->g_stack_hi,   layout->g_m,           layout->g_sched_pc,  layout->g_sched_bp,
        layout->g_syscall_pc, layout->g_syscall_sp,  layout->g_status,    layout->g_id,
        layout->g_wait_since, layout->g_wait_reason, layout->g_tracking,  layout->g_locked_m,
        layout->g_parent_id,  layout->g_created_pc,  layout->g_ancestors, layout->g_start_pc,
        layout->g_waiting,    layout->g_labels,
    };
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        if (fields[i] != GO_ABSENT && fields[i] + 8U > bytes)
            bytes = fields[i] + 8U;
    }
    return bytes;
}

bool g_read(struct mem_reader *reader, const struct go_layout *layout, uint64_t address, void *to)
{
    return mem_read(reader, address, to, g_bytes(layout));
}

bool g_is_plausible(const struct go_layout *layout, const void *bytes,
                    const struct pclntab *functions)
{
    uint64_t low = word_at(bytes, layout->g_stack_lo), high = word_at(bytes, layout->g_stack_hi);
    uint64_t sp = word_at(bytes, layout->g_sched_sp), start = word_at(bytes, layout->g_start_pc);
    uint32_t status = g_status(layout, bytes);
    bool dead = status == G_DEAD || status == G_DEAD_EXTRA || status == G_IDLE;
    /* A dead one may have no stack. */
    bool stack = low != 0 && low < high && high - low <= STACK_MAX_BYTES;
    if (status > G_STATUS_LAST || status == 5 || status == 7 ||
        word_at(bytes, layout->g_id) >= ID_MAX || (!stack && !(dead && low == 0 && high == 0)))
        return false;
    /* One that came from C was started by no code of Go. */
    if (start != 0 && !pclntab_covers(functions, start))
        return false;
    return status != G_WAITING || (sp >= low && sp < high);
}
