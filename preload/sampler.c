/* What the sampler does: see sampler.h. */
#include <errno.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "preload/adapter_go.h"
#include "preload/clock.h"
#include "preload/credentials.h"
#include "preload/descriptor.h"
#include "preload/filter.h"
#include "preload/look.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/names.h"
#include "preload/outlived.h"
#include "preload/recorder.h"
#include "preload/sampler_thread.h"
#include "preload/sys.h"
#include "preload/unwind.h"

#define WALK_SHARE 20                         /* a walk takes one part in this many of the time, */
#define LONGEST_PAUSE_NS NS_PER_S             /* unless that would make it too rare; */
#define LONGEST_SCAN_PAUSE_NS (10 * NS_PER_S) /* where goroutines are looked for, so much rarer */
#define THREADS_EVERY 8    /* walks between two looks for threads that are gone */
#define FOLLOW_NS NS_PER_S /* between two looks at the credentials of a Go program, at most */
#define STOP_TASKS 256     /* tasks between two questions whether it shall stop */
#define HEARTBEAT_TASKS (1 << 14) /* tasks between two updates of last_walk_ns */
#define CHEAP_NS (NS_PER_S / 100) /* of a processor; what has cost more has the lowest priority */

static bool own_files; /* it has descriptors of its own */

static bool is_gone(uint32_t os_tid)
{
    uint32_t pid = recorder.header->pid;
    return os_tid == pid ? outlived_thread(pid) : sys_call(SYS_tgkill, pid, os_tid, 0) == -ESRCH;
}

/* A thread's slot is its own until the kernel has forgotten the thread: destructors run after its
 * function has returned. Threads that were adopted, or left by a bare system call, end here only.
 */
static void look_for_end(struct rec_task *task)
{
    /* A new id means that os_tid is not that of the slot's last thread any more. */
    uint64_t id = __atomic_load_n(&task->id, __ATOMIC_ACQUIRE);
    uint32_t os_tid = __atomic_load_n(&task->os_tid, __ATOMIC_RELAXED);
    if (SHARED_GET(task->kind) != REC_KIND_THREAD || os_tid == 0 || !is_gone(os_tid) ||
        !recorder_hold(task, id))
        return;
    uint8_t ending = REC_TASK_ENDING;
    recorder_end(task);
    if (__atomic_load_n(&task->flags, __ATOMIC_ACQUIRE) & REC_TASK_JOINABLE)
        __atomic_compare_exchange_n(&task->state, &ending, REC_TASK_FINISHED, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    if (!(__atomic_load_n(&task->flags, __ATOMIC_ACQUIRE) & REC_TASK_JOINABLE))
        recorder_release(task); /* also one that was detached in this moment */
    recorder_let_go(task);
}

/* Since when a thread waits to be joined. It is held, since the slot's next task may end as well,
 * and this is not to be told of that one. */
static void note_finished(struct rec_task *task)
{
    if (SHARED_GET(task->seen_gen) == REC_SEEN_FINISHED ||
        !recorder_hold(task, __atomic_load_n(&task->id, __ATOMIC_ACQUIRE)))
        return;
    if (__atomic_load_n(&task->state, __ATOMIC_ACQUIRE) == REC_TASK_FINISHED) {
        task->since_ns = clock_now_ns();
        __atomic_store_n(&task->seen_gen, REC_SEEN_FINISHED, __ATOMIC_RELEASE);
    }
    recorder_let_go(task);
}

/* `last`: there will be no second look, so that stacks are taken at the first. False: it was broken
 * off, since somebody waits for the sampler's end. */
static bool walk(uint32_t number, bool last)
{
    struct rec_header *header = recorder.header;
    uint32_t count = recorder_rows(REC_TABLE_TASKS);
    look_begin_walk();
    for (uint32_t row = 1; row < count; row++) {
        struct rec_task *task = &recorder.tasks[row];
        if (row % STOP_TASKS == 0 && sampler_asked() == SAMPLER_STOP_NOW) {
            look_break_off(row);
            return false;
        }
        if (row % HEARTBEAT_TASKS == 0)
            __atomic_store_n(&header->last_walk_ns, clock_now_ns(), __ATOMIC_RELEASE);
        uint8_t state = __atomic_load_n(&task->state, __ATOMIC_ACQUIRE);
        if (state == REC_TASK_FINISHED)
            note_finished(task);
        if (state != REC_TASK_LIVE && state != REC_TASK_ENDING)
            continue;
        if (SHARED_GET(task->flags) & REC_TASK_SCANNED)
            continue; /* it publishes nothing; see adapter_go.c */
        look_at(task, last);
        if (SHARED_GET(task->kind) == REC_KIND_THREAD &&
            !(SHARED_GET(task->flags) & REC_TASK_WORKER))
            adapter_go_look_at_thread(task);
        if (state == REC_TASK_ENDING || number % THREADS_EVERY == 0)
            look_for_end(task);
    }
    for (uint32_t row = 1; last && row < count; row++)
        if (SHARED_GET(recorder.tasks[row].kind) == REC_KIND_THREAD &&
            SHARED_GET(recorder.tasks[row].state) == REC_TASK_LIVE)
            look_last_at(&recorder.tasks[row]);
    return true;
}

/* What was asked when a look began: something else breaks it off. */
static enum sampler_stop known_stop;

static bool goes_on(void)
{
    return sampler_asked() == known_stop;
}

/* For the naming of stacks, which may be the last: only who waits for the end is in a hurry. */
static bool nobody_waits(void)
{
    enum sampler_stop asked = sampler_asked();
    return asked == known_stop || asked == SAMPLER_GO_ON || asked == SAMPLER_WATCH_END;
}

/* What new stacks have brought, and modules that are gone. Returns what that took of a processor.
 */
static uint64_t tidy(void)
{
    uint64_t start_ns = clock_own_cpu_ns();
    unwind_lock();
    if (module_sweep())
        unwind_flush();
    unwind_unlock();
    if (own_files)
        names_update(nobody_waits);
    return clock_own_cpu_ns() - start_ns;
}

/* Looks for goroutines. Returns what that took of a processor. */
static uint64_t scan(void)
{
    if (!own_files || !adapter_go_is_there())
        return 0; /* the program may also have forbidden what a scan needs */
    uint64_t start_ns = clock_own_cpu_ns();
    adapter_go_scan(goes_on);
    return clock_own_cpu_ns() - start_ns;
}

/* How long to rest after something that took so long. */
static uint64_t rest_after(uint64_t took_ns, uint64_t longest_ns)
{
    uint64_t pause_ns = took_ns * (WALK_SHARE - 1);
    return pause_ns < longest_ns ? pause_ns : longest_ns;
}

/* One look at everything. Returns how long to rest after it. */
static uint64_t look_around(uint32_t number, bool last)
{
    uint64_t start_ns = clock_now_ns();
    uint64_t pause_ns = recorder.header->sample_period_ns;
    if (!walk(number, last))
        return pause_ns;
    uint64_t took_ns = clock_now_ns() - start_ns;
    uint64_t after_scan_ns = rest_after(scan(), LONGEST_SCAN_PAUSE_NS);
    __atomic_store_n(&recorder.header->last_walk_ns, clock_now_ns(), __ATOMIC_RELEASE);
    took_ns += tidy();
    uint64_t after_walk_ns = rest_after(took_ns, LONGEST_PAUSE_NS);
    if (pause_ns < after_walk_ns)
        pause_ns = after_walk_ns;
    if (pause_ns < after_scan_ns)
        pause_ns = after_scan_ns;
    __atomic_store_n(&recorder.header->rest_ns, pause_ns, __ATOMIC_RELAXED);
    return pause_ns;
}

/* Go's runtime changes what threads may do by system calls that nobody sees; without descriptors of
 * our own there is nothing to be known of it, nor of goroutines. */
static bool may_go_on(void)
{
    return !adapter_go_is_program() || (own_files && credentials_follow());
}

/* Rests, and follows the program's credentials meanwhile. */
static enum sampler_stop rest(uint64_t pause_ns)
{
    while (adapter_go_is_program() && pause_ns > FOLLOW_NS) {
        enum sampler_stop stop = sampler_rest(FOLLOW_NS);
        if (stop != SAMPLER_GO_ON)
            return stop;
        if (!may_go_on())
            return SAMPLER_STOP_NOW;
        pause_ns -= FOLLOW_NS;
    }
    return sampler_rest(pause_ns);
}

/* A process is not gone before the last of its threads is, and one of the lowest priority waits
 * long for its turn to end where all processors are busy: a child that lived for a millisecond took
 * 200 to end. So only who has cost something is polite, and who looks into Go from the beginning,
 * since nobody knows what a filter allows later. False: not yet. */
static bool lower_priority(void)
{
    if (!adapter_go_is_program() && clock_own_cpu_ns() < CHEAP_NS)
        return false;
    if (!filter_forbids(SYS_setpriority))
        sys_call(SYS_setpriority, PRIO_PROCESS, 0, 19);
    return true;
}

/* The walks of the samplers before, which a program may end more often than they walk. */
static struct {
    const struct rec_header *of;
    uint64_t next_ns;
    uint32_t count;
} walks;

/* How long the first walk is still to wait for. */
static uint64_t first_pause_ns(void)
{
    uint64_t period_ns = recorder.header->sample_period_ns, now_ns = clock_now_ns();
    if (walks.of != recorder.header) {
        walks.of = recorder.header;
        walks.next_ns = now_ns + period_ns;
        walks.count = 0;
    }
    uint64_t left_ns = walks.next_ns > now_ns ? walks.next_ns - now_ns : 0;
    return left_ns < period_ns ? left_ns : period_ns;
}

/* No filter kills for what descriptor_look asks of them. */
static bool may_ask_sockets(void)
{
    return !filter_forbids(SYS_pidfd_open) && !filter_forbids(SYS_pidfd_getfd) &&
           !filter_forbids(SYS_getsockopt) && !filter_forbids(SYS_getsockname) &&
           !filter_forbids(SYS_getpeername) && !filter_forbids(SYS_ppoll);
}

int sampler_run(void)
{
    uint64_t pause_ns = first_pause_ns();
    uint64_t watch_ns = NS_PER_S / 1000; /* the longer somebody is left, the rarer is the look */
    int status;
    /* With a table of our own, what we open and close is never seen by the program, not even as a
     * number that is taken for a moment. */
    own_files = sys_call(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE) == 0;
    sampler_has_left_files();
    look_init(own_files);
    descriptor_asks_sockets = may_ask_sockets();
    sys_call(SYS_prctl, PR_SET_NAME, "leakspy");
    memory_init_fallback(own_files);
    if (own_files)
        credentials_begin();
    bool polite = false;
    for (;;) {
        if (!polite)
            polite = lower_priority();
        known_stop = rest(pause_ns);
        if (known_stop == SAMPLER_STOP_NOW || !may_go_on())
            return 0;
        if (outlived_all(&status))
            return status;
        pause_ns = look_around(++walks.count, known_stop == SAMPLER_STOP_AFTER_WALK);
        walks.next_ns = clock_now_ns() + pause_ns;
        if (known_stop == SAMPLER_STOP_AFTER_WALK)
            return 0;
        if (known_stop == SAMPLER_WATCH_END && watch_ns < pause_ns) {
            pause_ns = watch_ns;
            watch_ns *= 2;
        }
    }
}
