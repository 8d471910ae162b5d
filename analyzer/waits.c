#include "analyzer/waits.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/op_rules.h"
#include "analyzer/table.h"

bool waits_init(struct waits *waits, const struct snapshot *snapshot)
{
    memset(waits, 0, sizeof(*waits));
    struct table table;
    size_t room = 64;
    waits->of_task = calloc(snapshot->task_count + 1, sizeof(*waits->of_task));
    waits->rows = calloc(room, sizeof(*waits->rows));
    bool ok = table_init(&table, 64) && waits->of_task && waits->rows;
    waits->count = 1;

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
            if (waits->count == room) {
                room *= 2;
                struct wait *rows = realloc(waits->rows, room * sizeof(*rows));
                if (!rows) {
                    ok = false;
                    break;
                }
                waits->rows = rows;
            }
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
    memset(waits, 0, sizeof(*waits));
}

void waits_name(struct waits *waits, struct stacks *stacks)
{
    const char *functions[256];
    for (size_t i = 1; i < waits->count; i++) {
        struct wait *wait = &waits->rows[i];
        const struct stack *stack = stacks_get(stacks, wait->site);
        size_t count = 0;
        for (; count < stack->count && count < sizeof(functions) / sizeof(functions[0]); count++)
            functions[count] = stack->frames[count].function;
        struct op_verdict verdict = op_rules_apply(wait->op, functions, count);
        if (verdict.op)
            wait->op = verdict.op;
        wait->idle_because = verdict.idle_because;
    }
}
