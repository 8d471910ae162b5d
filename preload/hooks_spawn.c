/* Threads are started: by pthread_create and thrd_create, with what runs round their functions. */
#include "preload/hooks.h"

#include <string.h>

#include "preload/hooks_thread.h"
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

/* --- round the thread's function ------------------------------------------------------------- */

/* Runs when the thread's function has returned, or was left by pthread_exit or cancellation. */
static void thread_done(void *unused)
{
    (void)unused;
    hooks_thread_ends(recorder_thread.task); /* after a fork it is another one, or none */
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

/* --- its slot -------------------------------------------------------------------------------- */

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

/* --- the calls ------------------------------------------------------------------------------- */

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
