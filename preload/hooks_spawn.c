/* Threads begin, are joined, are let go, and end. */
#include "preload/hooks.h"

#include <string.h>

#include "preload/lifecycle.h"
#include "preload/memory.h"
#include "preload/own_stack.h"
#include "preload/own_tid.h"
#include "preload/sampler.h"
#include "preload/signals.h"
#include "preload/sites.h"
#include "preload/unwind.h"

uint32_t hooks_spawn_site(uint64_t pc, uint64_t sp, uint64_t fp, uint64_t high)
{
    struct recorder_thread *self = &recorder_thread;
    if (high != 0 && unwind_is_same(&self->trace, pc, sp, fp, high))
        return self->trace_site;
    unwind_own(pc, sp, fp, high != 0 ? sp : 0, high, high != 0 ? &self->trace : NULL, &self->stack);
    uint32_t site = site_store(self->stack.pcs, self->stack.count, self->stack.flags);
    self->trace_site = site;
    if (site == 0)
        self->trace.pc = 0;
    return site;
}

/* --- spawn ----------------------------------------------------------------------------------- */

static void end_thread(struct rec_task *task)
{
    recorder_end(task);
    recorder_thread_ends();
    sampler_thread_ends();
}

/* Whatever the thread waited in, as where a handler ends it or it is cancelled, it does no more. */
static void leave(struct rec_task *task)
{
    if (task != NULL)
        __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    end_thread(task);
}

/* Runs when the thread's function has returned, or was left by pthread_exit or cancellation. */
static void thread_done(void *unused)
{
    (void)unused;
    leave(recorder_thread.task); /* after a fork it is another one, or none */
}

/* What the slot of a thread that has not started yet holds in the fields of its waits. */
static inline void put_start(struct rec_task *task, void *start, void *arg, uint64_t stack_bytes)
{
    SHARED_PUT(task->cfa, (uint64_t)start);
    SHARED_PUT(task->fp, (uint64_t)arg);
    SHARED_PUT(task->object, stack_bytes);
}

static void thread_begin(struct rec_task *task)
{
    recorder_thread.stack_bytes = task->object;
    /* A signal may have come first, whose handler waited, and so adopted the thread. */
    struct rec_task *adopted = __atomic_exchange_n(&recorder_thread.task, task, __ATOMIC_ACQ_REL);
    if (unlikely(adopted != NULL && adopted != &recorder_thread.sink))
        recorder_take_back(adopted);
    __atomic_store_n(&task->handle, (uint64_t)pthread_self(), __ATOMIC_RELEASE);
    if (!recorder_quiet || own_tid_is_known())
        __atomic_store_n(&task->os_tid, own_tid(), __ATOMIC_RELEASE);
}

static void *thread_main(void *arg)
{
    struct rec_task *task = arg;
    void *(*start)(void *) = (void *(*)(void *))task->cfa;
    void *start_arg = (void *)task->fp;
    void *value;
    thread_begin(task);
    pthread_cleanup_push(thread_done, NULL);
    value = start(start_arg);
    pthread_cleanup_pop(1);
    return value;
}

static int c11_thread_main(void *arg)
{
    struct rec_task *task = arg;
    thrd_start_t start = (thrd_start_t)task->cfa;
    void *start_arg = (void *)task->fp;
    int value;
    thread_begin(task);
    pthread_cleanup_push(thread_done, NULL);
    value = start(start_arg);
    pthread_cleanup_pop(1);
    return value;
}

/* A slot that is held until the spawner, too, has written to it. */
static struct rec_task *spawn_slot(bool joinable, uint32_t site, void *start, void *arg,
                                   const pthread_attr_t *attr)
{
    uint16_t flags = REC_TASK_HOLD | (joinable ? REC_TASK_JOINABLE : 0);
    char name[16] = "";
    /* A thread inherits its name; what the recorder knows of the spawner is good enough. */
    const struct rec_task *self = recorder_known_self();
    if (self != NULL)
        memcpy(name, self->name, sizeof(name));
    name[sizeof(name) - 1] = '\0';
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, flags, site, 0, name);
    if (task != NULL)
        put_start(task, start, arg, own_stack_bytes(attr));
    return task;
}

/* Where the C library put the handle: a thread that has begun may have freed that already, so that
 * its memory is only read directly on the own stack, which is in use. 0: it is not to be known. */
static uint64_t handle_at(const void *place)
{
    uint64_t address = (uint64_t)place, handle = 0;
    uint64_t sp = (uint64_t)__builtin_frame_address(0);
    if (address >= sp && address + sizeof(handle) <= own_stack_end(sp))
        return *(const uint64_t *)place;
    if (recorder_quiet || !memory_read(address, &handle, sizeof(handle)))
        return 0;
    return handle;
}

static void spawned(struct rec_task *task, bool ok, const void *place)
{
    if (ok) {
        /* The same that the thread writes when it begins. Where that came first, what was read may
         * be anything, and is not taken. */
        uint64_t none = 0;
        if (__atomic_load_n(&task->handle, __ATOMIC_ACQUIRE) == 0)
            __atomic_compare_exchange_n(&task->handle, &none, handle_at(place), false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
        recorder_thread.last_spawned = task;
        recorder_thread.last_spawned_id = task->id;
        sampler_ensure(); /* it may have ended since, or could not be started */
    } else {
        recorder_take_back(task);
    }
    recorder_let_go(task);
}

/* A thread that got no slot may get one yet, when it first waits. */
static void lose_thread(void)
{
    if (recorder.header != NULL)
        __atomic_fetch_add(&recorder_lost_threads, 1, __ATOMIC_RELAXED);
}

/* Is the thread that is about to start none that is recorded from its start on? */
static bool starts_unrecorded(void)
{
    if (unlikely(recorder_thread.forks > 0) && lifecycle_forget_for_thread())
        return true;
    return unlikely(recorder.classes == 0) && !lifecycle_begin_for_thread();
}

/* A handler of a fork starts a thread, while we have all signals blocked: it inherits those that
 * the program has. */
static inline void give_signals_back(void)
{
    if (unlikely(recorder_thread.forks > 0))
        signals_restore(recorder_thread.fork_signals);
}

static inline void block_signals_again(void)
{
    if (unlikely(recorder_thread.forks > 0))
        signals_block();
}

static int create_thread(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                         void *arg)
{
    give_signals_back();
    int result = hooks_real.pthread_create(thread, attr, start, arg);
    block_signals_again();
    return result;
}

static int create_c11_thread(thrd_t *thread, thrd_start_t start, void *arg)
{
    give_signals_back();
    int result = hooks_real.thrd_create(thread, start, arg);
    block_signals_again();
    return result;
}

/* A thread that is not recorded from its start on has started, where `result` is 0, of either
 * function. */
static int started_unrecorded(int result, const void *place)
{
    _Static_assert(thrd_success == 0, "as pthread_create has it");
    if (result == 0)
        lifecycle_started_unrecorded(place);
    return result;
}

int hook_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                        void *arg)
{
    if (starts_unrecorded())
        return started_unrecorded(create_thread(thread, attr, start, arg), thread);
    recorder_self();
    int detached = PTHREAD_CREATE_JOINABLE;
    if (attr != NULL)
        pthread_attr_getdetachstate(attr, &detached);
    struct rec_task *task = spawn_slot(detached == PTHREAD_CREATE_JOINABLE,
                                       HOOK_SPAWN_SITE(HOOK_OWN_STACK), (void *)start, arg, attr);
    if (task == NULL) {
        lose_thread();
        return create_thread(thread, attr, start, arg);
    }
    int result = create_thread(thread, attr, thread_main, task);
    spawned(task, result == 0, thread);
    return result;
}

int hook_thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
    if (starts_unrecorded())
        return started_unrecorded(create_c11_thread(thread, start, arg), thread);
    recorder_self();
    struct rec_task *task =
        spawn_slot(true, HOOK_SPAWN_SITE(HOOK_OWN_STACK), (void *)start, arg, NULL);
    if (task == NULL) {
        lose_thread();
        return create_c11_thread(thread, start, arg);
    }
    int result = create_c11_thread(thread, c11_thread_main, task);
    spawned(task, result == thrd_success, thread);
    return result;
}

/* --- join and detach ------------------------------------------------------------------------- */

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

/* The slot of a thread that may be joined or detached: NULL if it has none, or none that is known
 * to be its own yet. */
static struct rec_task *find_thread(uint64_t thread)
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
    struct rec_task *task = find_thread((uint64_t)thread);                                         \
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

/* The body of the two detaches: `call` is the real one, `success` its success. Before the call,
 * since the thread may be gone after it. */
#define DETACH(call, success)                                                                      \
    if (unlikely(recorder.classes == 0))                                                           \
        return call;                                                                               \
    struct rec_task *task = find_thread((uint64_t)thread);                                         \
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

/* --- names and ends -------------------------------------------------------------------------- */

int hook_pthread_setname_np(pthread_t thread, const char *name)
{
    int result = hooks_real.pthread_setname_np(thread, name);
    if (result != 0 || recorder.classes == 0)
        return result;
    struct rec_task *task =
        pthread_equal(thread, pthread_self()) ? recorder_self() : find_thread((uint64_t)thread);
    if (task != NULL)
        recorder_rename(task, name);
    return result;
}

/* The first thread has no function of ours around its own. */
void hook_pthread_exit(void *value)
{
    leave(recorder_known_self());
    hooks_real.pthread_exit(value);
    __builtin_unreachable();
}

void hook_thrd_exit(int result)
{
    leave(recorder_known_self());
    hooks_real.thrd_exit(result);
    __builtin_unreachable();
}
