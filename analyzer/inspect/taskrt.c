/* Tasks of libtaskrt, in batches: read by taskrt_looks.c and taskrt_objects.c, told by
 * taskrt_tasks.c.
 *
 * The process runs meanwhile: a task that moves whenever it is looked at runs. */
#include "analyzer/inspect/taskrt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/debug/unwind.h"
#include "analyzer/image/quiet.h"
#include "analyzer/inspect/taskrt_list.h"
#include "analyzer/inspect/taskrt_looks.h"
#include "analyzer/inspect/taskrt_objects.h"
#include "analyzer/inspect/taskrt_tasks.h"

#define TRIES 3
#define MAX_WORKERS 4096

struct taskrt {
    struct inspection *inspection;
    struct snapshot_builder *builder;
    struct mem_reader *memory;
    struct taskrt_inspect table;
    struct taskrt_list list;
    struct taskrt_looks looks;
    struct taskrt_tasks tasks;
    uint64_t last_pc; /* that a task goes on at */
};

/* Whether a task can go on at an address. gdb 13 leaves zeroes in a core where it cannot read a
 * stack because of the guards around it. */
static bool is_code(struct taskrt *rt, uint64_t pc)
{
    if (pc != rt->last_pc || !pc) {
        const struct image_mapping *mapping = image_mapping_at(rt->inspection->image, pc);
        if (!mapping || !mapping->executable)
            return false;
        rt->last_pc = pc;
    }
    return true;
}

static void walk(struct taskrt *rt, struct taskrt_look *look)
{
    struct debug_unwind *unwind = inspection_unwind(rt->inspection);
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    struct image_registers registers = {.known = 1U << IMAGE_REGISTER_SP | 1U << IMAGE_REGISTER_FP |
                                                 1U << IMAGE_REGISTER_PC};
    struct image_stop stop = {.stack_address = look->sp,
                              .stack_bytes = look->stack_bytes,
                              .stack = look->stack,
                              .stack_room = TASKRT_LOOK_STACK_BYTES};
    uint16_t flags = 0;
    if (!unwind || !look->has_stack || look->stack_bytes < rt->table.context_bytes)
        return;
    memcpy(&registers.value[IMAGE_REGISTER_FP], look->stack + rt->table.context_fp, 8);
    memcpy(&registers.value[IMAGE_REGISTER_PC], look->stack + rt->table.context_pc, 8);
    registers.value[IMAGE_REGISTER_SP] = look->sp + rt->table.context_bytes;
    if (!is_code(rt, registers.value[IMAGE_REGISTER_PC]))
        return;
    size_t count = debug_unwind_walk(unwind, &registers, &stop, pcs, &flags);
    look->site = builder_add_site(rt->builder, pcs, count, flags);
    look->no_stack = count == 0;
}

/* Reads the first `count` looks, and tells of all but those that moved: these are moved to the
 * front. Returns how many they are. */
static size_t read_batch(struct taskrt *rt, size_t count, bool last_try)
{
    size_t moved = 0;
    taskrt_looks_read(&rt->looks, count);
    taskrt_objects_read(&rt->looks, count);
    for (size_t i = 0; i < count; i++) {
        struct taskrt_look *look = &rt->looks.rows[i];
        if (!taskrt_look_is_parked(look))
            continue;
        walk(rt, look);
        if (half_at(look->task, rt->table.reason) == TASKRT_REASON_SELECT)
            taskrt_objects_read_cases(&rt->looks, look, rt->builder);
    }
    taskrt_looks_read_last(&rt->looks, count);
    for (size_t i = 0; i < count && !rt->tasks.failed; i++) {
        struct taskrt_look *look = &rt->looks.rows[i];
        bool known = taskrt_reason_is_known(half_at(look->task, rt->table.reason));
        uint32_t state = look->last_state;
        if (taskrt_look_is_consistent(look) && known) {
            taskrt_tasks_add(&rt->tasks, look, true);
        } else if (taskrt_look_is_consistent(look)) {
            builder_snapshot(rt->builder)->loss.unreadable++;
        } else if (state == TASKRT_STATE_PARKED && !last_try) {
            look->entry.wait_count = look->last_wait_count;
            struct taskrt_look swap = rt->looks.rows[moved];
            rt->looks.rows[moved++] = *look;
            *look = swap;
        } else if (state == TASKRT_STATE_PARKED || state == TASKRT_STATE_RUNNABLE ||
                   state == TASKRT_STATE_RUNNING) {
            taskrt_tasks_add(&rt->tasks, look, false);
        } else if (state > TASKRT_STATE_ENDED) {
            builder_snapshot(rt->builder)->loss.unreadable++;
        }
    }
    return moved;
}

/* Reads who holds each lock once more, when all tasks were seen and before any is looked at again:
 * of holders that are read as the tasks are, each is of another moment. */
static void read_owners(struct taskrt *rt)
{
    struct snapshot *snapshot = builder_snapshot(rt->builder);
    uint32_t of[TASKRT_LOOKS];
    size_t count = 0;
    for (size_t i = 0; i < rt->tasks.parked_count; i++) {
        struct taskrt_parked *parked = &rt->tasks.parked[i];
        if (parked->has_owner) {
            uint64_t object = snapshot->tasks[parked->task].object;
            of[count] = (uint32_t)i;
            rt->looks.pieces[count++] = (struct mem_piece){
                .address = object + rt->table.mutex_owner, .to = &parked->owner, .bytes = 8};
        }
        if (count < TASKRT_LOOKS && i + 1 < rt->tasks.parked_count)
            continue;
        rt->memory->read(rt->memory, rt->looks.pieces, count);
        for (size_t at = 0; at < count; at++)
            rt->tasks.parked[of[at]].has_owner = rt->looks.pieces[at].ok;
        count = 0;
    }
}

/* When all tasks were seen: those that are still in the wait that was told were in it all at one
 * moment, while the holders of their locks were read, which is what a cycle has to be. quiet_ns:
 * for so long no thread has run; 0: one has. */
static void settle(struct taskrt *rt, int64_t quiet_ns)
{
    struct snapshot *snapshot = builder_snapshot(rt->builder);
    read_owners(rt);
    for (size_t first = 0; first < rt->tasks.parked_count; first += TASKRT_LOOKS) {
        size_t count = rt->tasks.parked_count - first < TASKRT_LOOKS
                           ? rt->tasks.parked_count - first
                           : TASKRT_LOOKS;
        for (size_t i = 0; i < count; i++)
            rt->looks.rows[i].entry.address = rt->tasks.parked[first + i].address;
        taskrt_looks_read_only_last(&rt->looks, count);
        for (size_t i = 0; i < count; i++) {
            struct taskrt_parked *parked = &rt->tasks.parked[first + i];
            const struct taskrt_look *look = &rt->looks.rows[i];
            struct snapshot_task *task = &snapshot->tasks[parked->task];
            bool stayed = look->last_state == TASKRT_STATE_PARKED &&
                          look->last_wait_count == parked->wait_count;
            if (stayed)
                task->flags |= SNAPSHOT_SETTLED;
            if (quiet_ns > 0 && task->flags & SNAPSHOT_SETTLED && task->parked_ns < quiet_ns) {
                task->parked_ns = quiet_ns;
                task->flags |= SNAPSHOT_AT_LEAST;
            }
            /* Who waits for a lock and holds it was just given it, and is about to be woken. */
            parked->has_owner = parked->has_owner && stayed && parked->owner != parked->address;
            if (parked->has_owner)
                task->detail_flags |= REC_DETAIL_OWNER_ROW;
        }
    }
}

/* ---- Threads ---- */

/* A worker that runs no task has nothing to do but wait for one. One that runs a task has that
 * task's stack, and waits for what the task called. */
static bool mark_workers(const struct taskrt *rt)
{
    struct image *image = rt->inspection->image;
    struct taskrt_inspect_workers workers;
    if (!taskrt_find_workers(image, &workers))
        return true;
    for (uint32_t i = 0; i < workers.count && i < MAX_WORKERS; i++) {
        uint64_t worker = workers.first + (uint64_t)i * workers.stride;
        uint32_t tid;
        uint64_t current;
        struct mem_piece pieces[] = {
            {.address = worker + workers.tid, .to = &tid, .bytes = sizeof(tid)},
            {.address = worker + workers.current, .to = &current, .bytes = sizeof(current)},
        };
        rt->memory->read(rt->memory, pieces, 2);
        struct image_thread *thread =
            pieces[0].ok && pieces[1].ok && tid ? image_thread_of(image, tid) : NULL;
        if (thread && !snapshot_add_worker(builder_snapshot(rt->builder), tid))
            return false;
        if (thread && current == 0)
            thread->runtime = true;
    }
    return true;
}

static bool run(struct taskrt *rt)
{
    struct taskrt_entry entries[TASKRT_LOOKS];
    struct image_quiet quiet;
    bool ok = taskrt_looks_init(&rt->looks, rt->memory, &rt->table) &&
              taskrt_list_init(&rt->list, rt->memory, &rt->table);
    taskrt_tasks_init(&rt->tasks, rt->builder, rt->inspection->image, &rt->table);
    image_quiet_begin(&quiet, rt->inspection->image);
    size_t count = 1;
    while (ok && count) {
        bool failed;
        size_t live = 0;
        count = taskrt_list_next(&rt->list, entries, TASKRT_LOOKS, &failed);
        ok = !failed;
        for (size_t i = 0; i < count; i++) {
            if (entries[i].state != TASKRT_STATE_FREE && entries[i].state != TASKRT_STATE_ENDED)
                rt->looks.rows[live++].entry = entries[i];
        }
        for (int try = 1; ok && live; try++)
            live = read_batch(rt, live, try == TRIES);
        ok = ok && !rt->tasks.failed;
    }
    int64_t quiet_ns = image_quiet_end(&quiet, rt->inspection->image);
    if (ok) {
        ok = mark_workers(rt);
        settle(rt, quiet_ns);
        ok = ok && taskrt_tasks_name_owners(&rt->tasks);
    }
    if (ok && rt->list.broken)
        builder_doubt(rt->builder, "the list of libtaskrt's tasks could not be followed to its "
                                   "end: there may be more tasks than are told");
    taskrt_list_deinit(&rt->list);
    taskrt_tasks_deinit(&rt->tasks);
    taskrt_looks_deinit(&rt->looks);
    return ok;
}

bool inspect_taskrt_tell(struct inspection *inspection, const struct taskrt_inspect *table)
{
    struct taskrt *rt = calloc(1, sizeof(*rt));
    if (!rt)
        return false;
    rt->inspection = inspection;
    rt->builder = inspection->builder;
    rt->memory = inspection->image->memory;
    rt->table = *table;
    builder_snapshot(inspection->builder)->runtimes |= REC_RUNTIME_TASKRT;
    bool ok = run(rt);
    free(rt);
    return ok;
}

static bool inspect(struct inspection *inspection, struct err *err)
{
    struct taskrt_inspect table;
    uint32_t version = 0;
    switch (taskrt_find(inspection->image, &table, &version)) {
    case TASKRT_NONE:
        break;
    case TASKRT_UNKNOWN:
        builder_doubt(inspection->builder,
                      "its libtaskrt describes its tasks in version %u, of which only version %u "
                      "is known here, or in a damaged way: they cannot be told",
                      version, TASKRT_INSPECT_VERSION);
        break;
    case TASKRT_FOUND:
        return inspect_taskrt_tell(inspection, &table) ||
               err_system(err, inspection->image->exe, ENOMEM);
    }
    return true;
}

const struct inspector inspect_taskrt = {"taskrt", inspect};
