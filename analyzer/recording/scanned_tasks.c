#include "analyzer/recording/scanned_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/table.h"

bool scanned_tasks_number(struct snapshot *snapshot)
{
    struct table taken;
    uint64_t largest = 0;
    bool ok = table_init(&taken, snapshot->task_count);
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind == REC_KIND_GOROUTINE)
            ok = table_at(&taken, (struct table_key){task->id, 0}) != NULL;
        if (largest < task->id)
            largest = task->id;
        if (largest < snapshot_extra(snapshot, task)->os_tid)
            largest = snapshot_extra(snapshot, task)->os_tid;
    }
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind == REC_KIND_GOROUTINE)
            continue;
        struct table_key tid = {snapshot_extra(snapshot, task)->os_tid, 0};
        task->id = tid.a && !table_find(&taken, tid) ? tid.a : ++largest;
    }
    table_deinit(&taken);
    return ok;
}

/* The pairs that stand at `offset`: key, value, key, value … and an empty key. Returns how many. */
static uint32_t read_set(const struct snapshot *snapshot, uint32_t offset,
                         struct snapshot_label pairs[SNAPSHOT_MAX_LABELS])
{
    uint32_t count = 0;
    if (offset >= snapshot->string_bytes)
        return 0;
    const char *at = snapshot->strings + offset;
    const char *end = snapshot->strings + snapshot->string_bytes;
    while (at < end && *at && count < SNAPSHOT_MAX_LABELS) {
        const char *value = at + strlen(at) + 1; /* the table ends with a NUL */
        if (value >= end)
            break;
        pairs[count++] = (struct snapshot_label){at, value};
        at = value + strlen(value) + 1;
    }
    return count;
}

/* The row of a new set; 0: no memory. */
static uint32_t add_set(struct snapshot *snapshot, const struct snapshot_label *pairs,
                        uint32_t count)
{
    size_t sets = snapshot->label_set_count ? snapshot->label_set_count : 1;
    struct snapshot_label_set *rows =
        reallocarray(snapshot->label_sets, sets + 1, sizeof(*snapshot->label_sets));
    if (!rows)
        return 0;
    snapshot->label_sets = rows;
    struct snapshot_label *labels =
        reallocarray(snapshot->labels, snapshot->label_count + count, sizeof(*labels));
    if (!labels)
        return 0;
    snapshot->labels = labels;
    memcpy(labels + snapshot->label_count, pairs, count * sizeof(*pairs));
    rows[0] = (struct snapshot_label_set){0};
    rows[sets] = (struct snapshot_label_set){(uint32_t)snapshot->label_count, count};
    snapshot->label_count += count;
    snapshot->label_set_count = sets + 1;
    return (uint32_t)sets;
}

bool scanned_tasks_label(struct snapshot *snapshot)
{
    struct table sets; /* by offset: row of label_sets */
    if (!table_init(&sets, 64))
        return false;
    bool ok = true;
    for (size_t i = 1; ok && i < snapshot->extra_count; i++) {
        uint32_t *labels = &snapshot->extras[i].labels;
        if (*labels == 0)
            continue;
        uint32_t *row = table_at(&sets, (struct table_key){*labels, 0});
        ok = row != NULL;
        if (!ok)
            break;
        if (*row == 0) {
            struct snapshot_label pairs[SNAPSHOT_MAX_LABELS];
            uint32_t count = read_set(snapshot, *labels, pairs);
            if (count)
                ok = (*row = add_set(snapshot, pairs, count)) != 0;
            else
                snapshot->loss.rows++; /* it leads nowhere */
        }
        *labels = *row;
    }
    table_deinit(&sets);
    return ok;
}
