/* Tasks: beginning, ending, joining. */
#include "runtime/internal.h"
#include "runtime/sched.h"

#include <errno.h>
#include <string.h>

#if RT_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#if RT_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define COLOURS 8U /* tops of stacks differ, or all of them would share cache lines */
#define COLOUR_BYTES 256U

static _Atomic uint64_t last_id;

static void count_live(int64_t delta)
{
    atomic_fetch_add_explicit((_Atomic uint64_t *)&taskrt_inspect.live, (uint64_t)delta,
                              memory_order_relaxed);
}

/* Writes the frame that the first switch to the task restores. */
static void prepare_stack(struct taskrt_task *task, uint64_t id)
{
    uintptr_t top = task->stack_high - id % COLOURS * COLOUR_BYTES;
    char *frame = (char *)(top - RT_CONTEXT_BYTES);
    memset(frame, 0, RT_CONTEXT_BYTES);
    uintptr_t entry = (uintptr_t)taskrt_task_entry + RT_ENTRY_SKIP;
    memcpy(frame + RT_CONTEXT_PC, &entry, sizeof entry);
    memcpy(frame + RT_CONTEXT_ARG, &task, sizeof(void *));
#if defined(__x86_64__)
    /* The spawner's rounding and exception masks, as a thread would inherit them. */
    __asm__ volatile("stmxcsr (%0)\n\tfnstcw 4(%0)" : : "r"(frame) : "memory");
#elif defined(__aarch64__)
    uint64_t fp[2];
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(fp[0]), "=r"(fp[1]));
    memcpy(frame + 160, fp, sizeof fp);
#endif
    RT_SET(task->context_sp, (void *)frame);
}

int rt_spawn(struct taskrt_task *self, const struct taskrt_options *options, taskrt_fn *fn,
             void *arg, struct taskrt_task **ret)
{
    struct rt_worker *worker = self ? self->worker : rt_first_worker();
    struct taskrt_task *task = rt_task_alloc(&worker->cache, options ? options->stack_bytes : 0);
    if (!task)
        return -ENOMEM;
    uint64_t id = atomic_fetch_add_explicit(&last_id, 1, memory_order_relaxed) + 1;
    RT_SET(task->id, id);
    RT_SET(task->tool, 0);
    RT_SET(task->start, fn);
    RT_SET(task->spawner_id, self ? RT_GET(self->id) : 0);
    RT_SET(task->reason, TASKRT_REASON_NONE);
    RT_SET(task->object, 0);
    RT_SET(task->object_count, 0);
    RT_SET(task->deadline_ns, TASKRT_NEVER);
    RT_SET(task->parked_ns, 0);
    memset(task->name, 0, sizeof task->name);
    if (options && options->name)
        strncpy(task->name, options->name, sizeof task->name - 1);
    task->arg = arg;
    task->detached = ret == NULL;
    task->joiner = NULL;
    atomic_store_explicit(&task->waiting, false, memory_order_relaxed);
    prepare_stack(task, id);
#if RT_TSAN
    task->fiber = __tsan_create_fiber(0);
#else
    task->fiber = NULL;
#endif
    count_live(1);
    atomic_store_explicit(&task->state, TASKRT_STATE_RUNNABLE, memory_order_release);
    if (ret)
        *ret = task;
    if (self)
        rt_ready(task);
    else
        rt_push_first(task);
    return 0;
}

void rt_task_main(struct taskrt_task *self)
{
    rt_fiber_arrived(self);
    taskrt_fn *fn = RT_GET(self->start);
    fn(self->arg);
    rt_exit(self);
}

/* The task's memory may be used again by the time this returns. */
static void free_task(struct rt_worker *worker, struct taskrt_task *task)
{
    RT_SET(task->spawner_id, 0);
    atomic_store_explicit(&task->state, TASKRT_STATE_FREE, memory_order_release);
    count_live(-1);
    rt_task_free(&worker->cache, task);
}

void rt_task_ended(struct rt_worker *worker, struct taskrt_task *task)
{
#if RT_TSAN
    __tsan_destroy_fiber(task->fiber);
    task->fiber = NULL;
#endif
    rt_lock(&task->lock);
    if (task->detached) {
        rt_unlock(&task->lock);
        free_task(worker, task);
        return;
    }
    atomic_store_explicit(&task->state, TASKRT_STATE_ENDED, memory_order_release);
    struct taskrt_task *joiner = task->joiner;
    bool claimed = joiner && rt_claim(joiner);
    rt_unlock(&task->lock);
    if (claimed) {
        joiner->wait_result = 0;
        rt_ready(joiner);
    }
}

int taskrt_spawn(const struct taskrt_options *options, taskrt_fn *fn, void *arg,
                 struct taskrt_task **ret)
{
    struct taskrt_task *self = rt_self();
    if (!self)
        return -EPERM;
    if (!fn)
        return -EINVAL;
    return rt_spawn(self, options, fn, arg, ret);
}

/* 0 if the caller may join or detach the task, whose lock it holds. */
static int check_handle(const struct taskrt_task *task)
{
    return task->detached || task->joiner || RT_GET(task->state) == TASKRT_STATE_FREE ? -EINVAL : 0;
}

int taskrt_join(struct taskrt_task *task, int64_t deadline_ns)
{
    struct taskrt_task *self = rt_self();
    if (!self)
        return -EPERM;
    if (!task)
        return -EINVAL;
    rt_lock(&task->lock);
    int result = check_handle(task);
    if (result == 0 && task == self)
        result = -EDEADLK;
    bool ended = RT_GET(task->state) == TASKRT_STATE_ENDED;
    if (result == 0 && !ended)
        result = rt_deadline_check(deadline_ns);
    if (result < 0) {
        rt_unlock(&task->lock);
        return result;
    }
    if (!ended) {
        task->joiner = self;
        result = rt_park(self, TASKRT_REASON_JOIN, (uintptr_t)task, 1, deadline_ns, rt_unlock_one,
                         &task->lock);
        rt_lock(&task->lock);
        task->joiner = NULL;
        if (result < 0) {
            rt_unlock(&task->lock);
            return result;
        }
    }
    task->detached = true; /* the handle is given up */
    rt_unlock(&task->lock);
    free_task(self->worker, task);
    return 0;
}

int taskrt_detach(struct taskrt_task *task)
{
    struct taskrt_task *self = rt_self();
    if (!self)
        return -EPERM;
    if (!task)
        return -EINVAL;
    rt_lock(&task->lock);
    int result = check_handle(task);
    if (result == 0)
        task->detached = true;
    bool ended = RT_GET(task->state) == TASKRT_STATE_ENDED;
    rt_unlock(&task->lock);
    if (result == 0 && ended)
        free_task(self->worker, task);
    return result;
}

struct taskrt_task *taskrt_self(void)
{
    return rt_self();
}

const char *taskrt_name(const struct taskrt_task *task)
{
    return task ? task->name : NULL;
}

void taskrt_yield(void)
{
    struct taskrt_task *self = rt_self();
    if (self)
        rt_yield(self);
}

int taskrt_sleep(int64_t duration_ns)
{
    struct taskrt_task *self = rt_self();
    if (!self)
        return -EPERM;
    if (duration_ns <= 0) {
        rt_yield(self);
        return 0;
    }
    int64_t now_ns = rt_now_ns();
    int64_t deadline_ns;
    if (__builtin_add_overflow(now_ns, duration_ns, &deadline_ns))
        deadline_ns = TASKRT_NEVER;
    rt_park(self, TASKRT_REASON_SLEEP, 0, 0, deadline_ns, NULL, NULL);
    return 0;
}

int taskrt_errno(void)
{
    return errno;
}

int64_t taskrt_now_ns(void)
{
    return rt_now_ns();
}
