/* The recorder of the own process: begins and ends its recording, also after fork, and adopts
 * threads whose spawn was not seen. */
#include "preload/recorder.h"

#include <pthread.h>
#include <sys/prctl.h>

#include "preload/adapter_go.h"
#include "preload/asleep.h"
#include "preload/early.h"
#include "preload/filter.h"
#include "preload/frames.h"
#include "preload/hooks.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/other_stack.h"
#include "preload/recording_file.h"
#include "preload/relock.h"
#include "preload/sampler.h"
#include "preload/signals.h"
#include "preload/sys.h"
#include "preload/thread_count.h"
#include "preload/unwind.h"

uint64_t recorder_lost_threads;

/* Has this process come from fork, and no recording of its own yet? */
static enum { CHILD_NONE, CHILD_PENDING, CHILD_OPENING } child;
static uint32_t child_pid; /* of the one that is pending */

bool recorder_open(bool fork_child)
{
    static char path[PLACE_ROOM];
    const struct recorded_process self = {
        .pid = (uint32_t)sys_call(SYS_getpid, 0),
        .parent_pid = (uint32_t)sys_call(SYS_getppid, 0),
        .proc = "/proc/self",
    };
    uint64_t lost = early_left();
    __atomic_store_n(&recorder_lost_threads, lost, __ATOMIC_RELAXED);
    memory_init();
    place_keeps_modes =
        filter_forbids(SYS_openat) || filter_forbids(SYS_fchmod) || filter_forbids(SYS_fchmodat);
    if (recording_file_make(&self, fork_child, path) != 0)
        return false;
    /* One of them may have been adopted in this moment. */
    __atomic_fetch_add(&recorder.header->spawned, lost, __ATOMIC_RELAXED);
    __atomic_fetch_add(&recorder.header->lost_tasks, lost, __ATOMIC_RELAXED);
    module_reset();
    unwind_flush();
    frames_reset();
    early_record();
    adapter_go_reset();
    asleep_reset();
    relock_reset();
    hooks_add_calls();
    recording_file_begin(path);
    return true;
}

void recorder_forget(void)
{
    /* A handler that forked inside a parked call will restore what it published before: nothing of
     * that may reach the parent's file. */
    if (!recorder_quiet)
        recording_file_detach(!filter_forbids(SYS_memfd_create) && !filter_forbids(SYS_madvise));
    bool was_recorded = recorder.header != NULL || child != CHILD_NONE;
    bool pending = was_recorded && recorder_options.children && !recorder_quiet;
    child = pending ? CHILD_PENDING : CHILD_NONE;
    child_pid = pending ? (uint32_t)sys_call(SYS_getpid, 0) : 0;
    recording_file_forget();
    recorder.classes = pending ? recorder_options.classes : 0;
    /* Between the handlers of a fork it publishes nowhere: the last one of them gives back what was
     * its slot before, which is none now. */
    recorder_thread.task = recorder_thread.inside ? &recorder_thread.sink : NULL;
    recorder_thread.unwatched = NULL;
    recorder_thread.spare = NULL;
    recorder_lost_threads = 0;
    early_forget();
    unwind_forget();
    sampler_forget();
}

void recorder_close(enum rec_state state, int exit_code)
{
    if (recorder.header == NULL ||
        (!recorder_quiet && (uint32_t)sys_call(SYS_getpid, 0) != recorder.header->pid))
        return; /* a vfork child shares our memory, and is not the one who ends */
    recording_file_end(state, exit_code);
}

static bool take_lost_thread(void)
{
    uint64_t lost = __atomic_load_n(&recorder_lost_threads, __ATOMIC_RELAXED);
    while (lost > 0 && !__atomic_compare_exchange_n(&recorder_lost_threads, &lost, lost - 1, false,
                                                    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        ;
    return lost > 0;
}

void recorder_take_back_loss(void)
{
    __atomic_fetch_sub(&recorder.header->spawned, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&recorder.header->lost_tasks, 1, __ATOMIC_RELAXED);
}

void recorder_find_lost_thread(void)
{
    if (take_lost_thread())
        recorder_take_back_loss();
}

/* Opening wants kilobytes of stack, and the first who waits may be a handler, or the function of a
 * clone(), that has little. One thread opens at a time. */
static struct other_stack opening_stack;

static void open_here(void *arg)
{
    *(bool *)arg = recorder_open(true);
}

/* The first hook of a fork child. A handler that forks or waits in the middle would find half a
 * recording: signals are blocked. False: there is none, or not yet. */
static bool open_in_child(void)
{
    __typeof__(child) pending = CHILD_PENDING;
    if (__atomic_load_n(&child, __ATOMIC_RELAXED) != pending ||
        (uint32_t)sys_call(SYS_getpid, 0) != child_pid)
        return false; /* or a vfork child of its own, on its memory */
    uint64_t before = signals_block();
    bool ours = __atomic_compare_exchange_n(&child, &pending, CHILD_OPENING, false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    if (ours) {
        bool opened = false;
        other_stack_call(&opening_stack, open_here, &opened);
        if (!opened)
            recorder.classes = 0;
        __atomic_store_n(&child, CHILD_NONE, __ATOMIC_RELEASE);
    }
    signals_restore(before);
    return ours && recorder.header != NULL;
}

/* A thread that was not watched waits. */
static struct rec_task *watch_again(struct recorder_thread *self)
{
    struct rec_task *task = self->unwatched;
    if (thread_count_goes_on())
        return task;
    __atomic_store_n(&self->task, task, __ATOMIC_RELEASE);
    __atomic_store_n(&self->unwatched, NULL, __ATOMIC_RELEASE);
    sampler_ensure();
    return task;
}

struct rec_task *recorder_adopt(void)
{
    struct recorder_thread *self = &recorder_thread;
    if (recorder_quiet)
        return &self->sink;
    if (recorder.header == NULL && !open_in_child())
        return &self->sink;
    long tid = sys_call(SYS_gettid, 0);
    if ((uint32_t)sys_call(SYS_getpid, 0) != recorder.header->pid)
        return &self->sink; /* a vfork child on its parent's memory */
    if (self->unwatched != NULL)
        return watch_again(self);
    struct rec_task *early = early_own_task((uint32_t)tid);
    if (early != NULL) {
        __atomic_store_n(&self->task, early, __ATOMIC_RELEASE);
        sampler_ensure();
        return early;
    }
    char name[16] = "";
    sys_call(SYS_prctl, PR_GET_NAME, name);
    uint16_t flags =
        (uint32_t)tid == recorder.header->pid ? REC_TASK_MAIN | REC_TASK_ADOPTED : REC_TASK_ADOPTED;
    struct rec_task *task =
        recorder_spawn(REC_KIND_THREAD, flags, 0, (uint64_t)pthread_self(), name);
    /* A handler may have waited just now, and so have adopted the thread. Then its slot is the one,
     * unless it found none. */
    struct rec_task *known = NULL;
    struct rec_task *own = task != NULL ? task : &self->sink;
    bool first = __atomic_compare_exchange_n(&self->task, &known, own, false, __ATOMIC_ACQ_REL,
                                             __ATOMIC_ACQUIRE);
    if (!first && task != NULL && known != &self->sink) {
        recorder_take_back(task);
        return known;
    }
    bool is_main = flags & REC_TASK_MAIN;
    if (!first) /* it was counted as both already */
        recorder_take_back_loss();
    else if (!is_main)
        recorder_find_lost_thread();
    if (!first && task == NULL)
        return known;
    __atomic_store_n(&self->task, own, __ATOMIC_RELEASE);
    if (task != NULL)
        __atomic_store_n(&task->os_tid, (uint32_t)tid, __ATOMIC_RELEASE);
    sampler_ensure();
    return own;
}
