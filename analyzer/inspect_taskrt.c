/* Tasks of libtaskrt, in batches: the words of many tasks, of their stacks and of what they wait on
 * are read in a few system calls.
 *
 * The process runs meanwhile. A task is parked when its count of waits was the same before and
 * after all that was read of it, and its state, looked at after the first of these, said so
 * (runtime/taskrt_inspect.h). One that moves whenever it is looked at runs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/debug_unwind.h"
#include "analyzer/image_quiet.h"
#include "analyzer/inspect_taskrt.h"
#include "analyzer/taskrt_list.h"
#include "analyzer/taskrt_pages.h"

#define BATCH 1024
#define TRIES 3
#define STACK_BYTES                                                                                \
    1024 /* read of each stack at once; what is deeper is read when it is needed                   \
          */
#define MOST_STACK_BYTES (UINT64_C(1) << 40)
#define MOST_CASES 64
#define MOST_WORKERS 4096
#define CHAN_BYTES_MOST 512
#define NEVER INT64_MAX /* TASKRT_NEVER */
#define SEND 1          /* enum taskrt_direction of struct taskrt_case: see runtime/taskrt.h */

static const struct {
    const char *call, *until; /* what was called, without and with a deadline */
    enum rec_op op;
} reasons[] = {
    [TASKRT_REASON_NONE] = {NULL, NULL, REC_OP_NONE},
    [TASKRT_REASON_SEND] = {"taskrt_send", "taskrt_send_until", REC_OP_CHAN_SEND},
    [TASKRT_REASON_RECEIVE] = {"taskrt_receive", "taskrt_receive_until", REC_OP_CHAN_RECEIVE},
    [TASKRT_REASON_SELECT] = {"taskrt_select", "taskrt_select", REC_OP_SELECT},
    [TASKRT_REASON_MUTEX] = {"taskrt_mutex_lock", "taskrt_mutex_lock_until", REC_OP_MUTEX_LOCK},
    [TASKRT_REASON_COND] = {"taskrt_cond_wait", "taskrt_cond_wait_until", REC_OP_COND_WAIT},
    [TASKRT_REASON_WAITGROUP] = {"taskrt_waitgroup_wait", "taskrt_waitgroup_wait_until",
                                 REC_OP_WAITGROUP_WAIT},
    [TASKRT_REASON_JOIN] = {"taskrt_join", "taskrt_join", REC_OP_TASK_JOIN},
    [TASKRT_REASON_SLEEP] = {"taskrt_sleep", "taskrt_sleep", REC_OP_SLEEP},
    [TASKRT_REASON_FD] = {"taskrt_wait_fd", "taskrt_wait_fd", REC_OP_IO_WAIT},
};

/* A parked task while it is read. */
struct look {
    struct taskrt_entry entry;
    const unsigned char *task; /* table.task_bytes of it */
    unsigned char *stack;      /* STACK_BYTES */
    uint32_t state, last_state;
    uint64_t last_wait_count;
    uint64_t sp;
    size_t stack_bytes;
    bool has_stack;
    uint32_t site;
    bool no_stack;
    struct snapshot_case channel; /* what a send or receive waits on */
    uint64_t owner;               /* of a mutex */
    bool has_owner;
    uint32_t case_first;
    uint16_t case_count;
};

/* What is to be looked at once more when all tasks were seen. */
struct parked {
    uint64_t address, wait_count;
    uint64_t owner; /* of the mutex that it waits for */
    uint32_t task;  /* index of snapshot->tasks */
    bool has_owner;
};

struct taskrt {
    struct inspection *inspection;
    struct snapshot_builder *builder;
    struct mem_reader *memory;
    struct taskrt_inspect table;
    struct taskrt_list list;
    struct look *looks;
    uint64_t addresses[BATCH]; /* of the looks */
    struct mem_piece *pieces;  /* one a look */
    struct taskrt_pages pages;
    unsigned char *copies[2]; /* of all looks: one that is kept, one of what changes */
    struct parked *parked;
    size_t parked_count, parked_room;
    uint32_t calls[2 * sizeof(reasons) / sizeof(reasons[0])];
    uint64_t last_pc; /* that a task goes on at */
    bool failed;      /* no memory */
};

static uint64_t word_of(const struct look *look, uint32_t offset)
{
    uint64_t word;
    memcpy(&word, look->task + offset, sizeof(word));
    return word;
}

static uint32_t half_of(const struct look *look, uint32_t offset)
{
    uint32_t half;
    memcpy(&half, look->task + offset, sizeof(half));
    return half;
}

/* ---- Reading ---- */

/* A page that is not there is all ones: no state, no count. */
static void read_last(struct taskrt *rt, size_t count)
{
    taskrt_pages_read(&rt->pages, rt->memory, rt->copies[1]);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *task = rt->copies[1] + rt->pages.offsets[i];
        memcpy(&rt->looks[i].last_wait_count, task + rt->table.wait_count, sizeof(uint64_t));
        memcpy(&rt->looks[i].last_state, task + rt->table.state, sizeof(uint32_t));
    }
}

/* The state of each, and after it all of its words. */
static void read_words(struct taskrt *rt, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rt->addresses[i] = rt->looks[i].entry.address;
    taskrt_pages_place(&rt->pages, rt->addresses, count);
    read_last(rt, count);
    taskrt_pages_read(&rt->pages, rt->memory, rt->copies[0]);
    for (size_t i = 0; i < count; i++) {
        rt->looks[i].state = rt->looks[i].last_state;
        rt->looks[i].task = rt->copies[0] + rt->pages.offsets[i];
    }
}

static bool is_parked(const struct look *look)
{
    return look->state == TASKRT_STATE_PARKED;
}

/* The inner end of the stack of each parked task. */
static void read_stacks(struct taskrt *rt, size_t count)
{
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) {
        struct look *look = &rt->looks[i];
        look->has_stack = false;
        look->no_stack = true;
        look->site = 0;
        if (!is_parked(look))
            continue;
        uint64_t low = word_of(look, rt->table.stack_low);
        uint64_t high = word_of(look, rt->table.stack_high);
        look->sp = word_of(look, rt->table.context_sp);
        if (look->sp < low || look->sp > high || high - low > MOST_STACK_BYTES ||
            high - look->sp < rt->table.context_bytes || look->sp % sizeof(uint64_t))
            continue;
        look->stack_bytes = high - look->sp < STACK_BYTES ? high - look->sp : STACK_BYTES;
        look->has_stack = true;
        rt->pieces[pieces++] =
            (struct mem_piece){.address = look->sp, .to = look->stack, .bytes = look->stack_bytes};
    }
    rt->memory->read(rt->memory, rt->pieces, pieces);
    pieces = 0;
    for (size_t i = 0; i < count; i++) {
        if (rt->looks[i].has_stack)
            rt->looks[i].has_stack = rt->pieces[pieces++].ok;
    }
}

/* Whether a task can go on at an address. gdb 13 leaves zeroes in a core where it cannot read a
 * stack because of the guards around it. */
static bool is_code(struct taskrt *rt, uint64_t pc)
{
    if (pc != rt->last_pc || !pc) {
        const struct image_mapping *mapping = image_mapping_at(rt->inspection->image, pc);
        if (!mapping || !mapping->executable)
            return false;
        rt->last_pc = pc;
    }
    return true;
}

static void walk(struct taskrt *rt, struct look *look)
{
    struct debug_unwind *unwind = inspection_unwind(rt->inspection);
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    struct image_registers registers = {.known = 1U << IMAGE_REGISTER_SP | 1U << IMAGE_REGISTER_FP |
                                                 1U << IMAGE_REGISTER_PC};
    struct image_stop stop = {.stack_address = look->sp,
                              .stack_bytes = look->stack_bytes,
                              .stack = look->stack,
                              .stack_room = STACK_BYTES};
    uint16_t flags = 0;
    if (!unwind || !look->has_stack || look->stack_bytes < rt->table.context_bytes)
        return;
    memcpy(&registers.value[IMAGE_REGISTER_FP], look->stack + rt->table.context_fp, 8);
    memcpy(&registers.value[IMAGE_REGISTER_PC], look->stack + rt->table.context_pc, 8);
    registers.value[IMAGE_REGISTER_SP] = look->sp + rt->table.context_bytes;
    if (!is_code(rt, registers.value[IMAGE_REGISTER_PC]))
        return;
    size_t count = debug_unwind_walk(unwind, &registers, &stop, pcs, &flags);
    look->site = builder_add_site(rt->builder, pcs, count, flags);
    look->no_stack = count == 0;
}

/* The words of a channel that are read, from the first of them on. */
static uint64_t chan_start(const struct taskrt_inspect *table, size_t *ret_bytes)
{
    uint64_t first = table->chan_capacity, end = table->chan_capacity + 8;
    if (table->chan_length < first)
        first = table->chan_length;
    if (table->chan_closed < first)
        first = table->chan_closed;
    if (table->chan_length + 8 > end)
        end = table->chan_length + 8;
    if (table->chan_closed + 4 > end)
        end = table->chan_closed + 4;
    *ret_bytes = (size_t)(end - first);
    return first;
}

static void take_channel(const struct taskrt_inspect *table, const unsigned char *bytes,
                         uint64_t start, struct snapshot_case *ret)
{
    uint64_t capacity, length;
    uint32_t closed;
    memcpy(&capacity, bytes + (table->chan_capacity - start), sizeof(capacity));
    memcpy(&length, bytes + (table->chan_length - start), sizeof(length));
    memcpy(&closed, bytes + (table->chan_closed - start), sizeof(closed));
    if (length > capacity || closed > 1)
        return;
    ret->capacity = rec_saturate(capacity);
    ret->length = rec_saturate(length);
    ret->detail_flags = (uint16_t)(REC_DETAIL_CHANNEL | (closed ? REC_DETAIL_CLOSED : 0));
}

static bool waits_on_channel(uint32_t reason)
{
    return reason == TASKRT_REASON_SEND || reason == TASKRT_REASON_RECEIVE;
}

/* What the tasks wait on: channels and owners of mutexes. Tasks side by side often share one. */
static void read_objects(struct taskrt *rt, size_t count, unsigned char *buffer)
{
    size_t chan_bytes, pieces = 0;
    uint64_t start = chan_start(&rt->table, &chan_bytes);
    for (size_t i = 0; i < count; i++) {
        struct look *look = &rt->looks[i];
        uint32_t reason = is_parked(look) ? half_of(look, rt->table.reason) : TASKRT_REASON_NONE;
        uint64_t object = is_parked(look) ? word_of(look, rt->table.object) : 0;
        struct mem_piece *piece = &rt->pieces[pieces];
        look->channel = (struct snapshot_case){.object = object};
        look->has_owner = false;
        if (object == 0)
            continue;
        if (waits_on_channel(reason) && chan_bytes <= CHAN_BYTES_MOST)
            *piece = (struct mem_piece){.address = object + start, .bytes = chan_bytes};
        else if (reason == TASKRT_REASON_MUTEX)
            *piece = (struct mem_piece){.address = object + rt->table.mutex_owner, .bytes = 8};
        else
            continue;
        if (pieces && piece[-1].address == piece->address && piece[-1].bytes == piece->bytes)
            continue;
        piece->to = buffer + pieces * CHAN_BYTES_MOST;
        pieces++;
    }
    rt->memory->read(rt->memory, rt->pieces, pieces);
    size_t at = 0;
    for (size_t i = 0; i < count && pieces; i++) {
        struct look *look = &rt->looks[i];
        uint32_t reason = is_parked(look) ? half_of(look, rt->table.reason) : TASKRT_REASON_NONE;
        uint64_t object = look->channel.object;
        bool chan = waits_on_channel(reason) && chan_bytes <= CHAN_BYTES_MOST;
        if (object == 0 || (!chan && reason != TASKRT_REASON_MUTEX))
            continue;
        uint64_t address = object + (chan ? start : rt->table.mutex_owner);
        size_t bytes = chan ? chan_bytes : 8;
        if (rt->pieces[at].address != address || rt->pieces[at].bytes != bytes)
            at++;
        const unsigned char *from = buffer + at * CHAN_BYTES_MOST;
        if (!rt->pieces[at].ok)
            continue;
        if (chan) {
            take_channel(&rt->table, from, start, &look->channel);
        } else {
            memcpy(&look->owner, from, sizeof(look->owner));
            look->has_owner = true;
        }
    }
}

/* struct taskrt_case begins with the direction, an int, and the channel. */
static void read_cases(struct taskrt *rt, struct look *look)
{
    struct snapshot_case cases[MOST_CASES];
    unsigned char rows[MOST_CASES * 256], channel[CHAN_BYTES_MOST];
    size_t chan_bytes, filled = 0;
    uint64_t start = chan_start(&rt->table, &chan_bytes);
    uint64_t object = look->channel.object;
    uint32_t count = half_of(look, rt->table.object_count);
    look->case_count = 0;
    if (count > MOST_CASES)
        count = MOST_CASES;
    if (count == 0 || object == 0 ||
        !mem_read(rt->memory, object, rows, (size_t)count * rt->table.case_bytes))
        return;
    for (; filled < count; filled++) {
        const unsigned char *row = rows + filled * rt->table.case_bytes;
        uint32_t direction;
        cases[filled] = (struct snapshot_case){0};
        memcpy(&direction, row, sizeof(direction));
        memcpy(&cases[filled].object, row + sizeof(uint64_t), sizeof(uint64_t));
        cases[filled].op = direction == SEND ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE;
        if (cases[filled].object && chan_bytes <= sizeof(channel) &&
            mem_read(rt->memory, cases[filled].object + start, channel, chan_bytes))
            take_channel(&rt->table, channel, start, &cases[filled]);
    }
    look->case_first = builder_add_cases(rt->builder, cases, filled);
    look->case_count = (uint16_t)(look->case_first ? filled : 0);
}

/* Whether all that was read is of the wait that it was in when the list was read. */
static bool is_consistent(const struct look *look)
{
    return is_parked(look) && look->last_state == TASKRT_STATE_PARKED &&
           look->last_wait_count == look->entry.wait_count;
}

/* ---- Telling ---- */

static uint32_t call_of(struct taskrt *rt, uint32_t reason, bool deadline)
{
    uint32_t *call = &rt->calls[2 * reason + deadline];
    if (!*call)
        *call =
            builder_add_call(rt->builder, deadline ? reasons[reason].until : reasons[reason].call,
                             reasons[reason].op, false);
    return *call;
}

/* Whether a descriptor is a socket that accepts connections. */
static bool is_listening(struct taskrt *rt, uint64_t fd)
{
    struct image *image = rt->inspection->image;
    bool listening = false;
    char what[256];
    return fd <= INT32_MAX && image->functions && image->functions->describe_fd &&
           image->functions->describe_fd(image, (int)fd, what, sizeof(what), &listening) &&
           listening;
}

static void tell_wait(struct taskrt *rt, const struct look *look, struct snapshot_task *task)
{
    uint32_t reason = half_of(look, rt->table.reason);
    int64_t deadline_ns = (int64_t)word_of(look, rt->table.deadline_ns);
    int64_t parked_ns = (int64_t)word_of(look, rt->table.parked_ns);
    int64_t now_ns = rt->inspection->image->taken_monotonic_ns;
    bool deadline = deadline_ns != NEVER;
    task->flags |= SNAPSHOT_PARKED;
    if (deadline)
        task->flags |= SNAPSHOT_DEADLINE;
    task->call = call_of(rt, reason, deadline);
    task->object = look->channel.object;
    task->arg = reason == TASKRT_REASON_SELECT ? half_of(look, rt->table.object_count) : 0;
    task->wait_site = look->site;
    task->wait_number = (uint32_t)look->last_wait_count;
    if (task->wait_number == 0)
        task->wait_number = 1;
    if (parked_ns > 0 && now_ns >= parked_ns)
        task->parked_ns = now_ns - parked_ns;
    if (waits_on_channel(reason)) {
        task->detail_a = look->channel.capacity;
        task->detail_b = look->channel.length;
        task->detail_flags = look->channel.detail_flags;
    }
    if (look->no_stack) {
        task->detail_flags |= REC_DETAIL_NO_STACK;
        builder_snapshot(rt->builder)->loss.stacks++;
    }
    if (reason == TASKRT_REASON_SELECT) {
        task->case_first = look->case_first;
        task->case_count = look->case_count;
    }
    if (reason == TASKRT_REASON_FD && !deadline && is_listening(rt, task->object))
        task->detail_flags |= REC_DETAIL_LISTENING;
}

static void tell(struct taskrt *rt, const struct look *look, bool parked)
{
    struct snapshot *snapshot = builder_snapshot(rt->builder);
    uint64_t start = word_of(look, rt->table.start) + 1; /* the rule for return addresses */
    uint32_t site = builder_add_site(rt->builder, &start, 1, SNAPSHOT_SITE_START);
    struct snapshot_task *task = builder_add_task(rt->builder);
    if (!task)
        return;
    task->id = word_of(look, rt->table.id);
    task->kind = REC_KIND_TASK;
    task->handle = look->entry.address;
    task->row = (uint32_t)snapshot->task_count; /* unique among all that have one */
    task->spawn_site = site;
    task->spawner = word_of(look, rt->table.spawner_id);
    memcpy(task->name, look->task + rt->table.name, sizeof(task->name) - 1);
    if (!parked)
        return;
    tell_wait(rt, look, task);
    if (rt->parked_count == rt->parked_room) {
        size_t room = rt->parked_room ? 2 * rt->parked_room : BATCH;
        struct parked *rows = reallocarray(rt->parked, room, sizeof(*rows));
        if (!rows) {
            rt->failed = true;
            return;
        }
        rt->parked = rows;
        rt->parked_room = room;
    }
    rt->parked[rt->parked_count++] = (struct parked){
        .address = look->entry.address,
        .wait_count = look->last_wait_count,
        .owner = look->owner,
        .has_owner = look->has_owner,
        .task = (uint32_t)(snapshot->task_count - 1),
    };
}

/* Reads the first `count` looks, and tells of all but those that moved: these are moved to the
 * front. Returns how many they are. */
static size_t read_batch(struct taskrt *rt, size_t count, unsigned char *buffer, bool last_try)
{
    size_t moved = 0;
    read_words(rt, count);
    read_stacks(rt, count);
    read_objects(rt, count, buffer);
    for (size_t i = 0; i < count; i++) {
        struct look *look = &rt->looks[i];
        if (!is_parked(look))
            continue;
        walk(rt, look);
        if (half_of(look, rt->table.reason) == TASKRT_REASON_SELECT)
            read_cases(rt, look);
    }
    read_last(rt, count);
    for (size_t i = 0; i < count && !rt->failed; i++) {
        struct look *look = &rt->looks[i];
        uint32_t reason = half_of(look, rt->table.reason);
        bool known = reason != TASKRT_REASON_NONE && reason < sizeof(reasons) / sizeof(reasons[0]);
        uint32_t state = look->last_state;
        if (is_consistent(look) && known) {
            tell(rt, look, true);
        } else if (is_consistent(look)) {
            builder_snapshot(rt->builder)->loss.unreadable++;
        } else if (state == TASKRT_STATE_PARKED && !last_try) {
            look->entry.wait_count = look->last_wait_count;
            struct look swap = rt->looks[moved];
            rt->looks[moved++] = *look;
            *look = swap;
        } else if (state == TASKRT_STATE_PARKED || state == TASKRT_STATE_RUNNABLE ||
                   state == TASKRT_STATE_RUNNING) {
            tell(rt, look, false);
        } else if (state > TASKRT_STATE_ENDED) {
            builder_snapshot(rt->builder)->loss.unreadable++;
        }
    }
    return moved;
}

/* When all tasks were seen: those that are still in the wait that was told were in it all at one
 * moment, which is what a cycle has to be. quiet_ns: for so long no thread has run; 0: one has. */
static void settle(struct taskrt *rt, int64_t quiet_ns)
{
    struct snapshot *snapshot = builder_snapshot(rt->builder);
    for (size_t first = 0; first < rt->parked_count; first += BATCH) {
        size_t count = rt->parked_count - first < BATCH ? rt->parked_count - first : BATCH;
        for (size_t i = 0; i < count; i++)
            rt->addresses[i] = rt->parked[first + i].address;
        taskrt_pages_place(&rt->pages, rt->addresses, count);
        read_last(rt, count);
        for (size_t i = 0; i < count; i++) {
            const struct parked *parked = &rt->parked[first + i];
            const struct look *look = &rt->looks[i];
            struct snapshot_task *task = &snapshot->tasks[parked->task];
            if (look->last_state == TASKRT_STATE_PARKED &&
                look->last_wait_count == parked->wait_count)
                task->flags |= SNAPSHOT_SETTLED;
            if (quiet_ns > 0 && task->flags & SNAPSHOT_SETTLED && task->parked_ns < quiet_ns) {
                task->parked_ns = quiet_ns;
                task->flags |= SNAPSHOT_AT_LEAST;
            }
            if (parked->has_owner)
                task->detail_flags |= REC_DETAIL_OWNER_ROW;
        }
    }
}

/* A lock's owner by its address: the row of that task. */
static bool name_owners(struct taskrt *rt)
{
    struct snapshot *snapshot = builder_snapshot(rt->builder);
    struct table rows;
    bool ok = table_init(&rows, 64);
    for (size_t i = 0; ok && i < rt->parked_count; i++) {
        if (rt->parked[i].has_owner && rt->parked[i].owner)
            ok = table_at(&rows, (struct table_key){rt->parked[i].owner, 0});
    }
    for (size_t i = 0; ok && rows.count && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        uint32_t *row = task->kind == REC_KIND_TASK
                            ? table_find(&rows, (struct table_key){task->handle, 0})
                            : NULL;
        if (row)
            *row = task->row;
    }
    for (size_t i = 0; ok && rows.count && i < rt->parked_count; i++) {
        const uint32_t *row = rt->parked[i].has_owner
                                  ? table_find(&rows, (struct table_key){rt->parked[i].owner, 0})
                                  : NULL;
        if (row)
            snapshot->tasks[rt->parked[i].task].detail_a = *row;
    }
    table_deinit(&rows);
    return ok;
}

/* ---- Threads ---- */

static struct image_thread *thread_of(const struct image *image, uint32_t tid)
{
    for (size_t i = 0; i < image->thread_count; i++) {
        if (image->threads[i].tid == tid)
            return &image->threads[i];
    }
    return NULL;
}

/* A worker that runs no task has nothing to do but wait for one. One that runs a task has that
 * task's stack, and waits for what the task called. */
static void mark_workers(const struct taskrt *rt)
{
    struct image *image = rt->inspection->image;
    struct taskrt_inspect_workers workers;
    if (!taskrt_find_workers(image, &workers))
        return;
    for (uint32_t i = 0; i < workers.count && i < MOST_WORKERS; i++) {
        uint64_t worker = workers.first + (uint64_t)i * workers.stride;
        uint32_t tid;
        uint64_t current;
        struct mem_piece pieces[] = {
            {.address = worker + workers.tid, .to = &tid, .bytes = sizeof(tid)},
            {.address = worker + workers.current, .to = &current, .bytes = sizeof(current)},
        };
        rt->memory->read(rt->memory, pieces, 2);
        struct image_thread *thread =
            pieces[0].ok && pieces[1].ok && tid ? thread_of(image, tid) : NULL;
        if (thread && current == 0)
            thread->runtime = true;
    }
}

static bool run(struct taskrt *rt)
{
    struct taskrt_entry entries[BATCH];
    struct image_quiet quiet;
    unsigned char *stacks = malloc((size_t)BATCH * STACK_BYTES);
    unsigned char *objects = malloc((size_t)BATCH * CHAN_BYTES_MOST);
    rt->looks = calloc(BATCH, sizeof(*rt->looks));
    rt->pieces = malloc((size_t)BATCH * sizeof(*rt->pieces));
    bool ok = taskrt_pages_init(&rt->pages, BATCH, rt->table.task_bytes);
    for (int i = 0; i < 2; i++)
        rt->copies[i] = malloc(taskrt_pages_room(&rt->pages));
    ok = ok && stacks && objects && rt->looks && rt->pieces && rt->copies[0] && rt->copies[1] &&
         taskrt_list_init(&rt->list, rt->memory, &rt->table);
    for (size_t i = 0; ok && i < BATCH; i++)
        rt->looks[i].stack = stacks + i * STACK_BYTES;
    image_quiet_begin(&quiet, rt->inspection->image);
    size_t count = 1;
    while (ok && count) {
        bool failed;
        size_t live = 0;
        count = taskrt_list_next(&rt->list, entries, BATCH, &failed);
        ok = !failed;
        for (size_t i = 0; i < count; i++) {
            if (entries[i].state != TASKRT_STATE_FREE && entries[i].state != TASKRT_STATE_ENDED)
                rt->looks[live++].entry = entries[i];
        }
        for (int try = 1; ok && live; try++)
            live = read_batch(rt, live, objects, try == TRIES);
        ok = ok && !rt->failed;
    }
    int64_t quiet_ns = image_quiet_end(&quiet, rt->inspection->image);
    if (ok) {
        mark_workers(rt);
        settle(rt, quiet_ns);
        ok = name_owners(rt);
    }
    if (ok && rt->list.broken)
        builder_doubt(rt->builder, "the list of libtaskrt's tasks could not be followed to its "
                                   "end: there may be more tasks than are told");
    taskrt_list_deinit(&rt->list);
    free(rt->parked);
    free(rt->pieces);
    free(rt->looks);
    free(objects);
    free(stacks);
    free(rt->copies[0]);
    free(rt->copies[1]);
    taskrt_pages_deinit(&rt->pages);
    return ok;
}

bool inspect_taskrt_tell(struct inspection *inspection, const struct taskrt_inspect *table)
{
    struct taskrt *rt = calloc(1, sizeof(*rt));
    if (!rt)
        return false;
    rt->inspection = inspection;
    rt->builder = inspection->builder;
    rt->memory = inspection->image->memory;
    rt->table = *table;
    builder_snapshot(inspection->builder)->runtimes |= REC_RUNTIME_TASKRT;
    bool ok = run(rt);
    free(rt);
    return ok;
}

static bool inspect(struct inspection *inspection, struct err *err)
{
    struct taskrt_inspect table;
    uint32_t version = 0;
    switch (taskrt_find(inspection->image, &table, &version)) {
    case TASKRT_NONE:
        break;
    case TASKRT_UNKNOWN:
        builder_doubt(inspection->builder,
                      "its libtaskrt describes its tasks in version %u, of which only version %u "
                      "is known here, or in a damaged way: they cannot be told",
                      version, TASKRT_INSPECT_VERSION);
        break;
    case TASKRT_FOUND:
        return inspect_taskrt_tell(inspection, &table) ||
               err_system(err, inspection->image->exe, ENOMEM);
    }
    return true;
}

const struct inspector inspect_taskrt = {"taskrt", inspect};
