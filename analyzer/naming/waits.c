#include "analyzer/naming/waits.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"
#include "analyzer/base/rows.h"
#include "analyzer/base/table.h"
#include "analyzer/base/text.h"
#include "analyzer/naming/op_rules.h"

bool waits_init(struct waits *waits, const struct snapshot *snapshot)
{
    memset(waits, 0, sizeof(*waits));
    struct table table;
    waits->of_task = large_calloc(snapshot->task_count + 1, sizeof(*waits->of_task));
    waits->rows = calloc(1, sizeof(*waits->rows));
    waits->same_site = calloc(snapshot->site_count + 1, sizeof(*waits->same_site));
    waits->joined_later = calloc(snapshot->site_count + 1, sizeof(*waits->joined_later));
    bool ok = table_init(&table, 64) && waits->of_task && waits->rows && waits->same_site &&
              waits->joined_later;
    waits->count = 1;
    for (uint32_t i = 0; ok && i < snapshot->site_count; i++)
        waits->same_site[i] = i;

    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (!(task->flags & SNAPSHOT_PARKED))
            continue;
        uint32_t *row = table_at(&table, (struct table_key){task->call, task->wait_site});
        if (!row) {
            ok = false;
            break;
        }
        if (*row == 0) {
            ok = rows_grow(&waits->rows, waits->count, sizeof(*waits->rows));
            if (!ok)
                break;
            *row = (uint32_t)waits->count;
            waits->rows[waits->count++] = (struct wait){
                .call = task->call,
                .site = task->wait_site,
                .op = snapshot->calls[task->call].op,
            };
        }
        waits->of_task[i] = *row;
    }
    table_deinit(&table);
    if (!ok)
        waits_deinit(waits);
    return ok;
}

void waits_deinit(struct waits *waits)
{
    free(waits->rows);
    free(waits->of_task);
    free(waits->same_site);
    free(waits->joined_later);
    memset(waits, 0, sizeof(*waits));
}

/* Whether two rows are the same file, which was perhaps unloaded and loaded again. */
static bool is_same_file(const struct snapshot_module *a, const struct snapshot_module *b)
{
    if (a == b || !a || !b)
        return a == b;
    return strcmp(a->path, b->path) == 0 && a->path[0] && a->build_id_bytes == b->build_id_bytes &&
           memcmp(a->build_id, b->build_id, a->build_id_bytes) == 0;
}

static uint64_t place_of(const struct frame *frame)
{
    return frame->module ? frame->offset : frame->pc;
}

/* Whether two stacks read the same: addresses may differ, functions, files and lines may not. Where
 * lines are not known, places in the files decide. Both are the parts that are shown. */
static bool reads_same(const struct stack *a, const struct stack *b)
{
    if (a->count != b->count || a->flags != b->flags)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct frame *left = &a->frames[i];
        const struct frame *right = &b->frames[i];
        if (!is_same_file(left->module, right->module))
            return false;
        if (place_of(left) == place_of(right) && left->inlined == right->inlined)
            continue;
        /* Equal strings are the same pointer (debug/symbols.h). */
        if (left->line == 0 || left->line != right->line || left->function != right->function ||
            left->file != right->file || left->inlined != right->inlined)
            return false;
    }
    return true;
}

/* What stacks that read the same have in common. */
static struct table_key reading_of(const struct stack *stack)
{
    uint64_t sum = stack->count;
    for (size_t i = 0; i < stack->count; i++) {
        const struct frame *frame = &stack->frames[i];
        uint64_t word =
            frame->line ? (uint64_t)frame->line ^ (uintptr_t)frame->function : place_of(frame);
        sum = table_mix(sum, word);
    }
    return (struct table_key){sum, 0};
}

/* Finds the first site that reads as `site` does. Two readings with the same key, which nobody will
 * see, keep their own sites. */
static bool find_same(struct waits *waits, struct stacks *stacks, struct table *readings,
                      struct table *done, uint32_t site)
{
    uint32_t *known = table_at(done, (struct table_key){site, 0});
    if (!known)
        return false;
    if (site == 0 || *known)
        return true;
    *known = 1;
    const struct stack stack = stack_user_part(stacks_get(stacks, site));
    if (stack.count == 0)
        return true;
    uint32_t *row = table_at(readings, reading_of(&stack));
    if (!row)
        return false;
    if (*row == 0) {
        *row = site;
        return true;
    }
    const struct stack first = stack_user_part(stacks_get(stacks, *row));
    if (reads_same(&first, &stack))
        waits->same_site[site] = *row;
    return true;
}

/* Waits that may be one: they have the same call, sites that read the same, and, where frames that
 * are not shown say different things, the same name. */
static struct table_key meaning_of(const struct waits *waits, const struct wait *wait)
{
    return (struct table_key){(uint64_t)wait->call << 32 | waits->same_site[wait->site],
                              (uintptr_t)wait->op * UINT64_C(0x9e3779b97f4a7c15) ^
                                  (uintptr_t)wait->idle_because ^ (uintptr_t)wait->for_answer};
}

static bool is_named_the_same(const struct wait *a, const struct wait *b)
{
    return a->op == b->op && a->idle_because == b->idle_because && a->for_answer == b->for_answer;
}

/* Makes waits one that have the same call and name, and sites that read the same. */
static bool merge_waits(struct waits *waits, const struct snapshot *snapshot)
{
    struct table table;
    uint32_t *kept = malloc(waits->count * sizeof(*kept)); /* by row: the row to use instead */
    bool ok = table_init(&table, waits->count) && kept;
    if (ok)
        kept[0] = 0;
    for (uint32_t i = 1; ok && i < waits->count; i++) {
        const struct wait *wait = &waits->rows[i];
        uint32_t *first = table_at(&table, meaning_of(waits, wait));
        if (first && *first == 0)
            *first = i;
        ok = first != NULL;
        if (ok)
            kept[i] = is_named_the_same(&waits->rows[*first], wait) ? *first : i;
    }
    for (size_t i = 0; ok && i < snapshot->task_count; i++)
        waits->of_task[i] = kept[waits->of_task[i]];
    table_deinit(&table);
    free(kept);
    return ok;
}

#define MAX_FRAMES 256 /* of longer stacks, only these are compared */

static size_t op_frames_of(const struct stack *stack, struct op_frame ret[MAX_FRAMES])
{
    size_t count = 0;
    for (; count < stack->count && count < MAX_FRAMES; count++) {
        const struct frame *frame = &stack->frames[count];
        ret[count] = (struct op_frame){frame->function,
                                       frame->module ? text_basename(frame->module->path) : NULL};
    }
    return count;
}

static bool find_joined_later(struct waits *waits, struct stacks *stacks, struct table *done,
                              uint32_t site)
{
    struct op_frame frames[MAX_FRAMES];
    uint32_t *known = table_at(done, (struct table_key){site, 0});
    if (!known)
        return false;
    if (!*known)
        waits->joined_later[site] =
            op_rules_joined_later(frames, op_frames_of(stacks_get(stacks, site), frames));
    *known = 1;
    return true;
}

bool waits_name(struct waits *waits, const struct snapshot *snapshot, struct stacks *stacks)
{
    struct op_frame frames[MAX_FRAMES];
    for (size_t i = 1; i < waits->count; i++) {
        struct wait *wait = &waits->rows[i];
        size_t count = op_frames_of(stacks_get(stacks, wait->site), frames);
        struct op_name name = op_rules_apply(wait->op, frames, count);
        if (name.op && strcmp(name.op, wait->op) != 0) /* the same name, the same pointer */
            wait->op = name.op;
        wait->idle_because = name.idle_because;
        wait->for_answer = name.for_answer;
    }

    struct table readings, done, ended;
    bool ok = table_init(&readings, 64);
    ok = table_init(&done, 64) && ok;
    ok = table_init(&ended, 64) && ok;
    for (size_t i = 1; ok && i < waits->count; i++)
        ok = find_same(waits, stacks, &readings, &done, waits->rows[i].site);
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->flags & (SNAPSHOT_PARKED | SNAPSHOT_FINISHED))
            ok = find_same(waits, stacks, &readings, &done, task->spawn_site);
        if (ok && task->flags & SNAPSHOT_FINISHED)
            ok = find_joined_later(waits, stacks, &ended, task->spawn_site);
    }
    table_deinit(&ended);
    table_deinit(&readings);
    table_deinit(&done);
    return ok && merge_waits(waits, snapshot);
}
