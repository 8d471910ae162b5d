#include "analyzer/inspect/thread_waits.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#include "analyzer/base/clock.h"
#include "analyzer/image/kept_stacks.h"

#define ROUNDS 3
/* How long a stopped thread may take to get back to its call. */
#define BACK_NS UINT64_C(50000000)

bool thread_waits_init(struct thread_waits *ret, struct image *image, struct c_library *libc,
                       const struct preloaded *preloaded, struct thread_stacks *stacks)
{
    *ret = (struct thread_waits){.image = image, .libc = libc, .stacks = stacks};
    ret->rows = calloc(image->thread_count + 1, sizeof(*ret->rows));
    bool ok = ret->rows && table_init(&ret->tids, image->thread_count);
    for (size_t i = 0; ok && i < image->thread_count; i++) {
        if (preloaded_is_thread(preloaded, &image->threads[i]))
            continue;
        ret->rows[ret->count++].look.thread = image->threads[i];
        ok = table_at(&ret->tids, (struct table_key){image->threads[i].tid, 0}) != NULL;
    }
    return ok;
}

void thread_waits_deinit(struct thread_waits *waits)
{
    for (size_t i = 0; waits->rows && i < waits->count; i++)
        thread_look_deinit(&waits->rows[i].look);
    free(waits->rows);
    table_deinit(&waits->tids);
    *waits = (struct thread_waits){0};
}

/* ---- Reading ---- */

/* The number of the call that was interrupted and taken up again: where it was first made, the
 * number was put into eax right before (mov $N,%eax; syscall), or a function's name says. */
static int64_t restarted(struct thread_waits *waits, struct thread_wait *wait)
{
    uint64_t pc = wait->look.thread.registers.value[IMAGE_REGISTER_PC];
    unsigned char code[7];
    if (mem_read(waits->image->memory, pc - sizeof(code), code, sizeof(code)) && code[0] == 0xb8 &&
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
            c_library_parked_in(waits->libc, wait->look.pcs, wait->look.pc_count, &any);
        if (function)
            return thread_call_restarted(function);
    }
    return -1;
}

static bool has_thread(const struct thread_waits *waits, uint32_t tid)
{
    return table_find(&waits->tids, (struct table_key){tid, 0}) != NULL;
}

/* Of a lock that processes share, an id of one of our threads may be that of a thread in another
 * PID namespace. */
static bool find_owner(struct thread_waits *waits, const struct thread_lock *lock, uint32_t *ret)
{
    struct mem_reader *memory = waits->image->memory;
    return thread_lock_owner(lock->op, lock->object, memory, ret) &&
           !(thread_lock_is_shared(lock->op, lock->object, memory) && has_thread(waits, *ret));
}

/* What the futex that it waits for is a part of. */
static void find_lock(struct thread_waits *waits, struct thread_wait *wait)
{
    const uint64_t *args = wait->look.thread.args;
    struct mem_reader *memory = waits->image->memory;
    enum rec_op op = wait->function ? wait->function->op : REC_OP_NONE;
    if (!c_library_is_glibc(waits->libc))
        return;
    if (op == REC_OP_NONE && !wait->function && thread_lock_is_mutex(args, memory)) {
        wait->function = thread_function_find("pthread_mutex_lock");
        op = REC_OP_MUTEX_LOCK;
    }
    if (op == REC_OP_NONE)
        return;
    wait->is_lock = true;
    thread_lock_find(op, args, memory, &wait->lock);
    wait->has_owner = find_owner(waits, &wait->lock, &wait->owner);
    wait->readers = thread_lock_readers(wait->lock.op, wait->lock.object, memory);

    uint64_t offset = c_library_layout(waits->libc).tid;
    if (wait->lock.joined_word && offset &&
        thread_is_descriptor(wait->lock.joined_word - offset, memory))
        wait->lock.object = wait->lock.joined_word - offset;
}

/* Of a call that the kernel has taken up again after an interruption, the number is that of
 * restart_syscall, and the arguments stand. */
static void read_call(struct thread_waits *waits, struct thread_wait *wait)
{
    const struct image_thread *thread = &wait->look.thread;
    int64_t number = wait->look.remembered ? wait->look.first_call : thread->call;
    bool again = number == SYS_restart_syscall;
    if (again && (number = restarted(waits, wait)) < 0)
        number = SYS_restart_syscall;
    thread_call_read(number, thread->args, waits->image->memory, &wait->call);
    wait->function =
        c_library_parked_in(waits->libc, wait->look.pcs, wait->look.pc_count, &wait->call);
    if (number == SYS_restart_syscall)
        wait->function = NULL; /* "syscall", or nothing: which call it was is not known */
    if (number == SYS_futex && wait->call.op == REC_OP_FUTEX_WAIT)
        find_lock(waits, wait);
}

/* Reads the given threads. */
static bool read_all(struct thread_waits *waits, struct thread_wait *rows, size_t count)
{
    struct thread_look *looks = calloc(count + 1, sizeof(*looks));
    if (!looks)
        return false;
    for (size_t i = 0; i < count; i++)
        looks[i] = rows[i].look;
    bool ok = thread_stacks_read(waits->stacks, looks, count);
    for (size_t i = 0; i < count; i++)
        rows[i].look = looks[i];
    free(looks);
    for (size_t i = 0; ok && i < count; i++) {
        if (rows[i].look.thread.parked && !rows[i].look.moved)
            read_call(waits, &rows[i]);
    }
    return ok;
}

/* ---- The second look ---- */

bool thread_wait_owner_is_same(const struct thread_waits *waits, const struct thread_wait *wait)
{
    uint32_t owner;
    return !wait->has_owner ||
           (thread_lock_owner(wait->lock.op, wait->lock.object, waits->image->memory, &owner) &&
            owner == wait->owner);
}

bool thread_wait_has_run(const struct thread_wait *wait, const struct image_thread *now)
{
    const struct thread_look *look = &wait->look;
    return !look->stopped && look->thread.switches && look->thread.switches != now->switches;
}

/* A stop makes the kernel take a call up again, by another number. */
static bool is_taken_up(const struct thread_wait *wait, const struct image_thread *now)
{
    struct image_thread was = wait->look.thread;
    if (!wait->look.stopped || now->call != SYS_restart_syscall)
        return false;
    was.call = now->call;
    return image_thread_is_parked_alike(&was, now);
}

/* Looks at a thread again. One that was let go after a stop is on its way back into its call, and
 * in none for that long. False: it has ended. */
static bool look_at(struct image *image, const struct thread_wait *wait, struct image_thread *now)
{
    uint64_t began_ns = clock_ns(CLOCK_MONOTONIC);
    bool was_in_call = wait->look.stopped && !wait->look.moved;
    for (;;) {
        if (!image->functions->look(image, now))
            return false;
        bool on_its_way = !now->parked && now->registers.known == 0;
        if (!was_in_call || !on_its_way || clock_ns(CLOCK_MONOTONIC) - began_ns > BACK_NS)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    }
}

/* Whether a thread was seen nowhere but in its call: all that it may have done since is to come
 * back from a stop, for which it found no processor yet. */
static bool may_be_back(const struct thread_wait *wait, const struct image_thread *now)
{
    return wait->look.stopped && !wait->look.moved && !now->parked && now->registers.known == 0;
}

/* Keeps what a stop told for the looks to come, which find the thread as it is now. */
static void keep_for_later(struct thread_waits *waits, const struct thread_wait *wait,
                           const struct image_thread *now)
{
    const struct thread_look *look = &wait->look;
    struct kept_stack kept = {
        .thread = *now,
        .call = look->thread.call,
        .switches = look->thread.switches,
        .descriptor = look->descriptor,
        .pcs = look->pcs,
        .pc_count = look->pc_count,
        .flags = look->flags,
    };
    if (!look->stopped || !waits->image->kept)
        return;
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t age_ns = look->thread.parked_ns > 0 ? (uint64_t)look->thread.parked_ns : 0;
    kept.since_ns = age_ns < now_ns ? now_ns - age_ns : 0;
    kept_stacks_put(waits->image->kept, &kept);
}

/* Readers may come and go while a writer waits. */
static void forget_readers_that_moved(const struct thread_waits *waits, struct thread_wait *wait)
{
    if (wait->readers && wait->readers != thread_lock_readers(wait->lock.op, wait->lock.object,
                                                              waits->image->memory))
        wait->readers = 0;
}

/* Looks at the first `count` threads again: those that stayed are settled, those that did not are
 * put to the front of the array as they are now, for another round. Returns how many. */
static size_t look_again(struct thread_waits *waits, size_t count)
{
    struct image *image = waits->image;
    size_t moved = 0;
    for (size_t i = 0; i < count && image->functions->look; i++) {
        struct thread_wait *wait = &waits->rows[i];
        struct image_thread now = wait->look.thread;
        if (!look_at(image, wait, &now)) {
            thread_look_deinit(&wait->look);
            wait->look.thread.ended = true;
            continue;
        }
        if (!wait->look.thread.parked && !now.parked)
            continue;
        wait->settled =
            !wait->look.moved && thread_wait_owner_is_same(waits, wait) &&
            (image_thread_is_parked_alike(&wait->look.thread, &now) || is_taken_up(wait, &now)) &&
            !thread_wait_has_run(wait, &now);
        if (wait->settled) {
            forget_readers_that_moved(waits, wait);
            keep_for_later(waits, wait, &now);
            continue;
        }
        if (may_be_back(wait, &now))
            continue;
        thread_look_deinit(&wait->look);
        now.parked_ns = now.parked ? 0 : -1; /* no longer than since the look before */
        *wait = waits->rows[moved];
        waits->rows[moved++] = (struct thread_wait){.look = {.thread = now}};
    }
    return moved;
}

/* Those that do not stand still run. */
static void give_up(struct thread_waits *waits, size_t moved)
{
    for (size_t i = 0; i < moved; i++) {
        thread_look_deinit(&waits->rows[i].look);
        waits->rows[i].look.thread.parked = false;
    }
}

bool thread_waits_read(struct thread_waits *waits)
{
    size_t count = waits->count;
    for (int round = 0; count && round < ROUNDS; round++) {
        if (!read_all(waits, waits->rows, count))
            return false;
        count = look_again(waits, count);
    }
    give_up(waits, count);
    return true;
}
