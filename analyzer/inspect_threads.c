/* The threads of a process, by what the kernel says of them and by their stacks.
 *
 * Every thread is looked at twice: what was read in between is of one moment only where both looks
 * saw it in the same place. Those that moved are looked at again, a few times, and then run. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/inspect.h"
#include "analyzer/table.h"
#include "analyzer/text.h"
#include "analyzer/thread_names.h"
#include "analyzer/thread_stacks.h"
#include "preload/recording.h"

#define ROUNDS 3

/* What is to be told of one thread. */
struct told {
    struct thread_look look;
    struct thread_call call;
    const struct thread_function *function; /* NULL: none is known */
    struct thread_lock lock;                /* of a futex in one of glibc's objects */
    bool is_lock;
    bool has_owner;
    uint32_t owner;
    bool settled;
};

struct teller {
    struct inspection *inspection;
    struct image *image;
    struct thread_names *names;
    struct thread_stacks *stacks;
    struct told *told;
    size_t count;
    struct listed_thread *listed; /* as glibc has them, when the first look was over */
    size_t listed_count;
};

/* ---- Reading ---- */

/* The number of the call that was interrupted and taken up again: where it was first made, the
 * number was put into eax right before (mov $N,%eax; syscall), or a function's name says. */
static int64_t restarted(struct teller *teller, struct told *told)
{
    uint64_t pc = told->look.thread.registers.value[IMAGE_REGISTER_PC];
    unsigned char code[7];
    if (mem_read(teller->image->memory, pc - sizeof(code), code, sizeof(code)) && code[0] == 0xb8 &&
        code[5] == 0x0f && code[6] == 0x05) {
        uint32_t number;
        memcpy(&number, code + 1, sizeof(number));
        return number;
    }
    struct thread_call any = {.op = REC_OP_FUTEX_WAIT};
    static const enum rec_op ops[] = {REC_OP_FUTEX_WAIT, REC_OP_SLEEP, REC_OP_IO_WAIT};
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        any.op = ops[i];
        const struct thread_function *function =
            thread_names_parked_in(teller->names, told->look.pcs, told->look.pc_count, &any);
        if (function)
            return thread_call_restarted(function);
    }
    return -1;
}

/* What the futex that it waits for is a part of. */
static void find_lock(struct teller *teller, struct told *told)
{
    const uint64_t *args = told->look.thread.args;
    struct mem_reader *memory = teller->image->memory;
    enum rec_op op = told->function ? told->function->op : REC_OP_NONE;
    if (!thread_names_are_glibc(teller->names))
        return;
    if (op == REC_OP_NONE && !told->function && thread_lock_is_mutex(args, memory)) {
        told->function = thread_function_find("pthread_mutex_lock");
        op = REC_OP_MUTEX_LOCK;
    }
    if (op == REC_OP_NONE)
        return;
    told->is_lock = true;
    thread_lock_find(op, args, &told->lock);
    told->has_owner = thread_lock_owner(told->lock.op, told->lock.object, memory, &told->owner);

    uint64_t offset = thread_names_layout(teller->names).tid;
    if (told->lock.joined_word && offset &&
        thread_is_descriptor(told->lock.joined_word - offset, memory))
        told->lock.object = told->lock.joined_word - offset;
}

static void read_call(struct teller *teller, struct told *told)
{
    const struct image_thread *thread = &told->look.thread;
    int64_t number = thread->call;
    bool again = number == THREAD_CALL_RESTART;
    if (again && (number = restarted(teller, told)) < 0)
        number = THREAD_CALL_RESTART;
    thread_call_read(number, thread->args, teller->image->memory, &told->call);
    told->function =
        thread_names_parked_in(teller->names, told->look.pcs, told->look.pc_count, &told->call);
    if (number == THREAD_CALL_FUTEX && told->call.op == REC_OP_FUTEX_WAIT)
        find_lock(teller, told);
}

/* Reads the threads of `told` that are given. */
static bool read_all(struct teller *teller, struct told *told, size_t count)
{
    struct thread_look *looks = calloc(count + 1, sizeof(*looks));
    if (!looks)
        return false;
    for (size_t i = 0; i < count; i++)
        looks[i] = told[i].look;
    bool ok = thread_stacks_read(teller->stacks, looks, count);
    for (size_t i = 0; i < count; i++)
        told[i].look = looks[i];
    free(looks);
    for (size_t i = 0; ok && i < count; i++) {
        if (told[i].look.thread.parked && !told[i].look.moved)
            read_call(teller, &told[i]);
    }
    return ok;
}

/* ---- The second look ---- */

static bool is_same_place(const struct image_thread *a, const struct image_thread *b)
{
    return a->parked && b->parked && a->call == b->call &&
           memcmp(a->args, b->args, sizeof(a->args)) == 0 &&
           a->registers.value[IMAGE_REGISTER_SP] == b->registers.value[IMAGE_REGISTER_SP] &&
           a->registers.value[IMAGE_REGISTER_PC] == b->registers.value[IMAGE_REGISTER_PC];
}

/* Whether a thread ran between two looks, and parked in the same place again. One that was stopped
 * ran for that; its stack was copied while it stood. */
static bool ran_between(const struct told *told, const struct image_thread *now)
{
    return !told->look.stopped && told->look.thread.switches != now->switches;
}

/* A stop makes the kernel take a call up again, by another number. */
static bool is_taken_up(const struct told *told, const struct image_thread *now)
{
    struct image_thread was = told->look.thread;
    if (!told->look.stopped || now->call != THREAD_CALL_RESTART)
        return false;
    was.call = now->call;
    return is_same_place(&was, now);
}

static bool owner_is_same(struct teller *teller, const struct told *told)
{
    uint32_t owner;
    return !told->has_owner ||
           (thread_lock_owner(told->lock.op, told->lock.object, teller->image->memory, &owner) &&
            owner == told->owner);
}

/* Looks at the first `count` threads again: those that stayed are settled, those that did not are
 * put to the front of the array as they are now, for another round. Returns how many. */
static size_t look_again(struct teller *teller, size_t count)
{
    struct image *image = teller->image;
    size_t moved = 0;
    for (size_t i = 0; i < count && image->functions->look; i++) {
        struct told *told = &teller->told[i];
        struct image_thread now = told->look.thread;
        if (!image->functions->look(image, &now)) {
            thread_look_deinit(&told->look);
            told->look.thread.ended = true;
            continue;
        }
        if (!told->look.thread.parked && !now.parked)
            continue;
        told->settled = !told->look.moved && owner_is_same(teller, told) &&
                        (is_same_place(&told->look.thread, &now) || is_taken_up(told, &now)) &&
                        !ran_between(told, &now);
        if (told->settled)
            continue;
        thread_look_deinit(&told->look);
        now.parked_ns = now.parked ? 0 : -1; /* no longer than since the look before */
        *told = teller->told[moved];
        teller->told[moved++] = (struct told){.look = {.thread = now}};
    }
    return moved;
}

/* Those that do not stand still run. */
static void give_up(struct teller *teller, size_t moved)
{
    for (size_t i = 0; i < moved; i++) {
        thread_look_deinit(&teller->told[i].look);
        teller->told[i].look.thread.parked = false;
    }
}

static bool read_threads(struct teller *teller)
{
    size_t count = teller->count;
    for (int round = 0; count && round < ROUNDS; round++) {
        if (!read_all(teller, teller->told, count))
            return false;
        count = look_again(teller, count);
    }
    give_up(teller, count);
    return true;
}

/* ---- Telling ---- */

static const char *call_name(const struct told *told, char to[32])
{
    if (told->function)
        return told->function->name;
    if (told->call.name)
        return told->call.name;
    snprintf(to, 32, "system call %lld", (long long)told->look.thread.call);
    return to;
}

static void tell_object(struct teller *teller, const struct told *told, struct snapshot_task *task)
{
    struct image *image = teller->image;
    char text[256];
    bool listening = false;
    if (told->is_lock) {
        task->object = told->lock.object;
        if (told->has_owner) {
            task->detail_a = told->owner;
            task->detail_flags |= REC_DETAIL_OWNER;
        }
        return;
    }
    task->object = told->call.object;
    if (told->call.fds) {
        task->flags |= SNAPSHOT_FDS;
        task->arg = told->call.arg;
    }
    if (snapshot_op_object(told->call.op) == REC_OBJECT_FD &&
        (!told->call.fds || told->call.arg > 0) && image->functions->describe_fd &&
        image->functions->describe_fd(image, (int)task->object, text, sizeof(text), &listening)) {
        task->object_text = builder_add_object_text(teller->inspection->builder, text);
        if (listening)
            task->detail_flags |= REC_DETAIL_LISTENING;
    }
}

static void tell_wait(struct teller *teller, const struct told *told, struct snapshot_task *task)
{
    struct snapshot_builder *builder = teller->inspection->builder;
    const struct thread_look *look = &told->look;
    char name[32];
    enum rec_op op = told->call.op;
    if (told->is_lock)
        op = told->lock.op;
    else if (told->function && told->function->op != REC_OP_NONE)
        op = told->function->op;
    task->flags |= SNAPSHOT_PARKED;
    if (told->settled || !teller->image->live)
        task->flags |= SNAPSHOT_SETTLED;
    if (told->call.deadline)
        task->flags |= SNAPSHOT_DEADLINE;
    task->wait_number = (uint32_t)look->thread.switches;
    task->parked_ns = look->thread.parked_ns;
    if (task->parked_ns >= 0)
        task->flags |= SNAPSHOT_AT_LEAST;
    task->call = builder_add_call(builder, call_name(told, name), op, false);
    task->wait_site = builder_add_site(builder, look->pcs, look->pc_count, look->flags);
    tell_object(teller, told, task);
}

/* Where it began: the function that it was started with, or else, the outermost frame that is not
 * of the C library. */
static uint32_t start_site(struct teller *teller, const struct told *told)
{
    const struct thread_look *look = &told->look;
    uint64_t pc = look->start_routine ? look->start_routine + 1 : 0;
    if (pc == 0 && look->pc_count && look->flags == 0) {
        size_t outer = thread_names_outermost(teller->names, look->pcs, look->pc_count);
        if (outer > 0 && outer < look->pc_count)
            pc = look->pcs[look->pc_count - 1 - outer];
    }
    return pc ? builder_add_site(teller->inspection->builder, &pc, 1, SNAPSHOT_SITE_START) : 0;
}

/* Numbers that no other task of the snapshot has: the kernel's, or from `*next` on. */
static bool find_taken(struct teller *teller, struct table *ret, uint64_t *ret_next)
{
    const struct snapshot *snapshot = builder_snapshot(teller->inspection->builder);
    *ret_next = 1;
    for (size_t i = 0; i < teller->count; i++) {
        uint64_t tid = teller->told[i].look.thread.tid;
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

static bool tell_thread(struct teller *teller, const struct told *told, uint64_t id)
{
    const struct image_thread *thread = &told->look.thread;
    if (thread->ended)
        return true;
    struct snapshot_task *task = builder_add_task(teller->inspection->builder);
    if (!task)
        return false;
    task->id = id;
    task->kind = REC_KIND_THREAD;
    task->os_tid = thread->tid;
    task->handle = told->look.descriptor;
    memcpy(task->name, thread->name, sizeof(task->name));
    if (thread->first)
        task->flags |= SNAPSHOT_MAIN;
    if (thread->runtime)
        task->flags |= SNAPSHOT_SYSTEM;
    if (!(task->flags & SNAPSHOT_MAIN))
        task->spawn_site = start_site(teller, told);
    if (thread->parked)
        tell_wait(teller, told, task);
    return true;
}

/* Joinable threads that have ended: those that glibc has on its list still after the second look.
 */
static bool tell_ended(struct teller *teller)
{
    const struct thread_list_layout layout = thread_names_list(teller->names);
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
        uint64_t pc = thread->start_routine + 1;
        task->id = task->handle = thread->descriptor;
        task->kind = REC_KIND_THREAD;
        task->flags = SNAPSHOT_FINISHED | SNAPSHOT_JOINABLE;
        task->spawn_site =
            builder_add_site(teller->inspection->builder, &pc, 1, SNAPSHOT_SITE_START);
    }
    table_deinit(&ended);
    return ok;
}

/* A thread that is joined has the handle that the join names. */
static void tell_joins(struct teller *teller, size_t first)
{
    struct snapshot *snapshot = builder_snapshot(teller->inspection->builder);
    for (size_t i = 0; i < teller->count; i++) {
        const struct told *told = &teller->told[i];
        if (!told->is_lock || told->lock.op != REC_OP_THREAD_JOIN || !told->lock.object)
            continue;
        size_t low = first, high = snapshot->task_count; /* they are sorted by the kernel's id */
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (snapshot->tasks[middle].os_tid < told->lock.joined)
                low = middle + 1;
            else
                high = middle;
        }
        if (low < snapshot->task_count && snapshot->tasks[low].os_tid == told->lock.joined)
            snapshot->tasks[low].handle = told->lock.object;
    }
}

static void tell_about_stacks(const struct teller *teller)
{
    const struct image *image = teller->image;
    struct snapshot_builder *builder = teller->inspection->builder;
    size_t refused = 0, broken = 0;
    char pause[32];
    for (size_t i = 0; i < teller->count; i++) {
        const struct thread_look *look = &teller->told[i].look;
        /* What a runtime's own threads do is told by its tasks. */
        bool is_broken =
            look->thread.parked && !look->thread.runtime && (look->flags & REC_SITE_BROKEN);
        refused += is_broken && look->refused;
        broken += is_broken && !look->refused;
    }
    if (image->pauses)
        builder_note(
            builder, "%llu %s stopped for a moment, each for itself, to read %s: for %s at most",
            (unsigned long long)image->pauses, image->pauses == 1 ? "thread was" : "threads were",
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

static int compare_told(const void *a, const void *b)
{
    const struct told *left = a, *right = b;
    return (left->look.thread.tid > right->look.thread.tid) -
           (left->look.thread.tid < right->look.thread.tid);
}

static bool tell_all(struct teller *teller)
{
    struct snapshot *snapshot = builder_snapshot(teller->inspection->builder);
    size_t first = snapshot->task_count;
    struct table taken;
    uint64_t next;
    if (!table_init(&taken, teller->count))
        return false;
    bool ok = find_taken(teller, &taken, &next);
    qsort(teller->told, teller->count, sizeof(*teller->told), compare_told);
    for (size_t i = 0; ok && i < teller->count; i++) {
        uint64_t tid = teller->told[i].look.thread.tid;
        const uint32_t *value = table_find(&taken, (struct table_key){tid, 1});
        ok = tell_thread(teller, &teller->told[i], value && *value ? next++ : tid);
    }
    table_deinit(&taken);
    if (ok) {
        tell_joins(teller, first);
        ok = tell_ended(teller);
        tell_about_stacks(teller);
        snapshot->runtimes |= REC_RUNTIME_PTHREAD;
    }
    return ok;
}

static bool inspect(struct inspection *inspection, struct err *err)
{
    struct image *image = inspection->image;
    struct teller teller = {.inspection = inspection, .image = image, .count = image->thread_count};
    teller.told = calloc(teller.count + 1, sizeof(*teller.told));
    teller.names = thread_names_create(image);
    struct debug_unwind *unwind = inspection_unwind(inspection);
    if (teller.names && unwind)
        teller.stacks = thread_stacks_create(image, unwind, thread_names_layout(teller.names));
    bool ok = teller.told && teller.stacks;
    if (ok) {
        for (size_t i = 0; i < teller.count; i++)
            teller.told[i].look.thread = image->threads[i];
        const struct thread_list_layout layout = thread_names_list(teller.names);
        teller.listed_count = thread_list_read(&layout, image->memory, &teller.listed);
        ok = read_threads(&teller) && tell_all(&teller);
    }
    if (!ok)
        err_system(err, image->exe, ENOMEM);
    for (size_t i = 0; teller.told && i < teller.count; i++)
        thread_look_deinit(&teller.told[i].look);
    free(teller.told);
    free(teller.listed);
    thread_stacks_destroy(teller.stacks);
    thread_names_destroy(teller.names);
    return ok;
}

const struct inspector inspect_threads = {"threads", inspect};
