#include "preload/look.h"

#include <string.h>
#include <sys/socket.h>

#include "preload/adapter.h"
#include "preload/asleep.h"
#include "preload/blocked.h"
#include "preload/clock.h"
#include "preload/descriptor.h"
#include "preload/kernel_sleep.h"
#include "preload/recorder.h"
#include "preload/relock.h"
#include "preload/sites.h"
#include "preload/unwind.h"

#define REFRESHES_A_WALK 10000

static bool own_files; /* the sampler has descriptors of its own */

void look_init(bool has_own_files)
{
    own_files = has_own_files;
}

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

/* `sleep`: of a wait that was published; else what the kernel said. */
static bool moved(const struct rec_task *task, const struct rec_task *copy,
                  const struct kernel_sleep *sleep)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return (sleep->number != 0 && !kernel_sleep_goes_on(task, sleep)) ||
           SHARED_GET(task->gen) != copy->gen || SHARED_GET(task->seq) != copy->seq ||
           SHARED_GET(task->id) != copy->id;
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

/* What it waits for in its wait `number`, and what that says of the wait: flags of its detail. */
static uint32_t describe_descriptor(const struct rec_task *task, const struct rec_task *copy,
                                    uint32_t number, const struct wait_detail *detail)
{
    const struct descriptor_place place = {
        .pid = recorder.header->pid,
        .tid = copy->kind == REC_KIND_THREAD ? copy->os_tid : 0,
        .fd = descriptor_of(copy, detail),
        .timeout = timeout_of(copy),
    };
    uint16_t flags = descriptor_record(task, copy->id, number, &place);
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
static void describe(struct rec_task *task, const struct rec_task *copy,
                     const struct kernel_sleep *sleep, bool first)
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
    if (sleep->number != 0 && moved(task, copy, sleep))
        return;
    if (waits_for_descriptor(op)) { /* which stays what it was when the wait began */
        if (!first)
            detail.flags |= task->detail_flags & (REC_DETAIL_LISTENING | REC_DETAIL_TIMES_OUT |
                                                  REC_DETAIL_CONNECTED | REC_DETAIL_INPUT);
        else if (own_files)
            detail.flags |= describe_descriptor(
                task, copy, sleep->number != 0 ? sleep->number : copy->gen, &detail);
        /* Which libc reads for a line; what others read from there may be one answer. */
        if (sleep->flags & REC_DETAIL_ASLEEP && !asleep_is_libcs(sleep->pc))
            detail.flags &= (uint16_t)~REC_DETAIL_INPUT;
    }
    task->detail_a = detail.a;
    task->detail_b = sleep->number != 0 ? sleep->key : detail.b;
    set_flags(task, detail.flags | (task->detail_flags &
                                    (REC_DETAIL_NO_STACK | REC_DETAIL_PASSING | REC_DETAIL_ASLEEP |
                                     REC_DETAIL_BEGAN | REC_DETAIL_WAITS)));
    if (detail.case_count > 0)
        recorder_put_cases(task, detail.cases, detail.case_count);
}

static void unwind(const struct rec_task *copy, const struct kernel_sleep *sleep,
                   struct unwind_stack *ret)
{
    if (sleep->flags & REC_DETAIL_ASLEEP)
        unwind_asleep(sleep->pc, sleep->sp, ret);
    else if (sleep->number != 0)
        unwind_passing(copy->cfa, copy->fp, ret);
    else
        unwind_parked(copy->cfa, copy->fp, ret);
}

static void take_stack(struct rec_task *task, const struct rec_task *copy,
                       const struct kernel_sleep *sleep)
{
    static struct unwind_stack stack;
    unwind(copy, sleep, &stack);
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

void look_begin_walk(void)
{
    refreshes = REFRESHES_A_WALK;
    refresh_from = refresh_next;
    refresh_next = 0;
    walk_before_began_ns = walk_began_ns;
    walk_began_ns = clock_now_ns();
}

/* For the next sampler this walk was none: owners that parked in the walk before it are yet to be
 * read again, and so are known waits from here on. */
void look_break_off(uint32_t row)
{
    walk_began_ns = walk_before_began_ns;
    if (refreshes > 0)
        refresh_next = row > refresh_from ? row : refresh_from;
}

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
    recorder_copy(&recorder.tasks[copy->detail_a], &owner);
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

/* What a thread is asleep in stays what it is, but for the owner of a lock. */
static bool must_describe_again(const struct rec_task *task, const struct rec_task *copy)
{
    const uint16_t changes = copy->detail_flags & (REC_DETAIL_ASLEEP | REC_DETAIL_OWNER);
    return must_refresh(copy) || (changes != REC_DETAIL_ASLEEP && may_refresh(task));
}

/* A lock that was free when it was asked for: has somebody else been quicker? Or does the thread
 * sleep in a call that nobody has published? */
static void look_at_sleep(struct rec_task *task, bool last)
{
    struct rec_task copy;
    struct kernel_sleep sleep;
    if (SHARED_GET(task->kind) != REC_KIND_THREAD || !own_files)
        return;
    bool noted = task->detail_flags & REC_DETAIL_PASSING;
    if (kernel_sleep_is_told(task, &copy, &sleep)) {
        if (!sleep.lost && must_describe_again(task, &copy))
            describe(task, &copy, &sleep, false);
        return;
    }
    if (kernel_sleep_find(task, &copy, &sleep) == 0) {
        if (noted)
            note_wait(task, 0, 0, task->detail_b);
        return;
    }
    if (!noted || copy.seen_gen != sleep.number || copy.detail_b != sleep.key) {
        /* With the same key, it may be the wait that a handler had interrupted. */
        bool began = copy.detail_b != sleep.key;
        note_wait(task, sleep.number, sleep.flags | (began ? REC_DETAIL_BEGAN : 0), sleep.key);
        if (!last)
            return;
    }
    if (sleep.flags & REC_DETAIL_ASLEEP) {
        if (!(task->detail_flags & REC_DETAIL_WAITS) && !kernel_sleep_note(task, &copy, &sleep)) {
            /* Nothing is told of it, and it is not asked for again: the loss is counted once. */
            uint16_t lost = task->detail_flags & (uint16_t)~REC_DETAIL_ASLEEP;
            set_flags(task, lost | REC_DETAIL_WAITS | REC_DETAIL_NO_STACK);
        }
        if (!(task->detail_flags & REC_DETAIL_ASLEEP))
            return;
        copy.call = recorder.asleep[task - recorder.tasks].call;
    }
    describe(task, &copy, &sleep, true);
    if (task->wait_site == 0 && !(task->detail_flags & REC_DETAIL_NO_STACK))
        take_stack(task, &copy, &sleep);
    set_flags(task, task->detail_flags | REC_DETAIL_WAITS);
    /* From here on its owner sees REC_DETAIL_WAITS, and gives its next free lock a new seq. If it
     * went on just before it could see that, the note would fit its next wait, too: it is taken
     * back. */
    if (moved(task, &copy, &sleep))
        note_wait(task, 0, 0, 0);
}

/* Whether nobody has told its stack yet, nor that it cannot be read. */
static bool is_fresh(const struct rec_task *copy)
{
    return copy->wait_site == 0 && !(copy->detail_flags & REC_DETAIL_NO_STACK);
}

/* Whoever waits for a condition's mutex in the call for the condition waits anew: since it was
 * found so, and for as long as the call goes on. *copy is as if that had been published. False: it
 * does not, or it is too early to say so. */
static bool tell_relock(struct rec_task *task, struct rec_task *copy,
                        const struct blocked_call *call, bool last)
{
    struct rec_asleep relock;
    if (copy->detail_flags & REC_DETAIL_WAITS ||
        !relock_find(adapter_of(copy), copy, call, &relock))
        return true;
    if (!(copy->detail_flags & REC_DETAIL_ASLEEP)) {
        note_wait(task, copy->gen, REC_DETAIL_ASLEEP, 0);
        if (!last)
            return false;
        copy->wait_site = 0;
        copy->detail_flags = REC_DETAIL_ASLEEP;
    }
    if (is_fresh(copy) && !recorder_put_asleep(task, &relock)) {
        /* It is told to wait for the condition, and not asked again: the loss is counted once. */
        set_flags(task, REC_DETAIL_WAITS);
        return true;
    }
    copy->call = relock.call;
    copy->wait_flags = relock.wait_flags;
    copy->object = relock.object;
    return true;
}

void look_last_at(struct rec_task *task)
{
    struct rec_task copy;
    struct kernel_sleep sleep;
    const uint16_t told = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    if ((SHARED_GET(task->detail_flags) & told) != told || SHARED_GET(task->gen) != 0)
        return;
    if (kernel_sleep_find(task, &copy, &sleep) != task->seen_gen || sleep.key != task->detail_b)
        note_wait(task, 0, 0, 0);
}

void look_at(struct rec_task *task, bool last)
{
    static const struct kernel_sleep published;
    uint32_t seq = __atomic_load_n(&task->seq, __ATOMIC_ACQUIRE);
    uint32_t gen = __atomic_load_n(&task->gen, __ATOMIC_ACQUIRE);
    if (gen == 0) {
        look_at_sleep(task, last);
        return;
    }
    if (task->seen_gen != gen || task->detail_flags & REC_DETAIL_PASSING) {
        note_wait(task, gen, 0, 0);
        if (!last)
            return;
    }
    struct rec_task copy;
    recorder_copy(task, &copy);
    if (copy.gen != gen || copy.seq != seq || moved(task, &copy, &published))
        return;
    /* A signal handler's wait came between and has the newer seq: the fields may be the handler's.
     * The owner notices (wait_publish), and publishes again. */
    if (gen != seq && !(copy.wait_flags & REC_WAIT_RESTORED))
        return;
    if (!is_fresh(&copy) && !must_refresh(&copy) && !may_refresh(task))
        return;
    struct blocked_call call;
    bool known =
        copy.kind == REC_KIND_THREAD && own_files && blocked_call(OWN_PROCESS, copy.os_tid, &call);
    if (known && !blocked_below(&call, copy.cfa)) {
        /* It is not parked, or not yet: the next look is the first. */
        SHARED_PUT(task->seen_gen, 0);
        return;
    }
    if (!tell_relock(task, &copy, known ? &call : NULL, last))
        return;
    bool fresh = is_fresh(&copy);
    describe(task, &copy, &published, fresh);
    if (fresh)
        take_stack(task, &copy,
                   &published); /* last: a wait with a stack is a wait that was described */
}
