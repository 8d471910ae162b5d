/* Slots: a task has one from its spawn to its end. */
#include <string.h>

#include "preload/recorder.h"

static uint32_t pop_free(struct rec_header *header)
{
    uint64_t head = __atomic_load_n(&header->free_list, __ATOMIC_ACQUIRE);
    uint64_t next;
    do {
        uint32_t row = (uint32_t)head;
        if (row == 0)
            return 0;
        next = ((head >> 32) + 1) << 32 |
               __atomic_load_n(&recorder.tasks[row].next_free, __ATOMIC_RELAXED);
    } while (!__atomic_compare_exchange_n(&header->free_list, &head, next, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return (uint32_t)head;
}

static void push_free(struct rec_header *header, struct rec_task *task)
{
    uint32_t row = (uint32_t)(task - recorder.tasks);
    uint64_t head = __atomic_load_n(&header->free_list, __ATOMIC_RELAXED);
    uint64_t next;
    do {
        __atomic_store_n(&task->next_free, (uint32_t)head, __ATOMIC_RELAXED);
        next = ((head >> 32) + 1) << 32 | row;
    } while (!__atomic_compare_exchange_n(&header->free_list, &head, next, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
}

/* Slots are never scarce enough for a thread to hold one back while the table is half empty. */
static bool has_plenty(void)
{
    const struct rec_table *table = &recorder.header->tables[REC_TABLE_TASKS - 1];
    return __atomic_load_n(&table->count, __ATOMIC_RELAXED) <= table->capacity / 2;
}

/* The slot of the task that ended last on this thread; its next task gets it without a turn at the
 * list that all threads share. Tasks only: neither their spawns nor their ends happen in signal
 * handlers. */
static uint32_t take_spare(void)
{
    struct rec_task *task = recorder_thread.spare;
    if (task == NULL)
        return 0;
    recorder_thread.spare = NULL;
    return (uint32_t)(task - recorder.tasks);
}

static void put_spare(struct rec_task *task)
{
    if (recorder_thread.spare == NULL && has_plenty())
        recorder_thread.spare = task;
    else
        push_free(recorder.header, task);
}

void recorder_thread_ends(void)
{
    struct rec_task *task = recorder_thread.spare;
    recorder_thread.spare = NULL;
    if (task != NULL)
        push_free(recorder.header, task);
}

/* In two stores: a reader may see half of one name, and half of another. */
static void put_name(struct rec_task *task, const char name[static sizeof(task->name)])
{
    uint64_t words[2];
    memcpy(words, name, sizeof(words));
    SHARED_PUT(task->name_words[0], words[0]);
    SHARED_PUT(task->name_words[1], words[1]);
}

static void put_id(struct rec_task *task)
{
    uint64_t id = __atomic_add_fetch(&recorder.header->last_id, 1, __ATOMIC_RELAXED);
    __atomic_store_n(&task->id, id, __ATOMIC_RELEASE); /* os_tid before: see look_for_end */
}

bool recorder_has_room(void)
{
    const struct rec_table *table = &recorder.header->tables[REC_TABLE_TASKS - 1];
    return (uint32_t)__atomic_load_n(&recorder.header->free_list, __ATOMIC_RELAXED) != 0 ||
           __atomic_load_n(&table->count, __ATOMIC_RELAXED) < table->capacity;
}

struct rec_task *recorder_prepare(enum rec_kind kind, uint16_t flags, uint32_t spawn_site,
                                  uint64_t handle, const char *name)
{
    struct rec_header *header = recorder.header;
    if (header == NULL)
        return NULL;
    recorder_count(&header->spawned);
    uint32_t row = kind == REC_KIND_TASK ? take_spare() : 0;
    if (row == 0)
        row = pop_free(header);
    if (row == 0)
        row = recorder_take(REC_TABLE_TASKS, 1);
    if (row == 0) {
        recorder_count(&header->lost_tasks);
        return NULL;
    }
    struct rec_task *task = &recorder.tasks[row];
    SHARED_PUT(task->kind, (uint8_t)kind);
    __atomic_fetch_add(&task->flags, flags, __ATOMIC_ACQ_REL); /* 0 but for holds */
    SHARED_PUT(task->os_tid, 0);
    SHARED_PUT(task->wait_flags, 0); /* PASSING, it would seem to be this task's wait */
    SHARED_PUT(task->spawn_site, spawn_site);
    SHARED_PUT(task->handle, handle);
    recorder_rename(task, name != NULL ? name : "");
    put_id(task);
    return task;
}

struct rec_task *recorder_spawn(enum rec_kind kind, uint16_t flags, uint32_t spawn_site,
                                uint64_t handle, const char *name)
{
    struct rec_task *task = recorder_prepare(kind, flags, spawn_site, handle, name);
    if (task != NULL)
        __atomic_store_n(&task->state, REC_TASK_LIVE, __ATOMIC_RELEASE);
    return task;
}

/* Is this a slot of the recording that is open now? A task may outlive a fork, a sink is no slot.
 */
static bool owns(const struct rec_task *task)
{
    return recorder.header != NULL && task >= recorder.tasks &&
           task < recorder.tasks + recorder.header->tables[REC_TABLE_TASKS - 1].capacity;
}

void recorder_end(struct rec_task *task)
{
    uint8_t live = REC_TASK_LIVE;
    if (owns(task) && __atomic_compare_exchange_n(&task->state, &live, REC_TASK_ENDING, false,
                                                  __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        recorder_count(&recorder.header->finished);
}

static void free_slot(struct rec_task *task)
{
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    if (SHARED_GET(task->seen_gen) == REC_SEEN_FINISHED)
        SHARED_PUT(task->seen_gen, 0); /* it would tell when the slot's next task ended */
    __atomic_store_n(&task->state, REC_TASK_FREE, __ATOMIC_RELEASE);
    __atomic_store_n(&task->flags, 0, __ATOMIC_RELEASE);
    push_free(recorder.header, task);
}

/* A task has no owner but the thread that runs it, so that nobody else ends it meanwhile; one whose
 * slot belonged to a thread before may still be held for a moment. */
static bool release_task(struct rec_task *task)
{
    uint16_t flags = SHARED_GET(task->flags) & (REC_TASK_HOLD - 1);
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    recorder_count(&recorder.header->finished);
    __atomic_store_n(&task->state, REC_TASK_FREE, __ATOMIC_RELEASE);
    if (!__atomic_compare_exchange_n(&task->flags, &flags, 0, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    put_spare(task);
    return true;
}

void recorder_release(struct rec_task *task)
{
    if (!owns(task) || SHARED_GET(task->state) == REC_TASK_FREE)
        return;
    if (SHARED_GET(task->kind) == REC_KIND_TASK && SHARED_GET(task->state) == REC_TASK_LIVE &&
        release_task(task))
        return;
    recorder_end(task);
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    uint16_t before = __atomic_fetch_or(&task->flags, REC_TASK_RELEASED, __ATOMIC_ACQ_REL);
    if (before < REC_TASK_HOLD && !(before & REC_TASK_RELEASED))
        free_slot(task);
}

bool recorder_hold(struct rec_task *task, uint64_t id)
{
    uint16_t flags = __atomic_load_n(&task->flags, __ATOMIC_ACQUIRE);
    do {
        if (flags & REC_TASK_RELEASED)
            return false;
    } while (!__atomic_compare_exchange_n(&task->flags, &flags, flags + REC_TASK_HOLD, false,
                                          __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    /* The state first: read after the id, it may be that of the slot's next task already. */
    if (__atomic_load_n(&task->state, __ATOMIC_ACQUIRE) != REC_TASK_FREE &&
        __atomic_load_n(&task->id, __ATOMIC_RELAXED) == id)
        return true;
    recorder_let_go(task);
    return false;
}

void recorder_let_go(struct rec_task *task)
{
    uint16_t after = __atomic_sub_fetch(&task->flags, REC_TASK_HOLD, __ATOMIC_ACQ_REL);
    if (after < REC_TASK_HOLD && (after & REC_TASK_RELEASED))
        free_slot(task);
}

/* It neither began nor ended: at no moment are more tasks finished than spawned. */
void recorder_take_back(struct rec_task *task)
{
    uint8_t live = REC_TASK_LIVE;
    if (__atomic_compare_exchange_n(&task->state, &live, REC_TASK_ENDING, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_RELAXED))
        __atomic_fetch_sub(&recorder.header->spawned, 1, __ATOMIC_RELAXED);
    recorder_release(task);
}

bool recorder_keep(struct rec_task *task)
{
    if (!owns(task))
        return false;
    if (!has_plenty()) {
        recorder_release(task);
        return false;
    }
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&task->state, REC_TASK_FREE, __ATOMIC_RELEASE);
    recorder_count(&recorder.header->finished);
    return true;
}

void recorder_spawn_again(struct rec_task *task, uint16_t flags, uint32_t spawn_site,
                          const char name[static 16])
{
    const uint16_t all = REC_TASK_HOLD - 1;
    recorder_count(&recorder.header->spawned);
    /* Most often they are those of the task before. */
    if ((__atomic_load_n(&task->flags, __ATOMIC_ACQUIRE) & all) != flags) {
        __atomic_fetch_and(&task->flags, (uint16_t)~all, __ATOMIC_ACQ_REL);
        __atomic_fetch_or(&task->flags, flags, __ATOMIC_ACQ_REL);
    }
    SHARED_PUT(task->spawn_site, spawn_site);
    put_name(task, name);
    put_id(task);
    __atomic_store_n(&task->state, REC_TASK_LIVE, __ATOMIC_RELEASE);
}

void recorder_rename(struct rec_task *task, const char *name)
{
    char padded[sizeof(task->name)] = "";
    for (size_t i = 0; i < sizeof(padded) - 1 && name[i] != '\0'; i++)
        padded[i] = name[i];
    put_name(task, padded);
}
