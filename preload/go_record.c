#include "preload/go_record.h"

#include <string.h>

#include "preload/blocked.h"
#include "preload/clock.h"
#include "preload/descriptor.h"
#include "preload/go_calls.h"
#include "preload/go_labels.h"
#include "preload/go_locks.h"
#include "preload/go_table.h"
#include "preload/goscan/g.h"
#include "preload/recorder.h"
#include "preload/sites.h"

#define ASK_EVERY 4096 /* goroutines between two questions whether to go on */

static uint16_t call_rows[GO_MAX_REASONS + 1][REC_OP_COUNT]; /* 0: not made yet */
static uint32_t scan_number;
static uint64_t scan_ns;
static bool (*asked)(void);
static bool stopped;
static uint64_t visited;

bool go_record_reset(void)
{
    memset(call_rows, 0, sizeof(call_rows));
    scan_number = 0;
    go_calls_reset();
    go_labels_reset();
    go_locks_reset();
    return go_table_reset();
}

/* What row.reason is. */
static uint16_t reason_number(const struct go_goroutine *it)
{
    return it->status == G_SYSCALL ? GO_MAX_REASONS : it->reason;
}

/* Has it stayed parked since the last look, as far as the runtime's record of it tells? The number
 * of its wait says so, but has few bits; the collector's clock says so, but is 0 until it runs.
 * Without a number nobody knows. */
static bool has_stayed(const struct go_row *row, const struct go_goroutine *it, uint32_t number)
{
    return row->id == it->id && row->task != 0 && recorder.tasks[row->task].gen != 0 &&
           number != 0 && row->wait_number == number && row->reason == reason_number(it) &&
           (row->waiting_since == 0 || row->waiting_since == it->waiting_since);
}

/* Was its stack told, or given up? */
static bool has_stack(const struct rec_task *task)
{
    return task->wait_site != 0 || task->detail_flags & REC_DETAIL_NO_STACK;
}

/* What has stayed as it was has the stack that it had, so that nobody needs to read it. */
static bool wants_stack(const struct go_goroutine *it, void *unused)
{
    (void)unused;
    const struct go_row *row = go_table_row(it->g);
    return row != NULL &&
           (!has_stayed(row, it, it->wait_number) || !has_stack(&recorder.tasks[row->task]));
}

void go_record_start(struct goscan *scan)
{
    struct rec_header *header = recorder.header;
    scan->wants_stack = wants_stack;
    scan->wants_lock = go_locks_wanted;
    if (header->go_version == 0)
        header->go_version = recorder_add_string(scan->version, strlen(scan->version));
    __atomic_fetch_or(&header->runtimes, REC_RUNTIME_GO, __ATOMIC_RELEASE);
}

static const struct go_reason *reason_of(const struct goscan *scan, const struct go_goroutine *it)
{
    static const struct go_reason unknown = {.text = "unknown wait reason"};
    bool known = it->reason < scan->reason_count && it->reason < GO_MAX_REASONS;
    return known ? &scan->reasons[it->reason] : &unknown;
}

/* The row of a wait reason that is understood as `op`. 0: no room for it. */
static uint16_t call_of(const struct go_reason *reason, const struct goscan *scan, uint16_t op)
{
    bool known = reason >= scan->reasons && reason < scan->reasons + GO_MAX_REASONS;
    uint16_t *row = &call_rows[known ? reason - scan->reasons : GO_MAX_REASONS][op];
    if (*row == 0)
        *row = (uint16_t)recorder_add_call(reason->text, (enum rec_op)op, REC_CALL_REASON);
    return *row;
}

static bool is_recorded(uint16_t op)
{
    return op < REC_OP_COUNT && recorder.classes & recorder_op_classes[op];
}

/* --- what is known of a goroutine for good --------------------------------------------------- */

static uint32_t spawn_site(const struct go_goroutine *it)
{
    uint32_t count;
    bool cut;
    const uint64_t *pcs = goscan_spawn_pcs(it, &count, &cut);
    return pcs != NULL ? site_store(pcs, count, cut ? REC_SITE_CUT : 0) : 0;
}

static void spawn(struct go_row *row, const struct go_goroutine *it, uint16_t flags)
{
    struct rec_task *task =
        recorder_prepare(REC_KIND_GOROUTINE, flags, spawn_site(it), it->g, NULL);
    if (task == NULL)
        return;
    task->runtime_id = it->id;
    task->spawner = it->parent_id;
    task->labels = 0;
    row->task = (uint32_t)(task - recorder.tasks);
    __atomic_store_n(&task->state, REC_TASK_LIVE, __ATOMIC_RELEASE);
}

/* Takes back what was counted for a goroutine that got no slot: it is tried again. */
static void forget_loss(void)
{
    __atomic_fetch_sub(&recorder.header->spawned, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&recorder.header->lost_tasks, 1, __ATOMIC_RELAXED);
}

/* --- waits ----------------------------------------------------------------------------------- */

static uint16_t describe_channel(const struct go_channel *channel, uint32_t *capacity,
                                 uint32_t *length)
{
    *capacity = channel->known ? rec_saturate(channel->capacity) : 0;
    *length = channel->known ? rec_saturate(channel->length) : 0;
    if (!channel->known)
        return 0;
    return REC_DETAIL_CHANNEL | (channel->closed ? REC_DETAIL_CLOSED : 0);
}

static void put_cases(struct rec_task *task, const struct go_goroutine *it)
{
    static struct rec_case cases[GO_MAX_CASES];
    uint32_t count = it->case_count < GO_MAX_CASES ? it->case_count : GO_MAX_CASES;
    for (uint32_t i = 0; i < count; i++) {
        const struct go_case *from = &it->cases[i];
        struct rec_case *to = &cases[i];
        *to = (struct rec_case){
            .object = from->channel.address,
            .op = from->send ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE,
        };
        to->detail_flags = describe_channel(&from->channel, &to->capacity, &to->length);
    }
    recorder_put_cases(task, cases, (uint16_t)count);
}

/* Two words of a lock belong together: who reads meanwhile is told none. */
static void put_detail(struct rec_task *task, uint32_t a, uint32_t b, uint16_t flags)
{
    const uint16_t words = REC_DETAIL_LOCK_WORDS;
    if (task->detail_flags & words)
        SHARED_PUT(task->detail_flags, task->detail_flags & (uint16_t)~words);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    SHARED_PUT(task->detail_a, a);
    SHARED_PUT(task->detail_b, b);
    __atomic_store_n(&task->detail_flags, flags, __ATOMIC_RELEASE);
}

/* What may change while the goroutine stays parked. */
static void describe(struct rec_task *task, const struct go_goroutine *it,
                     const struct go_reason *reason)
{
    uint32_t a = 0, b = 0;
    uint16_t flags = task->detail_flags & REC_DETAIL_NO_STACK;
    if (reason->object == GO_OBJECT_CHANNEL)
        flags |= describe_channel(&it->channel, &a, &b);
    else if (reason->object == GO_OBJECT_SELECT)
        put_cases(task, it);
    else if (reason->object == GO_OBJECT_SEMAPHORE)
        flags |= go_locks_describe(task, it, &a, &b);
    else if (reason->object == GO_OBJECT_POLL)
        flags |= task->detail_flags & (REC_DETAIL_LISTENING | REC_DETAIL_TIMES_OUT);
    flags |= it->status == G_LEAKED ? REC_DETAIL_LEAKED : 0;
    if (task->detail_a == a && task->detail_b == b && task->detail_flags == flags)
        return; /* a page that is not written to stays clean */
    put_detail(task, a, b, flags);
}

/* A timer may be set or stopped while the wait lasts. One that is not found may have been missed,
 * as it moved: only when that is so twice, what was told is taken back. */
static void note_deadline(const struct goscan *scan, struct go_row *row, struct rec_task *task,
                          const struct go_goroutine *it, const struct go_reason *reason)
{
    bool known = reason->object == GO_OBJECT_CHANNEL || reason->object == GO_OBJECT_SELECT ||
                 (reason->object == GO_OBJECT_POLL && it->object_known);
    bool told = (task->wait_flags & REC_WAIT_DEADLINE) != 0;
    bool missed = known && told && !it->deadline;
    if (missed && !goscan_knows_timers(scan))
        return;
    if (known && told != it->deadline && (!missed || row->deadline_missed)) {
        __atomic_store_n(&task->wait_flags, task->wait_flags ^ REC_WAIT_DEADLINE, __ATOMIC_RELAXED);
        missed = false;
    }
    row->deadline_missed = missed;
}

/* 0: it could not be read, or there is no room for it. */
static uint32_t wait_site(const struct go_goroutine *it)
{
    if (it->stack == NULL || it->stack->count == 0)
        return 0;
    return site_store(it->stack->pcs, it->stack->count,
                      (it->stack->cut ? REC_SITE_CUT : 0) |
                          (it->stack->broken ? REC_SITE_BROKEN : 0));
}

/* The stack of a wait that had none at the first look: what is read while it changes may be gone
 * for a moment, so that only the second failure is one. */
static void try_again(struct rec_task *task, const struct go_goroutine *it)
{
    uint32_t site = wait_site(it);
    if (site != 0) {
        __atomic_store_n(&task->wait_site, site, __ATOMIC_RELEASE);
        return;
    }
    task->detail_flags |= REC_DETAIL_NO_STACK;
    if (it->stack == NULL || it->stack->count == 0)
        recorder_count(&recorder.header->lost_stacks);
}

static bool same_stack(const struct rec_task *task, const struct go_stack *stack)
{
    const struct rec_site *site = &recorder.sites[task->wait_site];
    if (task->wait_site == 0 || stack == NULL)
        return true;
    return site->pc_count == stack->count && memcmp(&recorder.pcs[site->first_pc], stack->pcs,
                                                    stack->count * sizeof(stack->pcs[0])) == 0;
}

/* The wait number of one that ran may be what it was; what it waits on tells some of them. */
static bool same_channels(const struct rec_task *task, const struct go_goroutine *it,
                          const struct go_reason *reason)
{
    if (reason->object == GO_OBJECT_CHANNEL)
        return task->object == it->channel.address;
    if (reason->object != GO_OBJECT_SELECT || task->case_count == 0)
        return true; /* or there was no room for the cases */
    if (it->case_count < task->case_count)
        return false;
    for (uint32_t i = 0; i < task->case_count; i++)
        if (recorder.cases[task->case_first + i].object != it->cases[i].channel.address)
            return false;
    return true;
}

/* What of a wait does not change while it lasts. */
struct go_wait {
    uint64_t object;
    uint32_t number; /* as that of the goroutine; 0: nobody knows whether it has run */
    uint32_t arg;
    uint16_t call, flags;
    bool fd;     /* the object is a descriptor, or the first of several */
    int timeout; /* of a socket, that makes the call end by itself: see thread_call */
};

/* For the wait that will have the number `seq`. Returns flags of its detail. */
static uint16_t describe_descriptor(const struct rec_task *task, uint32_t seq,
                                    const struct go_wait *wait)
{
    const struct descriptor_place place = {
        .pid = recorder.header->pid, .fd = (int)wait->object, .timeout = wait->timeout};
    uint16_t flags = descriptor_record(task, task->id, seq, &place);
    if (wait->flags & REC_WAIT_FDS) /* of several, the others may say more */
        return 0;
    return flags & (uint16_t)~REC_DETAIL_CONNECTED;
}

static void publish(struct go_row *row, struct rec_task *task, const struct go_wait *wait,
                    const struct go_goroutine *it, const struct go_reason *reason)
{
    uint32_t seq = task->seq + 1 != 0 ? task->seq + 1 : 1;
    /* What takes a while comes first: as long as gen is 0, readers take the goroutine to run. */
    uint32_t site = wait_site(it);
    uint16_t descriptor = wait->fd ? describe_descriptor(task, seq, wait) : 0;
    __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
    task->seq = seq;
    __atomic_thread_fence(__ATOMIC_RELEASE);
    task->call = wait->call;
    task->wait_flags = wait->flags;
    task->arg = wait->arg;
    task->object = wait->object;
    task->os_tid = it->os_tid;
    task->wait_site = site;
    task->detail_flags = descriptor;
    task->case_count = 0; /* those of a select before */
    task->since_ns = wait->number != 0 ? scan_ns : 0;
    if (it->waiting_since > 0 && (uint64_t)it->waiting_since < scan_ns)
        task->since_ns = (uint64_t)it->waiting_since;
    describe(task, it, reason);
    __atomic_store_n(&task->gen, seq, __ATOMIC_RELEASE);
    __atomic_store_n(&task->seen_gen, seq, __ATOMIC_RELEASE);
    row->wait_number = wait->number;
    row->reason = reason_number(it);
    row->lock = it->stack != NULL ? it->lock : GO_LOCK_UNKNOWN;
    row->deadline_missed = false;
}

/* The wait of one that the scheduler parked. */
static bool take_parked(const struct goscan *scan, const struct go_goroutine *it,
                        const struct go_reason *reason, struct go_wait *ret)
{
    bool select = reason->object == GO_OBJECT_SELECT;
    *ret = (struct go_wait){
        .object = reason->object == GO_OBJECT_CHANNEL ? it->channel.address : it->object,
        .number = it->wait_number,
        .arg = select ? goscan_case_numbers(it) : 0,
        .flags = (it->deadline ? REC_WAIT_DEADLINE : 0) | (it->locked ? REC_WAIT_LOCKED : 0) |
                 (select ? REC_WAIT_CASES : 0),
        .fd = reason->object == GO_OBJECT_POLL && it->object_known,
    };
    if (is_recorded(it->op))
        ret->call = call_of(reason, scan, it->op);
    return ret->call != 0;
}

#define CALLS_UNCOUNTED_SINCE_MINOR 27
#define RUNTIMES_BITS 9 /* of the number of a wait in a system call: the goroutine's own number */

/* Whether what was told of one in a system call may be so still, by the runtime alone. */
static bool may_have_stayed(const struct go_row *row, const struct go_goroutine *it)
{
    uint32_t sleeps = row->wait_number >> RUNTIMES_BITS;
    return !it->moved && has_stayed(row, it, it->wait_number ^ sleeps << RUNTIMES_BITS);
}

/* What tells the call of a goroutine from its next one. Newer versions of Go do not count who comes
 * back from a call, but the kernel counts when a thread goes to sleep, if also when a signal has
 * woken it. */
static uint32_t call_number(const struct goscan *scan, const struct go_goroutine *it)
{
    if (scan->minor < CALLS_UNCOUNTED_SINCE_MINOR)
        return it->wait_number;
    return it->wait_number ^ blocked_sleeps(recorder.header->pid, it->os_tid) << RUNTIMES_BITS;
}

/* The wait of one whose thread is parked in a system call. */
static bool take_system_call(const struct goscan *scan, const struct go_goroutine *it,
                             struct go_wait *ret)
{
    struct thread_call call;
    if (it->status != G_SYSCALL || it->stack == NULL ||
        !go_calls_read(scan->reader, it->os_tid, &call, &ret->call))
        return false;
    ret->object = call.object;
    ret->number = call_number(scan, it);
    ret->arg = call.arg;
    ret->flags = (call.deadline ? REC_WAIT_DEADLINE : 0) | (call.fds ? REC_WAIT_FDS : 0) |
                 (it->locked ? REC_WAIT_LOCKED : 0);
    ret->fd =
        (call.op == REC_OP_IO_WAIT || call.op == REC_OP_FILE_LOCK) && (!call.fds || call.arg > 0);
    ret->timeout = call.timeout;
    return is_recorded((uint16_t)call.op);
}

static void look_at(struct go_row *row, struct rec_task *task, const struct goscan *scan,
                    const struct go_goroutine *it)
{
    static const struct go_reason system_call = {.text = "syscall", .object = GO_OBJECT_POLL};
    const struct go_reason *reason = it->parked ? reason_of(scan, it) : &system_call;
    struct go_wait wait = {0};
    if (it->parked && !it->moved && has_stayed(row, it, it->wait_number) && it->stack == NULL &&
        has_stack(task) && same_channels(task, it, reason)) {
        describe(task, it, reason); /* nor is there what only the stack tells */
        note_deadline(scan, row, task, it, reason);
        return;
    }
    bool asks = it->status != G_SYSCALL || go_calls_turn();
    if (!asks && may_have_stayed(row, it))
        return;
    if (it->moved || !asks ||
        !(it->parked ? take_parked(scan, it, reason, &wait) : take_system_call(scan, it, &wait))) {
        if (task->gen != 0)
            __atomic_store_n(&task->gen, 0, __ATOMIC_RELEASE);
        return;
    }
    if (!has_stayed(row, it, wait.number) || task->call != wait.call ||
        task->object != wait.object || !same_channels(task, it, reason) ||
        !same_stack(task, it->stack)) {
        publish(row, task, &wait, it, reason);
        return;
    }
    if (!has_stack(task))
        try_again(task, it);
    if (it->stack != NULL)
        row->lock = it->lock;
    describe(task, it, reason);
    note_deadline(scan, row, task, it, reason);
}

/* --- scans ----------------------------------------------------------------------------------- */

static void set_system(struct rec_task *task, bool system)
{
    uint16_t flags = __atomic_load_n(&task->flags, __ATOMIC_RELAXED);
    if (system && !(flags & REC_TASK_SYSTEM))
        __atomic_fetch_or(&task->flags, REC_TASK_SYSTEM, __ATOMIC_RELAXED);
    else if (!system && flags & REC_TASK_SYSTEM) /* a finalizer runs code of the program */
        __atomic_fetch_and(&task->flags, (uint16_t)~REC_TASK_SYSTEM, __ATOMIC_RELAXED);
}

static void end(struct go_row *row)
{
    if (row->task != 0)
        recorder_release(&recorder.tasks[row->task]);
    else
        recorder_count(&recorder.header->finished);
    row->task = 0;
    row->id = 0;
}

void go_record_begin(uint64_t now_ns)
{
    scan_number++;
    scan_ns = now_ns;
    visited = 0;
    stopped = false;
    go_table_begin();
    go_calls_begin();
    go_labels_begin();
    go_locks_begin();
}

bool go_record_visit(const struct go_goroutine *it, void *arg)
{
    struct goscan *scan = arg;
    struct go_row *row = go_table_row(it->g);
    if (++visited % ASK_EVERY == 0) {
        __atomic_store_n(&recorder.header->last_walk_ns, clock_now_ns(), __ATOMIC_RELEASE);
        if (asked != NULL && !asked())
            stopped = true;
    }
    if (row == NULL) {
        go_table_count_lost();
        return !stopped;
    }
    if (row->id != 0 && row->id != it->id)
        end(row); /* its memory went to another goroutine */
    bool system = it->system || (it->parked && reason_of(scan, it)->idle);
    uint16_t flags = REC_TASK_SCANNED | (system ? REC_TASK_SYSTEM : 0);
    if (row->id == 0) {
        *row = (struct go_row){.g = it->g, .id = it->id};
        spawn(row, it, flags);
    } else if (row->task == 0 && recorder_has_room()) {
        forget_loss();
        spawn(row, it, flags);
    }
    row->seen_in = scan_number;
    if (row->task == 0)
        return !stopped;
    struct rec_task *task = &recorder.tasks[row->task];
    set_system(task, system);
    uint32_t seq = task->seq;
    go_labels_drop_old(row, task, it->labels);
    look_at(row, task, scan, it);
    row->waiting_since = it->waiting_since;
    go_labels_note(row, it->labels, task->seq != seq);
    return !stopped;
}

static void end_unseen(struct go_row *row, void *unused)
{
    (void)unused;
    if (row->id != 0 && row->seen_in != scan_number)
        end(row);
}

enum go_result go_record_end(struct goscan *scan, enum go_result result,
                             const struct go_totals *totals)
{
    struct rec_header *header = recorder.header;
    header->unreadable_tasks = totals->unreadable;
    __atomic_fetch_add(&header->lost_tasks, go_table_newly_lost(), __ATOMIC_RELAXED);
    /* What could not be read is not gone. */
    if (result == GO_OK && !stopped && totals->unreadable == 0)
        go_table_each(end_unseen, NULL);
    if (stopped)
        return result;
    go_labels_read(scan);
    return result == GO_OK && totals->seen == 0 ? GO_NOT_FOUND : result;
}

enum go_result go_record_scan(struct goscan *scan, bool (*go_on)(void))
{
    struct go_totals totals = {0};
    asked = go_on;
    go_record_begin(clock_now_ns());
    scan->go_on = go_on;
    enum go_result result = goscan_run(scan, go_record_visit, scan, &totals);
    return go_record_end(scan, result, &totals);
}
