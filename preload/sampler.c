/* What the sampler does: see sampler.h. */
#include <errno.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "preload/adapter.h"
#include "preload/adapter_go.h"
#include "preload/blocked.h"
#include "preload/clock.h"
#include "preload/credentials.h"
#include "preload/descriptor.h"
#include "preload/filter.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/names.h"
#include "preload/outlived.h"
#include "preload/recorder.h"
#include "preload/sampler_thread.h"
#include "preload/sites.h"
#include "preload/sys.h"
#include "preload/unwind.h"

#define WALK_SHARE 20                         /* a walk takes one part in this many of the time, */
#define LONGEST_PAUSE_NS NS_PER_S             /* unless that would make it too rare; */
#define LONGEST_SCAN_PAUSE_NS (10 * NS_PER_S) /* where goroutines are looked for, so much rarer */
#define REFRESHES_A_WALK 10000
#define THREADS_EVERY 8    /* walks between two looks for threads that are gone */
#define FOLLOW_NS NS_PER_S /* between two looks at the credentials of a Go program, at most */
#define STOP_TASKS 256     /* tasks between two questions whether it shall stop */
#define HEARTBEAT_TASKS (1 << 14) /* tasks between two updates of last_walk_ns */
#define CHEAP_NS (NS_PER_S / 100) /* of a processor; what has cost more has the lowest priority */

static bool own_files; /* it has descriptors of its own */

static const struct adapter *const adapters[] = {&adapter_pthread, &adapter_taskrt, &adapter_libgo};

static const struct adapter *adapter_of(const struct rec_task *copy)
{
    for (size_t i = 0; i < sizeof(adapters) / sizeof(*adapters); i++)
        if (adapters[i]->kind == copy->kind)
            return adapters[i];
    return NULL;
}

static bool is_parked_still(const struct rec_task *copy)
{
    const struct adapter *adapter = adapter_of(copy);
    return adapter == NULL || adapter->is_parked == NULL || adapter->is_parked(copy);
}

static bool is_awake(const struct rec_task *copy)
{
    const struct adapter *adapter = adapter_of(copy);
    return adapter != NULL && adapter->is_awake != NULL && adapter->is_awake(copy);
}

/* A copy of a slot, of which each field is whole; whether they belong together, `moved` tells. */
static void copy_slot(const struct rec_task *task, struct rec_task *ret)
{
    typedef uint64_t __attribute__((may_alias)) word;
    const word *from = (const word *)task;
    word *to = (word *)ret;
    for (size_t i = 0; i < sizeof(*task) / sizeof(*from); i++)
        to[i] = SHARED_GET(from[i]);
}

static bool is_passing(const struct rec_task *copy)
{
    return copy->gen == 0 && copy->wait_flags & REC_WAIT_PASSING;
}

static bool is_asleep(const struct rec_task *copy)
{
    return is_passing(copy) && blocked_in_lock(copy->os_tid, copy->object, copy->cfa);
}

/* Whether a task sleeps in its PASSING wait, only the kernel knows. Returns what names the sleep
 * among all of the thread's, and in *ret_copy what the task has published, which nobody changes
 * while it sleeps. 0: it does not sleep there, or /proc does not tell. */
static uint32_t sleep_of(const struct rec_task *task, struct rec_task *ret_copy)
{
    copy_slot(task, ret_copy);
    if (!is_asleep(ret_copy))
        return 0; /* as nearly always */
    uint32_t sleep = blocked_sleeps(OWN_PROCESS, ret_copy->os_tid);
    copy_slot(task, ret_copy);
    return is_asleep(ret_copy) && blocked_sleeps(OWN_PROCESS, ret_copy->os_tid) == sleep ? sleep
                                                                                         : 0;
}

/* `sleep`: of a PASSING wait, else 0. */
static bool moved(const struct rec_task *task, const struct rec_task *copy, uint32_t sleep)
{
    struct rec_task now;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (sleep != 0 && sleep_of(task, &now) != sleep) || SHARED_GET(task->gen) != copy->gen ||
           SHARED_GET(task->seq) != copy->seq || SHARED_GET(task->id) != copy->id;
}

/* Owners ask whether one of them is set. */
static void set_flags(struct rec_task *task, uint16_t flags)
{
    SHARED_PUT(task->detail_flags, flags);
}

/* The first one that it waits for; negative: none. A runtime's task that tells of none has a 0. */
static int descriptor_of(const struct rec_task *copy, const struct wait_detail *detail)
{
    if (detail->flags & REC_DETAIL_FDS)
        return detail->b > 0 ? (int)detail->a : -1;
    bool none = copy->wait_flags & REC_WAIT_FDS
                    ? copy->arg == 0
                    : copy->kind != REC_KIND_THREAD && copy->object == 0;
    return none ? -1 : (int)copy->object;
}

/* How many descriptors a call with FDS waits for. */
static uint32_t descriptors_of(const struct rec_task *copy, const struct wait_detail *detail)
{
    return detail->flags & REC_DETAIL_FDS ? detail->b : copy->arg;
}

/* Of a task's own call, on one descriptor. */
static int timeout_of(const struct rec_task *copy)
{
    if (copy->kind != REC_KIND_THREAD || copy->wait_flags & REC_WAIT_FDS)
        return 0;
    return copy->wait_flags & REC_WAIT_SENDS ? SO_SNDTIMEO : SO_RCVTIMEO;
}

/* What it waits for, and what that says of the wait: flags of its detail. */
static uint32_t describe_descriptor(const struct rec_task *task, const struct rec_task *copy,
                                    const struct wait_detail *detail)
{
    const struct descriptor_place place = {
        .pid = recorder.header->pid,
        .tid = copy->kind == REC_KIND_THREAD ? copy->os_tid : 0,
        .fd = descriptor_of(copy, detail),
        .timeout = timeout_of(copy),
    };
    uint16_t flags = descriptor_record(task, copy->id, copy->gen, &place);
    if (copy->kind != REC_KIND_THREAD)
        flags &= (uint16_t)~REC_DETAIL_CONNECTED;
    if (copy->wait_flags & REC_WAIT_FDS && descriptors_of(copy, detail) != 1)
        return 0; /* of several, the others may say more */
    return flags;
}

static bool waits_for_descriptor(enum rec_op op)
{
    return op == REC_OP_IO_WAIT || op == REC_OP_FILE_LOCK;
}

/* `first`: nobody has described this wait before. */
static void describe(struct rec_task *task, const struct rec_task *copy, uint32_t sleep, bool first)
{
    static struct wait_detail detail;
    enum rec_op op = recorder.calls[copy->call].op;
    memset(&detail, 0, offsetof(struct wait_detail, cases));
    const struct adapter *adapter = adapter_of(copy);
    if (adapter != NULL)
        adapter->describe(copy, op, &detail);
    /* Asked after the details were read: a task that was given its lock meanwhile would be told to
     * wait for itself. */
    if (!is_parked_still(copy)) {
        /* It was woken, and waits only for a thread to run it: the wait's age begins anew. */
        if (is_awake(copy))
            SHARED_PUT(task->seen_gen, 0);
        return;
    }
    if (sleep != 0 && moved(task, copy, sleep))
        return;
    if (waits_for_descriptor(op)) { /* which stays what it was when the wait began */
        if (!first)
            detail.flags |= task->detail_flags &
                            (REC_DETAIL_LISTENING | REC_DETAIL_TIMES_OUT | REC_DETAIL_CONNECTED);
        else if (own_files)
            detail.flags |= describe_descriptor(task, copy, &detail);
    }
    task->detail_a = detail.a;
    task->detail_b = sleep != 0 ? rec_passing_key(copy) : detail.b;
    set_flags(task, detail.flags | (task->detail_flags &
                                    (REC_DETAIL_NO_STACK | REC_DETAIL_PASSING | REC_DETAIL_WAITS)));
    if (detail.case_count > 0)
        recorder_put_cases(task, detail.cases, detail.case_count);
}

static void take_stack(struct rec_task *task, const struct rec_task *copy, uint32_t sleep)
{
    static struct unwind_stack stack;
    if (sleep != 0)
        unwind_passing(copy->cfa, copy->fp, &stack);
    else
        unwind_parked(copy->cfa, copy->fp, &stack);
    if (moved(task, copy, sleep) || !is_parked_still(copy))
        return;
    uint32_t site = site_store(stack.pcs, stack.count, stack.flags);
    if (site != 0) {
        __atomic_store_n(&task->wait_site, site, __ATOMIC_RELEASE);
        return;
    }
    set_flags(task, task->detail_flags | REC_DETAIL_NO_STACK);
    if (stack.count == 0)
        recorder_count(&recorder.header->lost_stacks);
}

/* Of known waits, which a walk looks at again for a new owner or another length: so many, from the
 * row on where the walk before had to stop. */
static uint32_t refreshes, refresh_from, refresh_next;

static bool may_refresh(const struct rec_task *task)
{
    uint32_t row = (uint32_t)(task - recorder.tasks);
    if (row < refresh_from || refreshes == 0)
        return false;
    if (--refreshes == 0)
        refresh_next = row + 1;
    return true;
}

/* Of this walk, and of the last one before it that came to its end. */
static uint64_t walk_began_ns, walk_before_began_ns;

/* Whether the owner of a lock has to be read again. A deadlock is proved by owners: a parked task
 * releases nothing, so that an owner that was read after it had parked itself stays the owner while
 * both wait. In the walk that first sees the owner park, its lock may have been read before that:
 * so it is read once more in the next walk. */
static bool must_refresh(const struct rec_task *copy)
{
    struct rec_task owner;
    if (!(copy->detail_flags & REC_DETAIL_OWNER_ROW))
        return copy->detail_flags & REC_DETAIL_OWNER; /* a thread's number is no row */
    if (copy->detail_a >= recorder_rows(REC_TABLE_TASKS))
        return false; /* read from memory that was something else by then */
    copy_slot(&recorder.tasks[copy->detail_a], &owner);
    return rec_task_wait(&owner) != 0 &&
           (!rec_task_is_seen(&owner) || owner.since_ns >= walk_before_began_ns);
}

/* A new wait, or (0) none any more. */
static void note_wait(struct rec_task *task, uint32_t number, uint16_t flags, uint32_t key)
{
    __atomic_store_n(&task->seen_gen, 0, __ATOMIC_RELEASE);
    task->since_ns = clock_now_ns(); /* it may have begun after the walk did */
    SHARED_PUT(task->wait_site, 0);
    set_flags(task, flags);
    task->detail_b = key;
    task->case_count = 0; /* those of a select before */
    __atomic_store_n(&task->seen_gen, number, __ATOMIC_RELEASE);
}

/* A lock that was free when it was asked for: has somebody else been quicker? */
static void look_at_passing(struct rec_task *task, bool last)
{
    struct rec_task copy;
    if (SHARED_GET(task->kind) != REC_KIND_THREAD || !own_files)
        return;
    uint32_t sleep = sleep_of(task, &copy);
    bool noted = copy.gen == 0 && copy.detail_flags & REC_DETAIL_PASSING;
    if (sleep == 0) {
        if (noted)
            note_wait(task, 0, 0, 0);
        return;
    }
    uint32_t key = rec_passing_key(&copy);
    if (!noted || copy.seen_gen != sleep || copy.detail_b != key) {
        note_wait(task, sleep, REC_DETAIL_PASSING, key);
        if (!last)
            return;
    }
    describe(task, &copy, sleep, true);
    if (task->wait_site == 0 && !(task->detail_flags & REC_DETAIL_NO_STACK))
        take_stack(task, &copy, sleep);
    set_flags(task, task->detail_flags | REC_DETAIL_WAITS);
    /* From here on its owner sees REC_DETAIL_WAITS, and gives its next free lock a new seq. If it
     * went on just before it could see that, the note would fit its next wait, too: it is taken
     * back. */
    if (moved(task, &copy, sleep))
        note_wait(task, 0, 0, 0);
}

static void look_at(struct rec_task *task, bool last)
{
    uint32_t seq = __atomic_load_n(&task->seq, __ATOMIC_ACQUIRE);
    uint32_t gen = __atomic_load_n(&task->gen, __ATOMIC_ACQUIRE);
    if (gen == 0) {
        look_at_passing(task, last);
        return;
    }
    if (task->seen_gen != gen || task->detail_flags & REC_DETAIL_PASSING) {
        note_wait(task, gen, 0, 0);
        if (!last)
            return;
    }
    struct rec_task copy;
    copy_slot(task, &copy);
    if (copy.gen != gen || copy.seq != seq || moved(task, &copy, 0))
        return;
    /* A signal handler's wait came between and has the newer seq: the fields may be the handler's.
     * The owner notices (wait_publish), and publishes again. */
    if (gen != seq && !(copy.wait_flags & REC_WAIT_RESTORED))
        return;
    bool fresh = copy.wait_site == 0 && !(copy.detail_flags & REC_DETAIL_NO_STACK);
    if (!fresh && !must_refresh(&copy) && !may_refresh(task))
        return;
    if (copy.kind == REC_KIND_THREAD && own_files && !blocked_below(copy.os_tid, copy.cfa)) {
        /* It is not parked, or not yet: the next look is the first. */
        SHARED_PUT(task->seen_gen, 0);
        return;
    }
    describe(task, &copy, 0, fresh);
    if (fresh)
        take_stack(task, &copy, 0); /* last: a wait with a stack is a wait that was described */
}

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

/* The sampler ends before this walk has come to `row`. For the next sampler it was none: owners
 * that parked in the walk before it are yet to be read again, and so are known waits from here on.
 */
static bool break_off(uint32_t row)
{
    walk_began_ns = walk_before_began_ns;
    if (refreshes > 0)
        refresh_next = row > refresh_from ? row : refresh_from;
    return false;
}

/* `last`: there will be no second look, so that stacks are taken at the first. False: it was broken
 * off, since somebody waits for the sampler's end. */
static bool walk(uint32_t number, bool last)
{
    struct rec_header *header = recorder.header;
    uint32_t count = recorder_rows(REC_TABLE_TASKS);
    refreshes = REFRESHES_A_WALK;
    refresh_from = refresh_next;
    refresh_next = 0;
    walk_before_began_ns = walk_began_ns;
    walk_began_ns = clock_now_ns();
    for (uint32_t row = 1; row < count; row++) {
        struct rec_task *task = &recorder.tasks[row];
        if (row % STOP_TASKS == 0 && sampler_asked() == SAMPLER_STOP_NOW)
            return break_off(row);
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
