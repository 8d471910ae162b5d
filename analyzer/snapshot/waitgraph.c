#include "analyzer/snapshot/waitgraph.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"
#include "analyzer/base/table.h"

/* Names by which a task can be waited for: the second word of the key. */
enum name_kind { NAME_TID = 1, NAME_ROW = 2, NAME_HANDLE = 3 /* plus the task's kind */ };

static enum rec_object object_of(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    return snapshot_op_object(snapshot->calls[task->call].number);
}

bool waitgraph_has_owner(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    if (!(task->flags & SNAPSHOT_PARKED) ||
        !(task->detail_flags & (REC_DETAIL_OWNER | REC_DETAIL_OWNER_ROW)) || task->detail_a == 0)
        return false;
    enum rec_object object = object_of(snapshot, task);
    return object == REC_OBJECT_MUTEX || object == REC_OBJECT_RWLOCK;
}

bool waitgraph_is_join(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    if (!(task->flags & SNAPSHOT_PARKED))
        return false;
    enum rec_object object = object_of(snapshot, task);
    return object == REC_OBJECT_THREAD || object == REC_OBJECT_TASK;
}

/* The name of the task that `task` waits for; b 0: for none. */
static struct table_key wanted(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    if (waitgraph_has_owner(snapshot, task)) {
        bool by_row = task->detail_flags & REC_DETAIL_OWNER_ROW;
        return (struct table_key){task->detail_a, by_row ? NAME_ROW : NAME_TID};
    }
    if (waitgraph_is_join(snapshot, task) && task->object) {
        uint64_t kind =
            object_of(snapshot, task) == REC_OBJECT_THREAD ? REC_KIND_THREAD : REC_KIND_TASK;
        return (struct table_key){task->object, NAME_HANDLE + kind};
    }
    return (struct table_key){0, 0};
}

/* The names of the tasks that somebody waits for. */
static bool find_wanted(const struct snapshot *snapshot, struct table *ret)
{
    bool ok = table_init(ret, 64);
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        struct table_key key = wanted(snapshot, &snapshot->tasks[i]);
        ok = key.b == 0 || table_at(ret, key);
    }
    return ok;
}

/* Several may have a name: the kernel's id is that of a thread, and of the goroutine that the
 * thread runs; and of threads that ended, nobody joined and whose id was given away since. The best
 * claim counts. */
static unsigned claim(const struct snapshot_task *task)
{
    if (task->flags & SNAPSHOT_FINISHED)
        return 1;
    if (task->kind == REC_KIND_THREAD)
        return 4;
    return task->flags & SNAPSHOT_PARKED ? 3
                                         : 2; /* one that runs may be on another thread by now */
}

/* Finds who has these names, and from there who waits for whom. */
static void find_next(struct waitgraph *graph, const struct snapshot *snapshot,
                      const struct table *names)
{
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        uint32_t tid = snapshot_extra(snapshot, task)->os_tid;
        struct table_key keys[] = {
            {tid, tid ? NAME_TID : 0},
            {i + 1, NAME_ROW},
            {task->handle, task->handle ? NAME_HANDLE + (uint64_t)task->kind : 0},
        };
        for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
            uint32_t *value = keys[k].b ? table_find(names, keys[k]) : NULL;
            if (!value) /* nobody wants it */
                continue;
            if (*value == 0 || claim(task) >= claim(&snapshot->tasks[*value - 1]))
                *value = (uint32_t)i + 1;
        }
    }
    for (size_t i = 0; i < snapshot->task_count; i++) {
        struct table_key key = wanted(snapshot, &snapshot->tasks[i]);
        const uint32_t *value = key.b ? table_find(names, key) : NULL;
        if (value && *value)
            graph->next[i] = *value - 1;
    }
}

/* The threads whose tasks go on elsewhere: not those that a goroutine keeps to itself. Such a one
 * has the value 1. */
static bool find_workers(const struct snapshot *snapshot, struct table *ret)
{
    bool ok = table_init(ret, 64);
    for (size_t i = 0; ok && i < snapshot->worker_count; i++)
        ok = table_at(ret, (struct table_key){snapshot->workers[i], NAME_TID});
    for (size_t i = 0; ok && ret->count && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (!(task->flags & SNAPSHOT_LOCKED))
            continue;
        struct table_key key = {snapshot_extra(snapshot, task)->os_tid, NAME_TID};
        uint32_t *value = table_find(ret, key);
        if (value)
            *value = 1;
    }
    return ok;
}

/* The C library names the thread that took a lock, which a task may have done that is parked now.
 */
static bool find_loose(struct waitgraph *graph, const struct snapshot *snapshot)
{
    struct table workers;
    bool ok = find_workers(snapshot, &workers);
    for (size_t i = 0; ok && workers.count && i < snapshot->task_count; i++) {
        struct table_key key = wanted(snapshot, &snapshot->tasks[i]);
        const uint32_t *value = key.b == NAME_TID ? table_find(&workers, key) : NULL;
        graph->loose[i] = value && *value == 0;
    }
    table_deinit(&workers);
    return ok;
}

/* Whether what a task waits for can be part of a cycle that holds for ever. */
static bool is_firm(const struct waitgraph *graph, const struct snapshot *snapshot, uint32_t task)
{
    return (snapshot->tasks[task].flags &
            (SNAPSHOT_PARKED | SNAPSHOT_DEADLINE | SNAPSHOT_SETTLED)) ==
               (SNAPSHOT_PARKED | SNAPSHOT_SETTLED) &&
           !waitgraph_is_loose(graph, task);
}

static uint32_t firm_next(const struct waitgraph *graph, const struct snapshot *snapshot,
                          uint32_t task)
{
    return is_firm(graph, snapshot, task) ? graph->next[task] : WAITGRAPH_NONE;
}

/* Each task is walked from once: `walk` holds the number of the walk that came by first. A walk
 * that meets itself has found a cycle; one that meets an older walk ends there. */
static void find_cycles(struct waitgraph *graph, const struct snapshot *snapshot, uint32_t *walk)
{
    uint32_t count = (uint32_t)snapshot->task_count;
    for (uint32_t start = 0; start < count; start++) {
        uint32_t at = start;
        while (at != WAITGRAPH_NONE && walk[at] == 0) {
            walk[at] = start + 1;
            at = firm_next(graph, snapshot, at);
        }

        uint32_t behind = WAITGRAPH_NONE;
        if (at != WAITGRAPH_NONE && walk[at] == start + 1 && graph->cycle[at] == WAITGRAPH_NONE) {
            uint32_t first = at;
            for (uint32_t in = firm_next(graph, snapshot, at); in != at;
                 in = firm_next(graph, snapshot, in))
                first = in < first ? in : first;
            uint32_t in = at;
            do {
                graph->cycle[in] = first;
                in = firm_next(graph, snapshot, in);
            } while (in != at);
            behind = at;
        } else if (at != WAITGRAPH_NONE) {
            behind = graph->cycle[at] != WAITGRAPH_NONE ? at : graph->blocked[at];
        }
        for (uint32_t in = start; behind != WAITGRAPH_NONE && in != at;
             in = firm_next(graph, snapshot, in)) {
            if (graph->cycle[in] == WAITGRAPH_NONE)
                graph->blocked[in] = behind;
        }
    }
}

static bool fill(struct waitgraph *graph, const struct snapshot *snapshot,
                 const struct table *names)
{
    size_t count = snapshot->task_count + 1;
    size_t bytes = count * sizeof(uint32_t);
    graph->next = large_calloc(count, sizeof(*graph->next));
    graph->cycle = large_calloc(count, sizeof(*graph->cycle));
    graph->blocked = large_calloc(count, sizeof(*graph->blocked));
    graph->loose = large_calloc(count, sizeof(*graph->loose));
    uint32_t *walk = large_calloc(count, sizeof(*walk));
    bool ok = graph->next && graph->cycle && graph->blocked && graph->loose && walk &&
              find_loose(graph, snapshot);
    if (ok) {
        memset(graph->next, 0xff, bytes);
        memset(graph->cycle, 0xff, bytes);
        memset(graph->blocked, 0xff, bytes);
        find_next(graph, snapshot, names);
        find_cycles(graph, snapshot, walk);
    }
    free(walk);
    if (!ok)
        waitgraph_deinit(graph);
    return ok;
}

bool waitgraph_init(struct waitgraph *graph, const struct snapshot *snapshot)
{
    struct table names;
    memset(graph, 0, sizeof(*graph));
    /* Goroutines wait for no other by name, and may be a million. */
    bool ok = find_wanted(snapshot, &names);
    if (ok && names.count)
        ok = fill(graph, snapshot, &names);
    table_deinit(&names);
    return ok;
}

void waitgraph_deinit(struct waitgraph *graph)
{
    free(graph->next);
    free(graph->cycle);
    free(graph->blocked);
    free(graph->loose);
    memset(graph, 0, sizeof(*graph));
}
