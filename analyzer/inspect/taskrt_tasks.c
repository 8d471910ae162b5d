#include "analyzer/inspect/taskrt_tasks.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/table.h"
#include "analyzer/inspect/taskrt_objects.h"

#define NEVER INT64_MAX /* TASKRT_NEVER */

static const struct {
    const char *call, *until; /* what was called, without and with a deadline */
    enum rec_op op;
} reasons[TASKRT_REASONS] = {
    [TASKRT_REASON_NONE] = {NULL, NULL, REC_OP_NONE},
    [TASKRT_REASON_SEND] = {"taskrt_send", "taskrt_send_until", REC_OP_CHAN_SEND},
    [TASKRT_REASON_RECEIVE] = {"taskrt_receive", "taskrt_receive_until", REC_OP_CHAN_RECEIVE},
    [TASKRT_REASON_SELECT] = {"taskrt_select", "taskrt_select", REC_OP_SELECT},
    [TASKRT_REASON_MUTEX] = {"taskrt_mutex_lock", "taskrt_mutex_lock_until", REC_OP_MUTEX_LOCK},
    [TASKRT_REASON_COND] = {"taskrt_cond_wait", "taskrt_cond_wait_until", REC_OP_COND_WAIT},
    [TASKRT_REASON_WAITGROUP] = {"taskrt_waitgroup_wait", "taskrt_waitgroup_wait_until",
                                 REC_OP_WAITGROUP_WAIT},
    [TASKRT_REASON_JOIN] = {"taskrt_join", "taskrt_join", REC_OP_TASK_JOIN},
    [TASKRT_REASON_SLEEP] = {"taskrt_sleep", "taskrt_sleep", REC_OP_SLEEP},
    [TASKRT_REASON_FD] = {"taskrt_wait_fd", "taskrt_wait_fd", REC_OP_IO_WAIT},
};

void taskrt_tasks_init(struct taskrt_tasks *ret, struct snapshot_builder *builder,
                       struct image *image, const struct taskrt_inspect *table)
{
    *ret = (struct taskrt_tasks){.builder = builder, .image = image, .table = table};
}

void taskrt_tasks_deinit(struct taskrt_tasks *tasks)
{
    free(tasks->parked);
    *tasks = (struct taskrt_tasks){0};
}

bool taskrt_reason_is_known(uint32_t reason)
{
    return reason != TASKRT_REASON_NONE && reason < TASKRT_REASONS;
}

static uint32_t call_of(struct taskrt_tasks *tasks, uint32_t reason, bool deadline)
{
    uint32_t *call = &tasks->calls[2 * reason + deadline];
    if (!*call)
        *call = builder_add_call(tasks->builder,
                                 deadline ? reasons[reason].until : reasons[reason].call,
                                 reasons[reason].op, false);
    return *call;
}

/* Whether a descriptor is a socket that accepts connections. */
static bool is_listening(struct taskrt_tasks *tasks, uint64_t fd)
{
    struct image *image = tasks->image;
    bool listening = false;
    char what[256];
    return fd <= INT32_MAX && image->functions && image->functions->describe_fd &&
           image->functions->describe_fd(image, 0, (int)fd, what, sizeof(what), &listening) &&
           listening;
}

static void tell_wait(struct taskrt_tasks *tasks, const struct taskrt_look *look,
                      struct snapshot_task *task)
{
    uint32_t reason = half_at(look->task, tasks->table->reason);
    int64_t deadline_ns = (int64_t)word_at(look->task, tasks->table->deadline_ns);
    int64_t parked_ns = (int64_t)word_at(look->task, tasks->table->parked_ns);
    int64_t now_ns = tasks->image->taken_monotonic_ns;
    bool deadline = deadline_ns != NEVER;
    task->flags |= SNAPSHOT_PARKED;
    if (deadline)
        task->flags |= SNAPSHOT_DEADLINE;
    task->call = call_of(tasks, reason, deadline);
    task->object = look->channel.object;
    task->wait_site = look->site;
    task->wait_number = (uint32_t)look->last_wait_count;
    if (task->wait_number == 0)
        task->wait_number = 1;
    if (parked_ns > 0 && now_ns >= parked_ns)
        task->parked_ns = now_ns - parked_ns;
    if (taskrt_waits_on_channel(reason)) {
        task->detail_a = look->channel.capacity;
        task->detail_b = look->channel.length;
        task->detail_flags = look->channel.detail_flags;
    }
    if (look->no_stack) {
        task->detail_flags |= REC_DETAIL_NO_STACK;
        builder_snapshot(tasks->builder)->loss.stacks++;
    }
    if (reason == TASKRT_REASON_SELECT) {
        struct snapshot_extra *extra = builder_extra(tasks->builder, task);
        extra->arg = half_at(look->task, tasks->table->object_count);
        extra->case_first = look->case_first;
        extra->case_count = look->case_count;
    }
    if (reason == TASKRT_REASON_FD && !deadline && is_listening(tasks, task->object))
        task->detail_flags |= REC_DETAIL_LISTENING;
}

void taskrt_tasks_add(struct taskrt_tasks *tasks, const struct taskrt_look *look, bool parked)
{
    struct snapshot *snapshot = builder_snapshot(tasks->builder);
    uint64_t start =
        word_at(look->task, tasks->table->start) + 1; /* the rule for return addresses */
    uint32_t site = builder_add_site(tasks->builder, &start, 1, SNAPSHOT_SITE_START);
    struct snapshot_task *task = builder_add_task(tasks->builder);
    if (!task)
        return;
    task->id = word_at(look->task, tasks->table->id);
    task->kind = REC_KIND_TASK;
    task->handle = look->entry.address;
    task->spawn_site = site;
    task->spawner = word_at(look->task, tasks->table->spawner_id);
    const char *name = (const char *)look->task + tasks->table->name;
    if (name[0]) {
        struct snapshot_extra *extra = builder_extra(tasks->builder, task);
        memcpy(extra->name, name, sizeof(extra->name) - 1);
    }
    if (!parked)
        return;
    tell_wait(tasks, look, task);
    if (!rows_grow(&tasks->parked, tasks->parked_count, sizeof(*tasks->parked))) {
        tasks->failed = true;
        return;
    }
    tasks->parked[tasks->parked_count++] = (struct taskrt_parked){
        .address = look->entry.address,
        .wait_count = look->last_wait_count,
        .owner = look->owner,
        .has_owner = look->has_owner,
        .task = (uint32_t)(snapshot->task_count - 1),
    };
}

bool taskrt_tasks_name_owners(struct taskrt_tasks *tasks)
{
    struct snapshot *snapshot = builder_snapshot(tasks->builder);
    struct table rows;
    bool ok = table_init(&rows, 64);
    for (size_t i = 0; ok && i < tasks->parked_count; i++) {
        if (tasks->parked[i].has_owner && tasks->parked[i].owner)
            ok = table_at(&rows, (struct table_key){tasks->parked[i].owner, 0});
    }
    for (size_t i = 0; ok && rows.count && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        uint32_t *row = task->kind == REC_KIND_TASK
                            ? table_find(&rows, (struct table_key){task->handle, 0})
                            : NULL;
        if (row)
            *row = (uint32_t)i + 1;
    }
    for (size_t i = 0; ok && rows.count && i < tasks->parked_count; i++) {
        const uint32_t *row = tasks->parked[i].has_owner
                                  ? table_find(&rows, (struct table_key){tasks->parked[i].owner, 0})
                                  : NULL;
        if (row)
            snapshot->tasks[tasks->parked[i].task].detail_a = *row;
    }
    table_deinit(&rows);
    return ok;
}
