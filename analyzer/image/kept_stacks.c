#include "analyzer/image/kept_stacks.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/table.h"

struct kept_stacks {
    struct table by_thread; /* host_tid: row, from 1 on */
    struct kept_stack *rows;
    size_t count;
    uint64_t pauses, longest_pause_ns;
};

struct kept_stacks *kept_stacks_create(void)
{
    struct kept_stacks *kept = calloc(1, sizeof(*kept));
    if (kept && !table_init(&kept->by_thread, 64)) {
        free(kept);
        return NULL;
    }
    return kept;
}

void kept_stacks_destroy(struct kept_stacks *kept)
{
    if (!kept)
        return;
    for (size_t i = 0; i < kept->count; i++)
        free(kept->rows[i].pcs);
    free(kept->rows);
    table_deinit(&kept->by_thread);
    free(kept);
}

/* Without a number that changes when a thread runs, nobody knows whether it did. */
static bool has_not_run(const struct image_thread *was, const struct image_thread *now)
{
    return was->switches != 0 && was->switches == now->switches && was->call == now->call &&
           memcmp(was->args, now->args, sizeof(was->args)) == 0 &&
           was->registers.value[IMAGE_REGISTER_SP] == now->registers.value[IMAGE_REGISTER_SP] &&
           was->registers.value[IMAGE_REGISTER_PC] == now->registers.value[IMAGE_REGISTER_PC];
}

const struct kept_stack *kept_stacks_find(const struct kept_stacks *kept,
                                          const struct image_thread *thread)
{
    const uint32_t *row = table_find(&kept->by_thread, (struct table_key){thread->host_tid, 1});
    if (!row || !*row || !has_not_run(&kept->rows[*row - 1].thread, thread))
        return NULL;
    return &kept->rows[*row - 1];
}

void kept_stacks_put(struct kept_stacks *kept, const struct kept_stack *stack)
{
    uint64_t *pcs = malloc((stack->pc_count + 1) * sizeof(*pcs));
    uint32_t *row = pcs && rows_grow(&kept->rows, kept->count, sizeof(*kept->rows))
                        ? table_at(&kept->by_thread, (struct table_key){stack->thread.host_tid, 1})
                        : NULL;
    if (!row) {
        free(pcs);
        return;
    }
    if (*row)
        free(kept->rows[*row - 1].pcs);
    else
        *row = (uint32_t)++kept->count;
    if (stack->pc_count)
        memcpy(pcs, stack->pcs, stack->pc_count * sizeof(*pcs));
    kept->rows[*row - 1] = *stack;
    kept->rows[*row - 1].pcs = pcs;
}

void kept_stacks_begin_look(const struct kept_stacks *kept, struct image *image)
{
    image->pauses = kept->pauses;
    image->longest_pause_ns = kept->longest_pause_ns;
}

void kept_stacks_end_look(struct kept_stacks *kept, const struct image *image)
{
    kept->pauses = image->pauses;
    kept->longest_pause_ns = image->longest_pause_ns;
}
