/* Threads are joined, and detached. */
#include "preload/hooks.h"

#include "preload/hooks_thread.h"

/* --- a thread's slot, by its handle ---------------------------------------------------------- */

static bool is_slot_of(const struct rec_task *task, uint64_t thread)
{
    return task != NULL && SHARED_GET(task->handle) == thread &&
           SHARED_GET(task->kind) == REC_KIND_THREAD && SHARED_GET(task->state) != REC_TASK_FREE;
}

/* The slot that the thread itself has, also while it publishes nowhere: NULL before it has begun.
 * Thread-local storage lies at the same distance from every thread's descriptor, and is there until
 * the thread is joined. */
static struct rec_task *own_slot_of(uint64_t thread)
{
    uint64_t distance = (uint64_t)&recorder_thread - (uint64_t)pthread_self();
    struct recorder_thread *its = (struct recorder_thread *)(thread + distance);
    struct rec_task *task = __atomic_load_n(&its->task, __ATOMIC_ACQUIRE);
    if (!is_slot_of(task, thread))
        task = __atomic_load_n(&its->outside, __ATOMIC_ACQUIRE);
    return is_slot_of(task, thread) ? task : NULL;
}

/* A detached thread that is gone may have had the same handle, and have its slot yet, even with a
 * later number. But that one has begun. */
static bool has_not_begun(const struct rec_task *task)
{
    return SHARED_GET(task->state) == REC_TASK_LIVE && SHARED_GET(task->os_tid) == 0;
}

struct rec_task *hooks_find_thread(uint64_t thread)
{
    if (recorder.header == NULL)
        return NULL;
    struct rec_task *task = own_slot_of(thread);
    if (task != NULL)
        return task;
    task = recorder_thread.last_spawned;
    if (is_slot_of(task, thread) && SHARED_GET(task->id) == recorder_thread.last_spawned_id)
        return task;
    uint32_t count = recorder_rows(REC_TABLE_TASKS);
    for (uint32_t row = 1; row < count; row++)
        if (is_slot_of(&recorder.tasks[row], thread) && has_not_begun(&recorder.tasks[row]))
            return &recorder.tasks[row];
    return own_slot_of(thread); /* it has begun meanwhile */
}

/* --- join ------------------------------------------------------------------------------------ */

/* The slot of a thread that was joined and not found before, since it had not begun: the oldest of
 * those that had its handle and are to be joined, which others may have got since. */
static struct rec_task *find_joined(uint64_t thread)
{
    struct rec_task *found = NULL;
    if (recorder.header == NULL)
        return NULL;
    uint32_t count = recorder_rows(REC_TABLE_TASKS);
    for (uint32_t row = 1; row < count; row++) {
        struct rec_task *task = &recorder.tasks[row];
        uint16_t flags = SHARED_GET(task->flags);
        if (is_slot_of(task, thread) && SHARED_GET(task->state) != REC_TASK_LIVE &&
            flags & REC_TASK_JOINABLE && !(flags & REC_TASK_RELEASED) &&
            (found == NULL || SHARED_GET(task->id) < SHARED_GET(found->id)))
            found = task;
    }
    return found;
}

static void joined(struct rec_task *task, uint64_t id, uint64_t thread)
{
    if (task == NULL) {
        task = find_joined(thread);
        id = task != NULL ? SHARED_GET(task->id) : 0;
    }
    if (task == NULL || !recorder_hold(task, id))
        return;
    recorder_release(task);
    recorder_let_go(task);
}

/* The body of the four joins: `call` is the real one, 0 its success. */
#define JOIN(name, flags, call)                                                                    \
    if (unlikely(recorder.classes == 0))                                                           \
        return call;                                                                               \
    struct rec_task *task = hooks_find_thread((uint64_t)thread);                                   \
    uint64_t id = task != NULL ? SHARED_GET(task->id) : 0;                                         \
    int status;                                                                                    \
    if (HOOK_RECORDS(THREAD_JOIN)) {                                                               \
        struct wait published;                                                                     \
        wait_begin(&published, recorder_self(), CALL_##name, flags, (uint64_t)thread, 0);          \
        status = call;                                                                             \
        wait_end(&published);                                                                      \
    } else {                                                                                       \
        status = call;                                                                             \
    }                                                                                              \
    if (status == 0)                                                                               \
        joined(task, id, (uint64_t)thread);                                                        \
    return status;

int hook_pthread_join(pthread_t thread, void **value)
{
    JOIN(pthread_join, 0, hooks_real.pthread_join(thread, value))
}

int hook_pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
    JOIN(pthread_timedjoin_np, until ? REC_WAIT_DEADLINE : 0,
         hooks_real.pthread_timedjoin_np(thread, value, until))
}

int hook_pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock,
                              const struct timespec *until)
{
    JOIN(pthread_clockjoin_np, until ? REC_WAIT_DEADLINE : 0,
         hooks_real.pthread_clockjoin_np(thread, value, clock, until))
}

int hook_pthread_tryjoin_np(pthread_t thread, void **value)
{
    JOIN(pthread_tryjoin_np, REC_WAIT_DEADLINE, hooks_real.pthread_tryjoin_np(thread, value))
}

int hook_thrd_join(thrd_t thread, int *result)
{
    JOIN(thrd_join, 0, hooks_real.thrd_join(thread, result))
}

/* --- detach ---------------------------------------------------------------------------------- */

/* The body of the two detaches: `call` is the real one, `success` its success. Before the call,
 * since the thread may be gone after it. */
#define DETACH(call, success)                                                                      \
    if (unlikely(recorder.classes == 0))                                                           \
        return call;                                                                               \
    struct rec_task *task = hooks_find_thread((uint64_t)thread);                                   \
    if (task == NULL || !recorder_hold(task, SHARED_GET(task->id)))                                \
        return call;                                                                               \
    uint16_t joinable =                                                                            \
        REC_TASK_JOINABLE &                                                                        \
        __atomic_fetch_and(&task->flags, (uint16_t)~REC_TASK_JOINABLE, __ATOMIC_ACQ_REL);          \
    int result = call;                                                                             \
    if (result != success)                                                                         \
        __atomic_fetch_or(&task->flags, joinable, __ATOMIC_ACQ_REL);                               \
    else if (__atomic_load_n(&task->state, __ATOMIC_ACQUIRE) == REC_TASK_FINISHED)                 \
        recorder_release(task);                                                                    \
    recorder_let_go(task);                                                                         \
    return result;

int hook_pthread_detach(pthread_t thread)
{
    DETACH(hooks_real.pthread_detach(thread), 0)
}

int hook_thrd_detach(thrd_t thread)
{
    DETACH(hooks_real.thrd_detach(thread), thrd_success)
}
