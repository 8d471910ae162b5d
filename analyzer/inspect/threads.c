/* The threads of a process: thread_waits.c reads what they wait for. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "analyzer/base/table.h"
#include "analyzer/base/text.h"
#include "analyzer/inspect/inspect.h"
#include "analyzer/inspect/thread_cycles.h"
#include "analyzer/inspect/thread_waits.h"
#include "preload/recording.h"

struct teller {
    struct inspection *inspection;
    struct image *image;
    struct c_library *libc;
    struct preloaded preloaded;
    struct thread_waits waits;
    struct listed_thread *listed; /* as glibc has them, when the first look was over */
    size_t listed_count;
};

static const char *call_name(const struct thread_wait *wait, char to[32])
{
    if (wait->function)
        return wait->function->name;
    if (wait->call.name)
        return wait->call.name;
    snprintf(to, 32, "system call %lld", (long long)wait->look.thread.call);
    return to;
}

/* What its descriptor is. A blocked call keeps its file, so a thread goes on waiting after another
 * one closed the descriptor. */
static bool describe_fd(struct image *image, const struct thread_wait *wait, char *to, size_t bytes,
                        bool *ret_listening)
{
    const struct image_thread *thread = &wait->look.thread;
    struct image_thread now = *thread;
    int fd = (int)wait->call.object;
    if (!image->functions->describe_fd)
        return false;
    if (image->functions->describe_fd(image, thread->host_tid, fd, to, bytes, ret_listening))
        return true;
    if (errno != ENOENT || fd < 0 || !wait->settled || !image->functions->look(image, &now) ||
        !image_thread_is_parked_alike(thread, &now) || now.switches != thread->switches)
        return false;
    snprintf(to, bytes, "closed meanwhile");
    return true;
}

/* Readers leave their number in the lock, and no names. */
static void tell_readers(struct teller *teller, const struct thread_wait *wait,
                         struct snapshot_task *task)
{
    if (wait->readers == 0 || (wait->has_owner && wait->owner != 0))
        return;
    builder_extra(teller->inspection->builder, task)->object_text =
        builder_add_readers_text(teller->inspection->builder, wait->readers);
}

static void tell_object(struct teller *teller, const struct thread_wait *wait,
                        struct snapshot_task *task)
{
    struct image *image = teller->image;
    char text[256];
    bool listening = false;
    if (wait->is_lock) {
        task->object = wait->lock.object;
        if (wait->has_owner) {
            task->detail_a = wait->owner;
            task->detail_flags |= REC_DETAIL_OWNER;
        }
        tell_readers(teller, wait, task);
        return;
    }
    task->object = image_waited(image, wait->look.thread.host_tid, &wait->call);
    if (wait->call.fds) {
        task->flags |= SNAPSHOT_FDS;
        builder_extra(teller->inspection->builder, task)->arg = wait->call.arg;
    }
    if (snapshot_op_object(wait->call.op) == REC_OBJECT_FD &&
        (!wait->call.fds || wait->call.arg > 0) &&
        describe_fd(image, wait, text, sizeof(text), &listening)) {
        builder_extra(teller->inspection->builder, task)->object_text =
            builder_add_object_text(teller->inspection->builder, text);
        if (listening)
            task->detail_flags |= REC_DETAIL_LISTENING;
    }
    if (image_times_out(image, wait->look.thread.host_tid, &wait->call))
        task->flags |= SNAPSHOT_DEADLINE;
    if (image_polls_connection(image, wait->look.thread.host_tid, &wait->call))
        task->detail_flags |= REC_DETAIL_CONNECTED;
}

static void tell_wait(struct teller *teller, const struct thread_wait *wait,
                      struct snapshot_task *task)
{
    struct snapshot_builder *builder = teller->inspection->builder;
    const struct thread_look *look = &wait->look;
    char name[32];
    enum rec_op op = wait->call.op;
    if (wait->is_lock)
        op = wait->lock.op;
    else if (wait->function && wait->function->op != REC_OP_NONE)
        op = wait->function->op;
    task->flags |= SNAPSHOT_PARKED;
    if (wait->settled || !teller->image->live)
        task->flags |= SNAPSHOT_SETTLED;
    if (wait->call.deadline)
        task->flags |= SNAPSHOT_DEADLINE;
    task->wait_number = (uint32_t)(look->remembered ? look->first_switches : look->thread.switches);
    task->parked_ns = look->thread.parked_ns;
    if (task->parked_ns >= 0)
        task->flags |= SNAPSHOT_AT_LEAST;
    /* Whoever needs to be stopped may have been stopped before, by another report. */
    if (look->stopped || look->remembered || look->thread.call == SYS_restart_syscall)
        task->flags |= SNAPSHOT_INTERRUPTED;
    task->call = builder_add_call(builder, call_name(wait, name), op, false);
    task->wait_site = builder_add_site(builder, look->pcs, look->pc_count, look->flags);
    tell_object(teller, wait, task);
}

/* The site of the function that a thread was started with; 0: not known. Under the preload library,
 * the C library knows only the function of that, which calls the program's. */
static uint32_t start_site(struct teller *teller, uint64_t start_routine)
{
    uint64_t pc = start_routine + 1;
    if (start_routine == 0 || preloaded_is_code(&teller->preloaded, teller->image, start_routine))
        return 0;
    return builder_add_site(teller->inspection->builder, &pc, 1, SNAPSHOT_SITE_START);
}

/* The same by its stack: the outermost frame that is neither of the C library nor of the preload
 * library. Two functions of the C library begin a thread, one a context (makecontext), whose own
 * function is not what the thread began in. */
static uint32_t outermost_site(struct teller *teller, const struct thread_look *look)
{
    if (look->pc_count == 0 || look->flags != 0)
        return 0;
    size_t outer = c_library_outermost(teller->libc, look->pcs, look->pc_count);
    if (outer < 2)
        return 0;
    const uint64_t *pc = look->pcs + look->pc_count - outer;
    while (pc > look->pcs && preloaded_is_code(&teller->preloaded, teller->image, pc[-1] - 1))
        pc--;
    return pc > look->pcs
               ? builder_add_site(teller->inspection->builder, pc - 1, 1, SNAPSHOT_SITE_START)
               : 0;
}

/* Fills *ret with the kernel's ids of all threads; the value is 1 where another task of the
 * snapshot has that number already. *ret_next: above all of them; threads whose id is taken are
 * numbered from there. */
static bool find_taken(struct teller *teller, struct table *ret, uint64_t *ret_next)
{
    const struct snapshot *snapshot = builder_snapshot(teller->inspection->builder);
    *ret_next = 1;
    for (size_t i = 0; i < teller->waits.count; i++) {
        uint64_t tid = teller->waits.rows[i].look.thread.tid;
        if (!table_at(ret, (struct table_key){tid, 1}))
            return false;
        *ret_next = tid >= *ret_next ? tid + 1 : *ret_next;
    }
    for (size_t i = 0; i < snapshot->task_count; i++) {
        uint64_t id = snapshot->tasks[i].id;
        uint32_t *value = table_find(ret, (struct table_key){id, 1});
        if (value)
            *value = 1;
        *ret_next = id >= *ret_next ? id + 1 : *ret_next;
    }
    return true;
}

static bool tell_thread(struct teller *teller, const struct thread_wait *wait, uint64_t id)
{
    const struct image_thread *thread = &wait->look.thread;
    if (thread->ended)
        return true;
    struct snapshot_task *task = builder_add_task(teller->inspection->builder);
    if (!task)
        return false;
    task->id = id;
    task->kind = REC_KIND_THREAD;
    task->handle = wait->look.descriptor;
    struct snapshot_extra *extra = builder_extra(teller->inspection->builder, task);
    extra->os_tid = thread->tid;
    memcpy(extra->name, thread->name, sizeof(thread->name));
    if (thread->first)
        task->flags |= SNAPSHOT_MAIN;
    if (thread->runtime)
        task->flags |= SNAPSHOT_SYSTEM;
    if (thread->runtime &&
        !snapshot_add_worker(builder_snapshot(teller->inspection->builder), thread->tid))
        return false;
    if (!thread->first)
        task->spawn_site = start_site(teller, wait->look.start_routine);
    if (!thread->first && task->spawn_site == 0)
        task->spawn_site = outermost_site(teller, &wait->look);
    if (thread->parked)
        tell_wait(teller, wait, task);
    return true;
}

/* Joinable threads that have ended: those that glibc has on its list still after the second look.
 */
static bool tell_ended(struct teller *teller)
{
    const struct thread_list_layout layout = c_library_thread_list(teller->libc);
    struct listed_thread *now;
    bool any = false;
    for (size_t i = 0; i < teller->listed_count; i++)
        any = any || teller->listed[i].tid == 0;
    if (!any)
        return true;
    size_t count = thread_list_read(&layout, teller->image->memory, &now);
    struct table ended;
    bool ok = table_init(&ended, 64);
    for (size_t i = 0; ok && i < count; i++) {
        if (now[i].tid == 0)
            ok = table_at(&ended, (struct table_key){now[i].descriptor, now[i].start_routine | 1});
    }
    free(now);
    for (size_t i = 0; ok && i < teller->listed_count; i++) {
        const struct listed_thread *thread = &teller->listed[i];
        struct table_key key = {thread->descriptor, thread->start_routine | 1};
        const struct image_mapping *code = image_mapping_at(teller->image, thread->start_routine);
        if (thread->tid != 0 || !table_find(&ended, key) || !code || !code->executable)
            continue; /* the first thread, which began in no such function, is nobody's to join */
        struct snapshot_task *task = builder_add_task(teller->inspection->builder);
        if (!task) {
            ok = false;
            break;
        }
        task->id = task->handle = thread->descriptor;
        task->kind = REC_KIND_THREAD;
        task->flags = SNAPSHOT_FINISHED | SNAPSHOT_JOINABLE;
        task->spawn_site = start_site(teller, thread->start_routine);
    }
    table_deinit(&ended);
    return ok;
}

static uint32_t tid_of(const struct snapshot *snapshot, size_t task)
{
    return snapshot_extra(snapshot, &snapshot->tasks[task])->os_tid;
}

/* A thread that is joined has the handle that the join names. */
static void tell_joins(struct teller *teller, size_t first)
{
    struct snapshot *snapshot = builder_snapshot(teller->inspection->builder);
    for (size_t i = 0; i < teller->waits.count; i++) {
        const struct thread_wait *wait = &teller->waits.rows[i];
        if (!wait->is_lock || wait->lock.op != REC_OP_THREAD_JOIN || !wait->lock.object)
            continue;
        size_t low = first, high = snapshot->task_count; /* they are sorted by the kernel's id */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (tid_of(snapshot, middle) < wait->lock.joined)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < snapshot->task_count && tid_of(snapshot, low) == wait->lock.joined)
            snapshot->tasks[low].handle = wait->lock.object;
    }
}

static void tell_about_stacks(const struct teller *teller)
{
    const struct image *image = teller->image;
    struct snapshot_builder *builder = teller->inspection->builder;
    size_t refused = 0, broken = 0;
    char pause[32];
    for (size_t i = 0; i < teller->waits.count; i++) {
        const struct thread_look *look = &teller->waits.rows[i].look;
        /* What a runtime's own threads do is told by its tasks. */
        bool is_broken =
            look->thread.parked && !look->thread.runtime && (look->flags & REC_SITE_BROKEN);
        refused += is_broken && look->refused;
        broken += is_broken && !look->refused;
    }
    if (image->pauses)
        builder_note(builder, "%llu %s stopped for a moment%s to read %s: for %s at most",
                     (unsigned long long)image->pauses,
                     image->pauses == 1 ? "thread was" : "threads were",
                     image->pauses == 1 ? "" : ", each for itself,",
                     image->pauses == 1 ? "its stack" : "their stacks",
                     text_duration((int64_t)image->longest_pause_ns, pause));
    if (refused)
        builder_note(builder,
                     "the %s of %zu %s early: the rest needs registers, and to stop %s for them "
                     "could disturb the system call that it is in",
                     refused == 1 ? "stack" : "stacks", refused,
                     refused == 1 ? "thread ends" : "threads end",
                     refused == 1 ? "it" : "one of them");
    if (broken)
        builder_note(builder,
                     "the %s of %zu %s early: nothing says how to get from the last frame shown "
                     "to its caller",
                     broken == 1 ? "stack" : "stacks", broken,
                     broken == 1 ? "thread ends" : "threads end");
}

static int compare_tids(const void *a, const void *b)
{
    const struct thread_wait *left = a, *right = b;
    return (left->look.thread.tid > right->look.thread.tid) -
           (left->look.thread.tid < right->look.thread.tid);
}

static bool tell_all(struct teller *teller)
{
    struct snapshot *snapshot = builder_snapshot(teller->inspection->builder);
    size_t first = snapshot->task_count;
    struct table taken;
    uint64_t next;
    if (!table_init(&taken, teller->waits.count))
        return false;
    bool ok = find_taken(teller, &taken, &next);
    qsort(teller->waits.rows, teller->waits.count, sizeof(*teller->waits.rows), compare_tids);
    for (size_t i = 0; ok && i < teller->waits.count; i++) {
        uint64_t tid = teller->waits.rows[i].look.thread.tid;
        const uint32_t *value = table_find(&taken, (struct table_key){tid, 1});
        ok = tell_thread(teller, &teller->waits.rows[i], value && *value ? next++ : tid);
    }
    table_deinit(&taken);
    if (ok) {
        tell_joins(teller, first);
        if (teller->image->functions->look)
            ok = thread_cycles_prove(&teller->waits, snapshot, first);
        ok = ok && tell_ended(teller);
        tell_about_stacks(teller);
        snapshot->runtimes |= REC_RUNTIME_PTHREAD;
    }
    return ok;
}

static bool inspect(struct inspection *inspection, struct err *err)
{
    struct image *image = inspection->image;
    struct teller teller = {.inspection = inspection, .image = image};
    struct thread_stacks *stacks = NULL;
    teller.libc = inspection_c_library(inspection);
    struct debug_unwind *unwind = inspection_unwind(inspection);
    if (teller.libc && unwind)
        stacks = thread_stacks_create(image, unwind, c_library_layout(teller.libc));
    preloaded_find(&teller.preloaded, image);
    bool ok =
        stacks && thread_waits_init(&teller.waits, image, teller.libc, &teller.preloaded, stacks);
    if (ok) {
        const struct thread_list_layout layout = c_library_thread_list(teller.libc);
        teller.listed_count = thread_list_read(&layout, image->memory, &teller.listed);
        ok = thread_waits_read(&teller.waits) && tell_all(&teller);
    }
    if (!ok)
        err_system(err, image->exe, ENOMEM);
    thread_waits_deinit(&teller.waits);
    free(teller.listed);
    thread_stacks_destroy(stacks);
    return ok;
}

const struct inspector inspect_threads = {"threads", inspect};
