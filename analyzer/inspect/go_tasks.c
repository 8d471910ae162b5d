#include "analyzer/inspect/go_tasks.h"

#include <stdlib.h>

#include "analyzer/base/rows.h"
#include "analyzer/image/kept_stacks.h"
#include "analyzer/inspect/thread_calls.h"
#include "preload/goscan/g.h"

#define MAX_DESCRIBED 4096    /* descriptors that the system is asked about */
#define MAX_LABEL_SETS 100000 /* that are read; tasks mostly share theirs */
#define CHECKED_AT_ONCE 256   /* goroutines */
#define LABEL_BYTES 256       /* of a key or a value; longer ones are cut */

const char go_tasks_timers_unknown[] =
    "not all timers could be read: a goroutine that waits for one may be told without its "
    "deadline";

bool go_tasks_init(struct go_tasks *tasks, struct snapshot_builder *builder, struct image *image,
                   const struct go_reason *reasons, uint32_t reason_count)
{
    *tasks = (struct go_tasks){
        .builder = builder,
        .reasons = reasons,
        .reason_count = reason_count,
        .image = image,
        .first_task = builder_snapshot(builder)->task_count,
    };
    if (!table_init(&tasks->thread_of, image->thread_count))
        return false;
    for (size_t i = 0; i < image->thread_count; i++) {
        uint32_t *row = table_at(&tasks->thread_of, (struct table_key){image->threads[i].tid, 0});
        if (!row)
            return false;
        *row = (uint32_t)i + 1;
    }
    return true;
}

void go_tasks_deinit(struct go_tasks *tasks)
{
    table_deinit(&tasks->thread_of);
    free(tasks->labelled);
    *tasks = (struct go_tasks){0};
}

static const struct image_thread *thread_of(const struct go_tasks *tasks, uint32_t tid)
{
    const uint32_t *row = tid ? table_find(&tasks->thread_of, (struct table_key){tid, 0}) : NULL;
    return row ? &tasks->image->threads[*row - 1] : NULL;
}

/* Whether a goroutine's thread is parked, and has been since the threads were read: what was read
 * of the goroutine since belongs to its call. */
static bool is_in_call(const struct go_tasks *tasks, const struct go_goroutine *it,
                       const struct image_thread *thread)
{
    struct image *image = tasks->image;
    if (it->moved || !thread || !thread->parked)
        return false;
    if (!image->functions || !image->functions->look)
        return true; /* of a core, all was read at one moment */
    struct image_thread now = *thread;
    return image->functions->look(image, &now) && image_thread_is_parked_alike(&now, thread) &&
           (thread->switches == 0 || now.switches == thread->switches);
}

/* The row of a wait reason that is understood as `op`. */
static uint32_t call_of(struct go_tasks *tasks, const struct go_goroutine *it)
{
    static const char unknown[] = "unknown wait reason";
    if (it->reason >= tasks->reason_count || it->reason >= GO_MAX_REASONS || it->op >= REC_OP_COUNT)
        return builder_add_call(tasks->builder, unknown, REC_OP_NONE, true);
    uint32_t *row = &tasks->calls[it->reason][it->op];
    if (*row == 0)
        *row = builder_add_call(tasks->builder, tasks->reasons[it->reason].text,
                                (enum rec_op)it->op, true);
    return *row;
}

static uint16_t channel_flags(const struct go_channel *channel)
{
    return (uint16_t)((channel->known ? REC_DETAIL_CHANNEL : 0) |
                      (channel->known && channel->closed ? REC_DETAIL_CLOSED : 0));
}

static void take_channel(const struct go_channel *channel, struct snapshot_task *task)
{
    task->object = channel->address;
    task->detail_flags = channel_flags(channel);
    if (channel->known) {
        task->detail_a = rec_saturate(channel->capacity);
        task->detail_b = rec_saturate(channel->length);
    }
}

static void take_cases(struct go_tasks *tasks, const struct go_goroutine *it,
                       struct snapshot_task *task)
{
    struct snapshot_case cases[GO_MAX_CASES];
    uint32_t count = it->case_count < GO_MAX_CASES ? it->case_count : GO_MAX_CASES;
    for (uint32_t i = 0; i < count; i++) {
        const struct go_channel *channel = &it->cases[i].channel;
        cases[i] = (struct snapshot_case){
            .object = channel->address,
            .capacity = rec_saturate(channel->capacity),
            .length = rec_saturate(channel->length),
            .op = it->cases[i].send ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE,
            .detail_flags = channel_flags(channel),
        };
    }
    uint32_t first = builder_add_cases(tasks->builder, cases, count);
    uint32_t given = goscan_case_numbers(it);
    if (first || given) {
        struct snapshot_extra *extra = builder_extra(tasks->builder, task);
        extra->case_first = first;
        extra->case_count = first ? (uint16_t)count : 0;
        extra->arg = given;
    }
    task->flags |= SNAPSHOT_CASES_KNOWN;
}

static uint32_t spawn_site_of(struct go_tasks *tasks, const struct go_goroutine *it)
{
    uint32_t count;
    bool cut;
    const uint64_t *pcs = goscan_spawn_pcs(it, &count, &cut);
    return pcs ? builder_add_site(tasks->builder, pcs, count, cut ? REC_SITE_CUT : 0) : 0;
}

static uint32_t wait_site_of(struct go_tasks *tasks, const struct go_goroutine *it)
{
    if (!it->stack || it->stack->count == 0) {
        tasks->stacks_lost++;
        return 0;
    }
    return builder_add_site(tasks->builder, it->stack->pcs, it->stack->count,
                            (uint16_t)((it->stack->cut ? REC_SITE_CUT : 0) |
                                       (it->stack->broken ? REC_SITE_BROKEN : 0)));
}

static void add_labelled(struct go_tasks *tasks, uint64_t address)
{
    if (!rows_grow(&tasks->labelled, tasks->labelled_count, sizeof(*tasks->labelled))) {
        tasks->failed = true;
        return;
    }
    tasks->labelled[tasks->labelled_count++] = (struct go_labelled){
        builder_snapshot(tasks->builder)->task_count - 1,
        address,
    };
}

/* What a descriptor is: of a thread in a system call, or (0) of the process. */
static void describe(struct go_tasks *tasks, uint32_t tid, struct snapshot_task *task)
{
    struct image *image = tasks->image;
    char text[256];
    bool listening = false;
    task->flags |= SNAPSHOT_OBJECT_KNOWN;
    if (!image->functions || !image->functions->describe_fd || tasks->described == MAX_DESCRIBED ||
        task->object > INT32_MAX)
        return;
    tasks->described++;
    if (!image->functions->describe_fd(image, tid, (int)task->object, text, sizeof(text),
                                       &listening))
        return;
    builder_extra(tasks->builder, task)->object_text =
        builder_add_object_text(tasks->builder, text);
    if (listening)
        task->detail_flags |= REC_DETAIL_LISTENING;
}

static void take_words(const struct go_lock_words *words, struct snapshot_task *task)
{
    if (!words->known)
        return;
    task->detail_flags |= REC_DETAIL_LOCK_WORDS;
    task->detail_a = (uint32_t)words->state;
    task->detail_b = (uint32_t)words->leaving;
}

/* A goroutine that the scheduler parked. */
static void take_wait(struct go_tasks *tasks, const struct go_goroutine *it,
                      struct snapshot_task *task)
{
    bool known = it->reason < tasks->reason_count && it->reason < GO_MAX_REASONS;
    const struct go_reason *reason = known ? &tasks->reasons[it->reason] : NULL;
    task->flags |= SNAPSHOT_PARKED | SNAPSHOT_SETTLED;
    task->call = call_of(tasks, it);
    task->object = it->object;
    if (snapshot_op_object(it->op) == REC_OBJECT_FD && it->object_known)
        describe(tasks, 0, task);
    if (reason && reason->object == GO_OBJECT_CHANNEL)
        take_channel(&it->channel, task);
    else if (reason && reason->object == GO_OBJECT_SELECT)
        take_cases(tasks, it, task);
    else if (reason && reason->object == GO_OBJECT_SEMAPHORE)
        take_words(&it->words, task);
    if (it->status == G_LEAKED)
        task->detail_flags |= REC_DETAIL_LEAKED;
    if (it->deadline || (reason && reason->deadline))
        task->flags |= SNAPSHOT_DEADLINE;
    if (reason && reason->idle)
        task->flags |= SNAPSHOT_SYSTEM;
}

/* By which another look knows the call again: the runtime's number is the same in the next call (Go
 * 1.27), so it is when its thread was switched to and from, in a form that says more than 8 bits.
 */
static uint32_t wait_number_of(const struct image *image, const struct image_thread *thread,
                               uint32_t number)
{
    const struct kept_stack *kept = image->kept ? kept_stacks_find(image->kept, thread) : NULL;
    uint64_t switches = kept ? kept->switches : thread->switches;
    return switches ? 0x80000000U | (uint32_t)switches : number;
}

/* A goroutine in a system call: parked where its thread is. Where it is in C code, the thread is
 * told with its own stack as well. */
static void take_system_call(struct go_tasks *tasks, const struct image_thread *thread,
                             struct snapshot_task *task)
{
    struct thread_call call;
    thread_call_read(thread->call, thread->args, tasks->image->memory, &call);
    task->flags |= (uint16_t)(SNAPSHOT_PARKED | (call.fds ? SNAPSHOT_FDS : 0) |
                              (call.deadline ? SNAPSHOT_DEADLINE : 0));
    task->call =
        builder_add_call_as(tasks->builder, call.name ? call.name : "syscall", call.op, "syscall");
    task->object = image_waited(tasks->image, thread->host_tid, &call);
    builder_extra(tasks->builder, task)->arg = call.arg;
    task->wait_number = wait_number_of(tasks->image, thread, task->wait_number);
    task->parked_ns = thread->parked_ns;
    if (snapshot_op_object(call.op) == REC_OBJECT_FD && (!call.fds || call.arg > 0))
        describe(tasks, thread->host_tid, task);
    if (image_times_out(tasks->image, thread->host_tid, &call))
        task->flags |= SNAPSHOT_DEADLINE;
}

/* A moment stands in parked_ns, apart from all ages, until go_tasks_date makes an age of it; and
 * back. */
static int64_t as_moment(int64_t ns)
{
    return SNAPSHOT_AGE_UNKNOWN - ns;
}

bool go_tasks_add(const struct go_goroutine *it, void *arg)
{
    struct go_tasks *tasks = arg;
    const struct image_thread *thread =
        it->status == G_SYSCALL ? thread_of(tasks, it->os_tid) : NULL;
    bool in_call = is_in_call(tasks, it, thread);
    bool parked = it->parked && !it->moved;
    uint32_t spawn_site = spawn_site_of(tasks, it);
    uint32_t wait_site = parked || in_call ? wait_site_of(tasks, it) : 0;
    struct snapshot_task *task = builder_add_task(tasks->builder);
    if (!task)
        return false;
    task->id = it->id;
    task->kind = REC_KIND_GOROUTINE;
    task->handle = it->g;
    task->spawner = it->parent_id;
    task->wait_number = it->wait_number ? it->wait_number : SNAPSHOT_WAITS_UNCOUNTED;
    if (it->os_tid) {
        builder_extra(tasks->builder, task)->os_tid = it->os_tid;
        if (!snapshot_add_worker(builder_snapshot(tasks->builder), it->os_tid))
            return false;
    }
    task->spawn_site = spawn_site;
    task->flags =
        (uint16_t)((it->system ? SNAPSHOT_SYSTEM : 0) | (it->locked ? SNAPSHOT_LOCKED : 0));
    if (!parked && !in_call)
        return !tasks->failed;
    task->wait_site = wait_site;
    if (wait_site == 0)
        task->detail_flags |= REC_DETAIL_NO_STACK;
    if (parked)
        take_wait(tasks, it, task);
    else
        take_system_call(tasks, thread, task);
    if (it->waiting_since > 0) {
        task->parked_ns = as_moment(it->waiting_since);
        task->flags |= SNAPSHOT_NOTED;
        if (it->waiting_since > tasks->latest_ns)
            tasks->latest_ns = it->waiting_since;
    }
    if (task->parked_ns != SNAPSHOT_AGE_UNKNOWN)
        task->flags |= SNAPSHOT_AT_LEAST;
    if (it->labels)
        add_labelled(tasks, it->labels);
    return !tasks->failed;
}

void go_tasks_date(struct go_tasks *tasks, int64_t now_ns)
{
    struct snapshot *snapshot = builder_snapshot(tasks->builder);
    for (size_t i = tasks->first_task; i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        if (task->parked_ns >= SNAPSHOT_AGE_UNKNOWN)
            continue;
        int64_t since_ns = as_moment(task->parked_ns);
        task->parked_ns = since_ns < now_ns ? now_ns - since_ns : 0;
    }
}

void go_tasks_were_quiet(struct go_tasks *tasks, int64_t quiet_ns)
{
    struct snapshot *snapshot = builder_snapshot(tasks->builder);
    for (size_t i = tasks->first_task; i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        if (!(task->flags & SNAPSHOT_PARKED) || task->parked_ns >= quiet_ns)
            continue;
        task->parked_ns = quiet_ns;
        task->flags |= SNAPSHOT_AT_LEAST;
        task->flags &= (uint16_t)~SNAPSHOT_NOTED;
    }
}

/* ---- Labels ---- */

static const char *read_text(struct go_tasks *tasks, struct mem_reader *memory,
                             const struct go_text *from)
{
    char text[LABEL_BYTES];
    size_t bytes = from->bytes < sizeof(text) ? (size_t)from->bytes : sizeof(text);
    if (bytes == 0)
        return "";
    return mem_read(memory, from->address, text, bytes) ? builder_text(tasks->builder, text, bytes)
                                                        : NULL;
}

static void drop_labels(struct go_tasks *tasks, struct snapshot_task *task)
{
    if (task->extra)
        builder_extra(tasks->builder, task)->labels = 0;
}

/* Takes labels from tasks that may have run since they were found: then what was read where they
 * were may be something else. */
static void drop_changed(struct go_tasks *tasks, struct mem_reader *memory, uint64_t labels_offset)
{
    struct snapshot_task *all = builder_snapshot(tasks->builder)->tasks;
    for (size_t first = 0; first < tasks->labelled_count; first += CHECKED_AT_ONCE) {
        struct mem_piece pieces[CHECKED_AT_ONCE];
        uint64_t now[CHECKED_AT_ONCE];
        size_t count = tasks->labelled_count - first;
        if (count > CHECKED_AT_ONCE)
            count = CHECKED_AT_ONCE;
        for (size_t i = 0; i < count; i++) {
            uint64_t g = all[tasks->labelled[first + i].task].handle;
            pieces[i] = (struct mem_piece){g + labels_offset, &now[i], sizeof(now[i]), false};
        }
        memory->read(memory, pieces, count);
        for (size_t i = 0; i < count; i++) {
            const struct go_labelled *row = &tasks->labelled[first + i];
            if (!pieces[i].ok || now[i] != row->address)
                drop_labels(tasks, &all[row->task]);
        }
    }
}

/* The row of a set of labels; 0: none can be told. Notes it in `cut_sets` where that is not
 * all. */
static uint32_t add_set(struct go_tasks *tasks, struct mem_reader *memory,
                        const struct go_text texts[2 * GO_MAX_LABELS], size_t found,
                        struct table *cut_sets)
{
    const char *pairs[2 * GO_MAX_LABELS];
    size_t count = 0;
    bool cut = found > GO_MAX_LABELS;
    for (size_t i = 0; i < found && i < GO_MAX_LABELS; i++) {
        const struct go_text *key = &texts[2 * i], *value = key + 1;
        pairs[2 * count] = read_text(tasks, memory, key);
        pairs[2 * count + 1] = read_text(tasks, memory, value);
        bool told = pairs[2 * count] && pairs[2 * count + 1];
        count += told;
        cut |= !told || key->bytes > LABEL_BYTES || value->bytes > LABEL_BYTES;
    }
    uint32_t row = builder_add_labels(tasks->builder, pairs, count);
    uint32_t *is_cut = cut && row ? table_at(cut_sets, (struct table_key){row, 0}) : NULL;
    if (is_cut)
        *is_cut = 1;
    return row;
}

/* What is not told of labels is a loss, once a set that some task has. */
static void count_cut(const struct go_tasks *tasks, const struct table *cut_sets)
{
    struct snapshot *snapshot = builder_snapshot(tasks->builder);
    for (size_t i = 0; cut_sets->count && i < tasks->labelled_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[tasks->labelled[i].task];
        struct table_key key = {snapshot_extra(snapshot, task)->labels, 0};
        uint32_t *is_cut = key.a ? table_find(cut_sets, key) : NULL;
        if (!is_cut)
            continue;
        snapshot->loss.rows += *is_cut;
        *is_cut = 0;
    }
}

void go_tasks_label(struct go_tasks *tasks,
                    size_t (*read)(void *arg, uint64_t labels,
                                   struct go_text pairs[2 * GO_MAX_LABELS]),
                    void *arg, struct mem_reader *memory, uint64_t labels_offset)
{
    struct snapshot *snapshot = builder_snapshot(tasks->builder);
    struct table known;    /* by address of labels: row of label_sets + 1 */
    struct table cut_sets; /* by row of label_sets: 1 */
    size_t unread = 0;
    if (!table_init(&known, 64) || !table_init(&cut_sets, 16)) {
        table_deinit(&known);
        tasks->failed = true;
        return;
    }
    for (size_t i = 0; i < tasks->labelled_count && !tasks->failed; i++) {
        struct table_key key = {tasks->labelled[i].address, 0};
        uint32_t *row = table_find(&known, key);
        if (!row && known.count >= MAX_LABEL_SETS) {
            unread++;
            continue;
        }
        if (!row) {
            struct go_text texts[2 * GO_MAX_LABELS];
            size_t found = read(arg, key.a, texts);
            row = table_at(&known, key);
            if (!row) {
                tasks->failed = true;
                break;
            }
            *row = add_set(tasks, memory, texts, found, &cut_sets) + 1;
        }
        if (*row > 1)
            builder_extra(tasks->builder, &snapshot->tasks[tasks->labelled[i].task])->labels =
                *row - 1;
    }
    table_deinit(&known);
    drop_changed(tasks, memory, labels_offset);
    count_cut(tasks, &cut_sets);
    table_deinit(&cut_sets);
    if (unread)
        builder_note(
            tasks->builder,
            "the labels of %zu goroutines were not read: there are more than %d different sets",
            unread, MAX_LABEL_SETS);
}
