#include "analyzer/verdict/waiters.h"

#include "analyzer/verdict/judge.h"
#include "analyzer/verdict/object_look.h"

static struct table_key waiters_key(enum rec_object kind, uint64_t object, bool receives)
{
    return (struct table_key){object, (uint64_t)kind * 2 + receives};
}

/* What will be asked of the waiters. To count those of every object would take a table as large as
 * that of the tasks, where each of a million waits on a channel of its own. */
struct questions {
    struct table *objects; /* has a row for each object that is asked for by itself */
    bool channels[2];      /* those who send to any channel are asked for; who receive */
};

static bool ask_for_object(struct questions *questions, const struct object_look *look)
{
    return table_at(questions->objects, waiters_key(look->kind, look->address, false)) &&
           table_at(questions->objects, waiters_key(look->kind, look->address, true));
}

/* Whoever is on the other side of some case. Only of a group whose tasks select. */
static void ask_for_partners(struct questions *questions, const struct snapshot *snapshot,
                             const struct group *group)
{
    if (snapshot_extra(snapshot, &snapshot->tasks[group->members[0]])->case_count == 0)
        return;
    for (size_t i = 0; i < group->count; i++) {
        const struct snapshot_extra *member =
            snapshot_extra(snapshot, &snapshot->tasks[group->members[i]]);
        for (uint32_t k = 0; k < member->case_count; k++)
            questions->channels[snapshot->cases[member->case_first + k].op == REC_OP_CHAN_SEND] =
                true;
    }
}

/* What evidence_add_object will ask. */
static bool ask(struct questions *questions, const struct judge *judge, const struct group *group)
{
    if (!group->wait)
        return true;
    ask_for_partners(questions, judge->snapshot, group);
    if (group->object == REC_OBJECT_CHANNEL && !group->same_object)
        questions->channels[waiters_send(judge->snapshot, group)] = true;
    struct object_look look = object_look_at(judge->snapshot, judge->graph, group->members[0]);
    return !group->same_object || ask_for_object(questions, &look);
}

static bool count_one(struct questions *questions, enum rec_object kind, uint64_t object,
                      bool receives)
{
    struct table_key key = waiters_key(kind, object, receives);
    bool any = kind == REC_OBJECT_CHANNEL && questions->channels[receives];
    uint32_t *value = any ? table_at(questions->objects, key) : table_find(questions->objects, key);
    if (value)
        ++*value;
    return value || !any;
}

void waiters_fetch(const struct table *waiters, const struct snapshot *snapshot,
                   const struct snapshot_task *task, bool other_side)
{
    if (!(task->flags & SNAPSHOT_PARKED) || task->object == 0)
        return;
    unsigned op = snapshot->calls[task->call].number;
    bool receives = (op == REC_OP_CHAN_RECEIVE) != other_side;
    table_prefetch(waiters, waiters_key(snapshot_op_object(op), task->object, receives));
}

/* ---- Goroutines and their threads ---- */

/* What a task waits on, by its thread. b 0: on nothing, or it has no thread. */
static struct table_key wait_of_thread(const struct snapshot *snapshot,
                                       const struct snapshot_task *task)
{
    uint64_t os_tid = snapshot_extra(snapshot, task)->os_tid;
    if (os_tid == 0 || task->object == 0 || !(task->flags & SNAPSHOT_PARKED))
        return (struct table_key){0, 0};
    enum rec_object kind = snapshot_op_object(snapshot->calls[task->call].number);
    return (struct table_key){task->object, os_tid << 32 | kind};
}

/* A goroutine in a system call and its thread, which is told as well, are one that waits: takes
 * back what was counted twice. */
static bool count_once(const struct snapshot *snapshot, struct table *waiters)
{
    struct table threads;
    bool ok = table_init(&threads, 64);
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind != REC_KIND_THREAD)
            continue;
        struct table_key key = wait_of_thread(snapshot, task);
        ok = key.b == 0 || table_at(&threads, key);
    }
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind != REC_KIND_GOROUTINE)
            continue;
        struct table_key key = wait_of_thread(snapshot, task);
        if (key.b == 0 || !table_find(&threads, key))
            continue;
        enum rec_object kind = snapshot_op_object(snapshot->calls[task->call].number);
        uint32_t *value = table_find(waiters, waiters_key(kind, task->object, false));
        if (value && *value > 1)
            --*value;
    }
    table_deinit(&threads);
    return ok;
}

bool waiters_count(const struct judge *judge, const struct group *groups, size_t count)
{
    const struct snapshot *snapshot = judge->snapshot;
    struct questions questions = {.objects = judge->waiters};
    bool by_threads = false; /* some goroutine has one, and may wait by it */
    for (size_t i = 0; i < count; i++) {
        if (!ask(&questions, judge, &groups[i]))
            return false;
    }
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (i + WAITERS_AHEAD < snapshot->task_count)
            waiters_fetch(judge->waiters, snapshot, task + WAITERS_AHEAD, false);
        if (!(task->flags & SNAPSHOT_PARKED))
            continue;
        unsigned op = snapshot->calls[task->call].number;
        enum rec_object kind = snapshot_op_object(op);
        if (snapshot_has_object(task, kind) &&
            !count_one(&questions, kind, task->object, op == REC_OP_CHAN_RECEIVE))
            return false;
        const struct snapshot_extra *extra = snapshot_extra(snapshot, task);
        by_threads = by_threads || (task->kind == REC_KIND_GOROUTINE && extra->os_tid);
        for (uint32_t k = 0; k < extra->case_count; k++) {
            const struct snapshot_case *row = &snapshot->cases[extra->case_first + k];
            if (row->object && !count_one(&questions, REC_OBJECT_CHANNEL, row->object,
                                          row->op == REC_OP_CHAN_RECEIVE))
                return false;
        }
    }
    return !by_threads || count_once(snapshot, judge->waiters);
}

uint32_t waiters_of(const struct table *waiters, enum rec_object kind, uint64_t object,
                    bool receive)
{
    const uint32_t *value = table_find(waiters, waiters_key(kind, object, receive));
    return value ? *value : 0;
}

bool waiters_on_channel(const struct verdicts *verdicts, const struct snapshot *snapshot,
                        const struct group *group, uint32_t task, bool receive, uint32_t *ret)
{
    const struct snapshot_task *row = &snapshot->tasks[task];
    unsigned op = snapshot->calls[row->call].number;
    bool other_side = op == (receive ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE);
    if (row->object == 0 || !(group->same_object || other_side))
        return false;
    *ret = waiters_of(&verdicts->waiters, REC_OBJECT_CHANNEL, row->object, receive);
    return true;
}
