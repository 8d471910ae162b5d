#include "analyzer/verdict/object_look.h"

#include "preload/goscan/reasons.h"

static void take_mutex(int32_t state, struct object_look *look)
{
    look->lock = state & GO_MUTEX_LOCKED ? LOCK_STATE_HELD : LOCK_STATE_FREE;
    look->lock_word = state;
}

/* A writer takes readerCount below 0, and waits for as many as readerWait says. */
static void take_rwlock(int32_t count, int32_t leaving, struct object_look *look)
{
    if (count >= 0 || leaving < 0)
        return;
    look->lock = leaving > 0 ? LOCK_STATE_READ : LOCK_STATE_WRITTEN;
    look->readers = (uint32_t)leaving;
}

static void take_lock_words(const struct snapshot_task *task, struct object_look *look)
{
    int32_t state = (int32_t)task->detail_a;
    if (!(task->detail_flags & REC_DETAIL_LOCK_WORDS))
        return;
    if (look->kind == REC_OBJECT_MUTEX)
        take_mutex(state, look);
    else if (look->kind == REC_OBJECT_RWLOCK)
        take_rwlock(state, (int32_t)task->detail_b, look);
    look->has_counter = look->kind == REC_OBJECT_WAITGROUP;
    look->counter = look->has_counter ? state : 0;
}

struct object_look object_look_at(const struct snapshot *snapshot, const struct waitgraph *graph,
                                  uint32_t index)
{
    const struct snapshot_task *task = &snapshot->tasks[index];
    const struct snapshot_extra *extra = snapshot_extra(snapshot, task);
    struct object_look look = {
        .kind = REC_OBJECT_NONE, .owner = WAITGRAPH_NONE, .joined = WAITGRAPH_NONE};
    if (!(task->flags & SNAPSHOT_PARKED))
        return look;
    look.kind = snapshot_op_object(snapshot->calls[task->call].number);
    if (!snapshot_has_object(task, look.kind))
        look.kind = REC_OBJECT_NONE;
    /* A poll of no descriptor, or whose first one is left out: a negative number. */
    if ((task->flags & SNAPSHOT_FDS) && (extra->arg == 0 || task->object > INT32_MAX))
        look.kind = REC_OBJECT_NONE;
    look.address = task->object;
    if (look.kind == REC_OBJECT_CHANNEL && (task->detail_flags & REC_DETAIL_CHANNEL)) {
        look.has_channel = true;
        look.capacity = task->detail_a;
        look.length = task->detail_b;
        look.closed = task->detail_flags & REC_DETAIL_CLOSED;
    }
    take_lock_words(task, &look);
    if (waitgraph_has_owner(snapshot, task) && !waitgraph_is_loose(graph, index))
        look.owner = waitgraph_next(graph, index);
    if (waitgraph_is_join(snapshot, task))
        look.joined = waitgraph_next(graph, index);
    if (extra->object_text)
        look.text = snapshot->object_texts[extra->object_text];
    return look;
}
