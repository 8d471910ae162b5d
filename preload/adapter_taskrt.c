/* Tasks of libtaskrt. A task carries its slot in the word that the runtime keeps for tools, so that
 * it is found wherever the task runs. */
#include "preload/adapter.h"

#include <errno.h>

#include "preload/hooks.h"
#include "preload/memory.h"
#include "runtime/taskrt_inspect.h"

struct taskrt_known taskrt_known;
static const struct taskrt_inspect *inspect; /* NULL: there is no libtaskrt that we know */

static bool attach(void)
{
    if (__atomic_load_n(&taskrt_known.current, __ATOMIC_ACQUIRE) != 0)
        return true;
    const struct taskrt_inspect *found = hooks_find("taskrt_inspect", NULL);
    int64_t (*current)(void) = (int64_t(*)(void))hooks_find("taskrt_inspect_current", NULL);
    if (found == NULL || current == NULL || found->magic != TASKRT_INSPECT_MAGIC ||
        found->version != TASKRT_INSPECT_VERSION || found->bytes < sizeof(*found))
        return false;
    inspect = found;
    taskrt_known.tool = found->tool;
    __atomic_store_n(&taskrt_known.current, current(), __ATOMIC_RELEASE); /* last: all is known */
    if (recorder.header != NULL)
        __atomic_fetch_or(&recorder.header->runtimes, REC_RUNTIME_TASKRT, __ATOMIC_RELAXED);
    return true;
}

static inline struct rec_task **tool_word(struct taskrt_task *task)
{
    return (struct rec_task **)((char *)task + taskrt_known.tool);
}

/* A task whose spawn was not seen, or whose slot did not survive a fork. */
static struct rec_task *adopt(struct taskrt_task *self)
{
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, REC_TASK_ADOPTED, 0, (uint64_t)self,
                                           (const char *)self + inspect->name);
    if (task == NULL)
        return &recorder_thread.sink;
    *tool_word(self) = task;
    return task;
}

struct rec_task *taskrt_find_slot(void)
{
    struct taskrt_task *self = attach() ? taskrt_current() : NULL;
    if (self == NULL)
        return &recorder_thread.sink;
    struct rec_task *task = *tool_word(self);
    return task != NULL ? task : adopt(self);
}

/* --- spawn ----------------------------------------------------------------------------------- */

static void task_main(void *arg)
{
    struct rec_task *task = arg;
    taskrt_fn *fn = (taskrt_fn *)task->cfa;
    void *fn_arg = (void *)task->fp;
    struct taskrt_task *self = taskrt_current();
    SHARED_PUT(task->handle, (uint64_t)self);
    *tool_word(self) = task;
    fn(fn_arg);
    recorder_release(*tool_word(self));
    *tool_word(self) = NULL;
}

/* Slots hold what their task shall run, until it starts. */
static struct rec_task *spawn_slot(uint32_t site, const char *name, taskrt_fn *fn, void *arg)
{
    if (!attach())
        return NULL;
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, site, 0, name);
    if (task != NULL) {
        SHARED_PUT(task->cfa, (uint64_t)fn);
        SHARED_PUT(task->fp, (uint64_t)arg);
    }
    return task;
}

/* The end of the running task's stack; 0: no task runs. */
static uint64_t stack_high(void)
{
    struct taskrt_task *self = attach() ? taskrt_current() : NULL;
    return self != NULL ? *(const uint64_t *)((const char *)self + inspect->stack_high) : 0;
}

int hook_taskrt_spawn(const struct taskrt_options *options, taskrt_fn *fn, void *arg,
                      struct taskrt_task **ret)
{
    if (unlikely(recorder.classes == 0 || fn == NULL)) /* NULL is refused */
        return hooks_real.taskrt_spawn(options, fn, arg, ret);
    recorder_self();
    struct rec_task *task =
        spawn_slot(HOOK_SPAWN_SITE(stack_high()), options != NULL ? options->name : NULL, fn, arg);
    if (task == NULL)
        return hooks_real.taskrt_spawn(options, fn, arg, ret);
    int result = hooks_real.taskrt_spawn(options, task_main, task, ret);
    if (result != 0)
        recorder_take_back(task);
    return result;
}

/* What the tasks of a runtime that has stopped leave behind: abandoned while they waited. They stay
 * in the recording, marked so, until the next run begins. */
static void for_each_task(void (*function)(struct rec_task *task))
{
    if (recorder.header == NULL)
        return;
    uint32_t count = recorder_rows(REC_TABLE_TASKS);
    for (uint32_t row = 1; row < count; row++) {
        struct rec_task *task = &recorder.tasks[row];
        if (SHARED_GET(task->state) != REC_TASK_FREE && SHARED_GET(task->kind) == REC_KIND_TASK)
            function(task);
    }
}

static void mark_abandoned(struct rec_task *task)
{
    __atomic_fetch_or(&task->flags, REC_TASK_ABANDONED, __ATOMIC_RELAXED);
}

static void release_abandoned(struct rec_task *task)
{
    if (SHARED_GET(task->flags) & REC_TASK_ABANDONED)
        recorder_release(task);
}

/* A run that may be refused: while there is another one, its tasks are not to be touched. */
struct first_run {
    struct rec_task *task; /* NULL: there was no room */
    taskrt_fn *fn;
    void *arg;
    bool begun;
};

/* The first task: the run was not refused. */
static void first_main(void *arg)
{
    struct first_run *run = arg;
    struct rec_task *task = run->task;
    __atomic_store_n(&run->begun, true, __ATOMIC_RELEASE);
    for_each_task(release_abandoned);
    if (task != NULL)
        task_main(task);
    else
        run->fn(run->arg);
}

int hook_taskrt_run(taskrt_fn *fn, void *arg)
{
    if (unlikely(recorder.classes == 0 || fn == NULL)) { /* NULL is refused */
        int result = hooks_real.taskrt_run(fn, arg);
        if (fn != NULL && result != -EBUSY)
            for_each_task(mark_abandoned); /* recorded since the run started its first worker */
        return result;
    }
    recorder_self();
    struct first_run run = {.fn = fn, .arg = arg};
    run.task = spawn_slot(HOOK_SPAWN_SITE(HOOK_OWN_STACK), NULL, fn, arg);
    int result = hooks_real.taskrt_run(first_main, &run);
    if (__atomic_load_n(&run.begun, __ATOMIC_ACQUIRE))
        for_each_task(mark_abandoned);
    else if (run.task != NULL)
        recorder_take_back(run.task);
    return result;
}

/* --- what a task waits on -------------------------------------------------------------------- */

static uint16_t describe_channel(uint64_t chan, uint32_t *capacity, uint32_t *length)
{
    uint64_t words[2];
    uint32_t closed;
    if (chan == 0 || !memory_read(chan + inspect->chan_capacity, &words[0], sizeof(words[0])) ||
        !memory_read(chan + inspect->chan_length, &words[1], sizeof(words[1])) ||
        !memory_read(chan + inspect->chan_closed, &closed, sizeof(closed)))
        return 0;
    *capacity = rec_saturate(words[0]);
    *length = rec_saturate(words[1]);
    return REC_DETAIL_CHANNEL | (closed ? REC_DETAIL_CLOSED : 0);
}

static bool read_state(const struct rec_task *task, uint32_t *ret)
{
    return inspect != NULL && memory_read(task->handle + inspect->state, ret, sizeof(*ret));
}

/* A runtime that stops leaves zeroes of its tasks' stacks, and the program may give their objects'
 * memory to others then. It says first that the tasks are none any more. */
static bool is_parked(const struct rec_task *task)
{
    uint32_t state;
    return read_state(task, &state) && state == TASKRT_STATE_PARKED;
}

static bool is_awake(const struct rec_task *task)
{
    uint32_t state;
    return read_state(task, &state) &&
           (state == TASKRT_STATE_RUNNABLE || state == TASKRT_STATE_RUNNING);
}

static void describe_select(const struct rec_task *task, struct wait_detail *detail)
{
    uint32_t count = task->arg < ADAPTER_MAX_CASES ? task->arg : ADAPTER_MAX_CASES;
    for (uint32_t i = 0; i < count; i++) {
        struct taskrt_case from;
        struct rec_case *to = &detail->cases[i];
        if (!memory_read(task->object + i * sizeof(from), &from, sizeof(from)))
            break;
        *to = (struct rec_case){
            .object = (uint64_t)from.chan,
            .op = from.direction == TASKRT_SEND ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE,
        };
        to->detail_flags = describe_channel(to->object, &to->capacity, &to->length);
        detail->case_count = (uint16_t)(i + 1);
    }
}

static void describe_mutex(const struct rec_task *task, struct wait_detail *detail)
{
    uint64_t owner, slot;
    if (!memory_read(task->object + inspect->mutex_owner, &owner, sizeof(owner)))
        return;
    detail->flags = REC_DETAIL_OWNER_ROW;
    if (owner != 0 && memory_read(owner + inspect->tool, &slot, sizeof(slot)) &&
        slot > (uint64_t)recorder.tasks)
        detail->a = (uint32_t)((slot - (uint64_t)recorder.tasks) / sizeof(struct rec_task));
}

static void describe(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    if (inspect == NULL)
        return;
    switch (op) {
    case REC_OP_CHAN_SEND:
    case REC_OP_CHAN_RECEIVE:
        detail->flags = describe_channel(task->object, &detail->a, &detail->b);
        break;
    case REC_OP_SELECT:
        describe_select(task, detail);
        break;
    case REC_OP_MUTEX_LOCK:
        describe_mutex(task, detail);
        break;
    default:
        break;
    }
}

static bool relocks(const struct rec_task *task, const struct blocked_call *call,
                    uint64_t *ret_mutex)
{
    uint32_t reason;
    (void)call;
    return is_parked(task) &&
           memory_read(task->handle + inspect->reason, &reason, sizeof(reason)) &&
           reason == TASKRT_REASON_MUTEX &&
           memory_read(task->handle + inspect->object, ret_mutex, sizeof(*ret_mutex));
}

const struct adapter adapter_taskrt = {
    .kind = REC_KIND_TASK,
    .describe = describe,
    .is_parked = is_parked,
    .is_awake = is_awake,
    .relocks = relocks,
};
