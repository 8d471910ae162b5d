/* Goroutines of gccgo's libgo, which was not preloaded: read as those of Go's own compiler are, but
 * for their stacks, which are native ones, unwound from the registers that libgo saved.
 *
 * The process runs meanwhile: a goroutine is parked when its state, its number of turns and its
 * registers were the same before and after all that was read of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/go_tasks.h"
#include "analyzer/image_quiet.h"
#include "analyzer/inspect_libgo.h"
#include "preload/goscan/libgo_layout.h"

#define BATCH 256
#define TRIES 3
#define MOST_GOROUTINES (UINT64_C(1) << 26)
#define HEAD_BYTES (LIBGO_G_WAITING + 16) /* of a g that are read: waiting, labels */
#define STACK_BYTES 2048
#define PAGE_BYTES 4096U
#define SEARCHED_WORDS 96 /* of a stack, for what a goroutine waits on: frames of the runtime */
#define QUEUE_STEPS 256   /* in a channel's queue, to its beginning */
#define SPECIAL_BYTES 256

enum { STATUS_RUNNABLE = 1, STATUS_RUNNING, STATUS_SYSCALL, STATUS_WAITING };
enum { STATUS_DEAD = 6, STATUS_LAST = 9, STATUS_SCAN = 0x1000 };

/* What of a g tells whether it moved. */
struct key {
    uint64_t id, waiting, sp, pc;
    uint32_t status;
    uint8_t reason, turns;
};

struct look {
    uint64_t g;
    unsigned char head[HEAD_BYTES];
    uint64_t context[LIBGO_CONTEXT_WORDS];
    unsigned char system[2]; /* it is the runtime's; it calls finalizers, which are not */
    unsigned char *stack;    /* STACK_BYTES */
    size_t stack_bytes;
    struct key key;
    bool was_read;
};

struct libgo {
    struct inspection *inspection;
    struct mem_reader *memory;
    struct libgo_runtime runtime;
    struct go_tasks tasks;
    struct look *looks;
    struct mem_piece *pieces;
    struct go_case cases[GO_MAX_CASES];
    struct go_stack stack;
    uint64_t seen, strange; /* goroutines; those of them that are none as we know them */
};

static struct key key_of(const unsigned char *head, const uint64_t *context)
{
    return (struct key){
        .id = word_at(head, LIBGO_G_GOID),
        .waiting = word_at(head, LIBGO_G_WAITING),
        .sp = context[LIBGO_CONTEXT_RSP],
        .pc = context[LIBGO_CONTEXT_RIP],
        .status = half_at(head, LIBGO_G_STATUS) & ~(uint32_t)STATUS_SCAN,
        .reason = head[LIBGO_G_WAITREASON],
        .turns = head[LIBGO_G_TRACKINGSEQ],
    };
}

static bool is_same(const struct key *a, const struct key *b)
{
    return a->id == b->id && a->waiting == b->waiting && a->sp == b->sp && a->pc == b->pc &&
           a->status == b->status && a->reason == b->reason && a->turns == b->turns;
}

/* ---- Reading ---- */

static void read_gs(struct libgo *libgo, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct look *look = &libgo->looks[i];
        struct mem_piece *piece = &libgo->pieces[3 * i];
        piece[0] = (struct mem_piece){.address = look->g, .to = look->head, .bytes = HEAD_BYTES};
        piece[1] = (struct mem_piece){.address = look->g + LIBGO_G_CONTEXT,
                                      .to = look->context,
                                      .bytes = sizeof(look->context)};
        piece[2] =
            (struct mem_piece){.address = look->g + LIBGO_G_SYSTEM, .to = look->system, .bytes = 2};
    }
    libgo->memory->read(libgo->memory, libgo->pieces, 3 * count);
    for (size_t i = 0; i < count; i++) {
        struct look *look = &libgo->looks[i];
        const struct mem_piece *piece = &libgo->pieces[3 * i];
        look->was_read = piece[0].ok && piece[1].ok && piece[2].ok;
        if (look->was_read)
            look->key = key_of(look->head, look->context);
    }
}

/* Whether it is in the same wait as when it was read first. */
static bool is_there_still(struct libgo *libgo, const struct look *look)
{
    unsigned char head[HEAD_BYTES];
    uint64_t context[LIBGO_CONTEXT_WORDS];
    struct mem_piece pieces[] = {
        {.address = look->g, .to = head, .bytes = sizeof(head)},
        {.address = look->g + LIBGO_G_CONTEXT, .to = context, .bytes = sizeof(context)},
    };
    libgo->memory->read(libgo->memory, pieces, 2);
    if (!pieces[0].ok || !pieces[1].ok)
        return false;
    struct key now = key_of(head, context);
    return is_same(&look->key, &now);
}

static bool is_parked(const struct look *look)
{
    return look->was_read && look->key.status == STATUS_WAITING;
}

/* The inner end of each stack: to the end of its page, and what follows if it is there. */
static void read_stacks(struct libgo *libgo, size_t count)
{
    size_t pieces = 0;
    for (size_t i = 0; i < count; i++) {
        struct look *look = &libgo->looks[i];
        look->stack_bytes = 0;
        if (!is_parked(look) || look->key.sp % 8 || look->key.sp > UINT64_MAX - STACK_BYTES)
            continue;
        size_t first = PAGE_BYTES - look->key.sp % PAGE_BYTES;
        if (first > STACK_BYTES)
            first = STACK_BYTES;
        libgo->pieces[pieces++] =
            (struct mem_piece){.address = look->key.sp, .to = look->stack, .bytes = first};
        libgo->pieces[pieces++] = (struct mem_piece){.address = look->key.sp + first,
                                                     .to = look->stack + first,
                                                     .bytes = STACK_BYTES - first};
    }
    libgo->memory->read(libgo->memory, libgo->pieces, pieces);
    for (size_t i = 0, at = 0; i < count && at < pieces; i++) {
        struct look *look = &libgo->looks[i];
        if (!is_parked(look) || libgo->pieces[at].address != look->key.sp)
            continue;
        if (libgo->pieces[at].ok)
            look->stack_bytes = libgo->pieces[at].bytes +
                                (libgo->pieces[at + 1].ok ? libgo->pieces[at + 1].bytes : 0);
        at += 2;
    }
}

static void walk(struct libgo *libgo, struct look *look)
{
    /* The registers' DWARF numbers. */
    static const uint8_t numbers[LIBGO_CONTEXT_WORDS] = {
        [LIBGO_CONTEXT_RBP] = IMAGE_REGISTER_FP,
        [LIBGO_CONTEXT_RBX] = 3,
        [LIBGO_CONTEXT_R12] = 12,
        [LIBGO_CONTEXT_R13] = 13,
        [LIBGO_CONTEXT_R14] = 14,
        [LIBGO_CONTEXT_R15] = 15,
        [LIBGO_CONTEXT_RSP] = IMAGE_REGISTER_SP,
        [LIBGO_CONTEXT_RIP] = IMAGE_REGISTER_PC,
    };
    struct debug_unwind *unwind = inspection_unwind(libgo->inspection);
    struct image_registers registers = {0};
    uint64_t pcs[DEBUG_UNWIND_DEPTH];
    uint16_t flags = 0;
    libgo->stack.count = 0;
    if (!unwind || look->stack_bytes == 0)
        return;
    for (size_t i = 0; i < LIBGO_CONTEXT_WORDS; i++) {
        registers.value[numbers[i]] = look->context[i];
        registers.known |= 1U << numbers[i];
    }
    struct image_stop stop = {.stack_address = look->key.sp,
                              .stack_bytes = look->stack_bytes,
                              .stack = look->stack,
                              .stack_room = STACK_BYTES};
    size_t count = debug_unwind_walk(unwind, &registers, &stop, pcs, &flags);
    libgo->stack.cut = flags & REC_SITE_CUT || count > GO_STACK_DEPTH;
    libgo->stack.broken = flags & REC_SITE_BROKEN;
    libgo->stack.count = (uint32_t)(count < GO_STACK_DEPTH ? count : GO_STACK_DEPTH);
    memcpy(libgo->stack.pcs, pcs, libgo->stack.count * sizeof(*pcs));
}

/* ---- What it waits on ---- */

static void read_channel(struct libgo *libgo, uint64_t address, unsigned char *bytes,
                         struct go_channel *ret)
{
    *ret = (struct go_channel){.address = address};
    if (address == 0 || !mem_read(libgo->memory, address, bytes, LIBGO_CHAN_BYTES))
        return;
    ret->capacity = word_at(bytes, LIBGO_CHAN_CAPACITY);
    ret->length = word_at(bytes, LIBGO_CHAN_LENGTH);
    uint32_t closed = half_at(bytes, LIBGO_CHAN_CLOSED);
    ret->known = ret->length <= ret->capacity && closed <= 1;
    ret->closed = ret->known && closed;
}

/* Whether a sudog stands in the queue of senders. Mostly only one of the queues has anybody in it;
 * else the first one of the sudog's own tells. */
static bool is_sender(struct libgo *libgo, uint64_t sudog, uint64_t before,
                      const unsigned char *channel)
{
    if (word_at(channel, LIBGO_CHAN_SENDERS) == 0 || word_at(channel, LIBGO_CHAN_RECEIVERS) == 0)
        return word_at(channel, LIBGO_CHAN_SENDERS) != 0;
    for (int i = 0; before && i < QUEUE_STEPS; i++) {
        sudog = before;
        if (!mem_read(libgo->memory, sudog + LIBGO_SUDOG_PREV, &before, sizeof(before)))
            return false;
    }
    return sudog == word_at(channel, LIBGO_CHAN_SENDERS);
}

/* The channels that g.waiting names. False: it is no list of this goroutine's sudogs. */
static bool take_sudogs(struct libgo *libgo, const struct look *look, struct go_goroutine *it)
{
    unsigned char sudog[LIBGO_SUDOG_BYTES], channel[LIBGO_CHAN_BYTES];
    uint64_t address = look->key.waiting;
    for (it->cases_given = 0; address && it->cases_given < 0xffff; it->cases_given++) {
        if (!mem_read(libgo->memory, address, sudog, sizeof(sudog)) ||
            word_at(sudog, LIBGO_SUDOG_G) != look->g)
            return false;
        if (it->case_count < GO_MAX_CASES) {
            struct go_case *row = &libgo->cases[it->case_count++];
            read_channel(libgo, word_at(sudog, LIBGO_SUDOG_CHAN), channel, &row->channel);
            row->send = row->channel.known &&
                        is_sender(libgo, address, word_at(sudog, LIBGO_SUDOG_PREV), channel);
        }
        address = word_at(sudog, LIBGO_SUDOG_WAITLINK);
    }
    return address == 0;
}

/* Searches the stack for a word that leads to what `fits`. */
static bool search(struct libgo *libgo, const struct look *look, size_t before, size_t bytes,
                   bool (*fits)(const unsigned char *at, uint64_t word, uint64_t g),
                   unsigned char *ret_bytes, uint64_t *ret_word)
{
    for (size_t i = 0; i < look->stack_bytes / 8 && i < SEARCHED_WORDS; i++) {
        uint64_t word = word_at(look->stack, 8 * i);
        if (word < PAGE_BYTES || word % 8 || word >> 47 ||
            !mem_read(libgo->memory, word - before, ret_bytes, bytes) ||
            !fits(ret_bytes, word, look->g))
            continue;
        *ret_word = word;
        return true;
    }
    return false;
}

static bool is_semaphore_sudog(const unsigned char *at, uint64_t word, uint64_t g)
{
    (void)word;
    return word_at(at, LIBGO_SUDOG_G) == g && word_at(at, LIBGO_SUDOG_CHAN) == 0 &&
           word_at(at, LIBGO_SUDOG_ELEM) != 0 && at[LIBGO_SUDOG_IS_SELECT] == 0;
}

static bool is_cond(const unsigned char *at, uint64_t word, uint64_t g)
{
    (void)g;
    return word_at(at, LIBGO_COND_CHECKER) == word + LIBGO_COND_CHECKER;
}

/* A word of a pollDesc: its reader, or its writer behind it. */
static bool is_poll(const unsigned char *at, uint64_t word, uint64_t g)
{
    return (word_at(at, LIBGO_POLL_SELF) == word - LIBGO_POLL_WRITER &&
            word_at(at, LIBGO_POLL_WRITER) == g) ||
           (word_at(at + 8, LIBGO_POLL_SELF) == word - LIBGO_POLL_READER &&
            word_at(at + 8, LIBGO_POLL_READER) == g);
}

_Static_assert(LIBGO_POLL_WRITER == LIBGO_POLL_READER + 8, "one word apart");
_Static_assert(LIBGO_POLL_SELF + 16 <= SPECIAL_BYTES, "fits");

static void take_semaphore(struct libgo *libgo, const struct look *look, struct go_goroutine *it)
{
    unsigned char bytes[SPECIAL_BYTES];
    uint64_t word;
    enum go_lock lock = libgo_lock_of(&libgo->runtime, libgo->stack.pcs, libgo->stack.count);
    it->op = go_lock_op(lock);
    if (!search(libgo, look, 0, LIBGO_SUDOG_BYTES, is_semaphore_sudog, bytes, &word))
        return;
    it->object = word_at(bytes, LIBGO_SUDOG_ELEM) - libgo_semaphore_offset(lock);
    it->object_known = true;
}

static void take_cond(struct libgo *libgo, const struct look *look, struct go_goroutine *it)
{
    unsigned char bytes[SPECIAL_BYTES];
    it->object_known = search(libgo, look, 0, LIBGO_COND_CHECKER + 8, is_cond, bytes, &it->object);
}

static void take_poll(struct libgo *libgo, const struct look *look, struct go_goroutine *it)
{
    unsigned char bytes[SPECIAL_BYTES];
    uint64_t word;
    if (!search(libgo, look, LIBGO_POLL_WRITER, LIBGO_POLL_SELF + 16, is_poll, bytes, &word))
        return;
    bool writes = word_at(bytes, LIBGO_POLL_SELF) == word - LIBGO_POLL_WRITER;
    const unsigned char *poll = writes ? bytes : bytes + 8;
    it->object = word_at(poll, LIBGO_POLL_FD);
    it->object_known = true;
    it->deadline = word_at(poll, writes ? LIBGO_POLL_WRITE_UNTIL : LIBGO_POLL_READ_UNTIL) != 0;
}

/* False: the goroutine is not what it seems. */
static bool take_object(struct libgo *libgo, const struct look *look, struct go_goroutine *it)
{
    const struct go_reason *reason = &libgo->runtime.reasons[look->key.reason];
    switch ((enum go_object_rule)reason->object) {
    case GO_OBJECT_NONE:
        return true;
    case GO_OBJECT_CHANNEL:
    case GO_OBJECT_SELECT:
        if (!take_sudogs(libgo, look, it))
            return false;
        if (reason->object == GO_OBJECT_CHANNEL) {
            it->channel = it->case_count ? libgo->cases[0].channel : (struct go_channel){0};
            it->object = it->channel.address;
            it->case_count = it->cases_given = 0;
        }
        return true;
    case GO_OBJECT_SEMAPHORE:
        take_semaphore(libgo, look, it);
        return true;
    case GO_OBJECT_COND:
        take_cond(libgo, look, it);
        return true;
    case GO_OBJECT_POLL:
        take_poll(libgo, look, it);
        return true;
    }
    return true;
}

/* ---- Telling ---- */

static uint32_t thread_of(struct libgo *libgo, uint64_t m)
{
    uint64_t tid;
    return m && mem_read(libgo->memory, m + LIBGO_M_PROCID, &tid, sizeof(tid)) && tid <= INT32_MAX
               ? (uint32_t)tid
               : 0;
}

static struct go_goroutine describe(struct libgo *libgo, const struct look *look)
{
    struct go_goroutine it = {
        .g = look->g,
        .id = look->key.id,
        .thread = word_at(look->head, LIBGO_G_THREAD),
        .created_pc = word_at(look->head, LIBGO_G_GOPC),
        .start_pc = word_at(look->head, LIBGO_G_STARTPC),
        .waiting_since = (int64_t)word_at(look->head, LIBGO_G_WAITSINCE),
        .wait_number = 0x100U | look->key.turns,
        .status = look->key.status,
        .reason = look->key.reason,
        .system = look->system[0] == 1 && look->system[1] == 0,
        .locked = word_at(look->head, LIBGO_G_LOCKED) != 0,
        .cases = libgo->cases,
    };
    if (it.status == STATUS_RUNNING)
        it.os_tid = thread_of(libgo, it.thread);
    return it;
}

/* Reads the first `count` looks, and tells of all but those that moved: these are moved to the
 * front. Returns how many they are. *ret_ok: there was memory. */
static size_t read_batch(struct libgo *libgo, size_t count, bool last_try, bool *ret_ok)
{
    size_t moved = 0;
    read_gs(libgo, count);
    read_stacks(libgo, count);
    for (size_t i = 0; i < count && *ret_ok; i++) {
        struct look *look = &libgo->looks[i];
        if (!look->was_read) {
            builder_snapshot(libgo->inspection->builder)->loss.unreadable++;
            continue;
        }
        uint32_t status = look->key.status;
        if (status == 0 || status == STATUS_DEAD)
            continue;
        libgo->seen++;
        if (status > STATUS_LAST || look->key.id == 0 || look->key.id > INT64_MAX ||
            (status == STATUS_WAITING && look->key.reason >= libgo->runtime.reason_count)) {
            libgo->strange++;
            continue;
        }
        struct go_goroutine it = describe(libgo, look);
        bool whole = true;
        if (status == STATUS_WAITING) {
            walk(libgo, look);
            it.stack = &libgo->stack;
            it.op = libgo->runtime.reasons[it.reason].op;
            whole = take_object(libgo, look, &it) && is_there_still(libgo, look);
        }
        if (!whole && !last_try) {
            struct look swap = libgo->looks[moved];
            libgo->looks[moved++] = *look;
            *look = swap;
            libgo->seen--;
            continue;
        }
        it.parked = whole && status == STATUS_WAITING;
        it.moved = !whole;
        *ret_ok = go_tasks_add(&it, &libgo->tasks);
    }
    return moved;
}

static bool read_list(struct libgo *libgo)
{
    uint64_t count, first;
    uint64_t gs[BATCH];
    bool ok = true;
    /* The number first: the list that it was of may be replaced by a longer one. */
    if (!mem_read(libgo->memory, libgo->runtime.all_g_count, &count, sizeof(count)) ||
        !mem_read(libgo->memory, libgo->runtime.all_g_pointer, &first, sizeof(first)) ||
        count > MOST_GOROUTINES) {
        builder_doubt(libgo->inspection->builder,
                      "its list of goroutines cannot be read: they cannot be told");
        return true;
    }
    for (uint64_t at = 0; ok && at < count; at += BATCH) {
        size_t live = 0, rows = count - at < BATCH ? (size_t)(count - at) : BATCH;
        if (!mem_read(libgo->memory, first + at * sizeof(*gs), gs, rows * sizeof(*gs))) {
            builder_doubt(libgo->inspection->builder,
                          "its list of goroutines could not be read to its end: there may be more "
                          "than are told");
            break;
        }
        for (size_t i = 0; i < rows; i++) {
            if (gs[i] && gs[i] % 8 == 0 && gs[i] < UINT64_MAX - LIBGO_G_BYTES)
                libgo->looks[live++].g = gs[i];
        }
        for (int try = 1; ok && live; try++)
            live = read_batch(libgo, live, try == TRIES, &ok);
    }
    return ok;
}

/* Whether a timer will send on what a task receives from. */
static bool has_timer(const struct snapshot *snapshot, const struct snapshot_task *task,
                      const struct table *timed)
{
    unsigned op = snapshot->calls[task->call].number;
    if (op == REC_OP_CHAN_RECEIVE)
        return table_find(timed, (struct table_key){task->object, 0}) != NULL;
    for (uint32_t i = 0; i < task->case_count; i++) {
        const struct snapshot_case *row = &snapshot->cases[task->case_first + i];
        if (row->op == REC_OP_CHAN_RECEIVE && table_find(timed, (struct table_key){row->object, 0}))
            return true;
    }
    return false;
}

/* Timers are read after the goroutines: whoever is parked with one has set it before. */
static bool mark_timed(struct libgo *libgo)
{
    struct snapshot *snapshot = builder_snapshot(libgo->inspection->builder);
    struct table timed;
    bool ok = table_init(&timed, 64) &&
              libgo_timed_channels(&libgo->runtime, libgo->inspection->image, &timed);
    for (size_t i = libgo->tasks.first_task; ok && timed.count && i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        if (task->flags & SNAPSHOT_PARKED && has_timer(snapshot, task, &timed))
            task->flags |= SNAPSHOT_DEADLINE;
    }
    table_deinit(&timed);
    return ok;
}

static bool run(struct libgo *libgo)
{
    struct image *image = libgo->inspection->image;
    struct snapshot *snapshot = builder_snapshot(libgo->inspection->builder);
    struct image_quiet quiet;
    int64_t quiet_ns = 0;
    unsigned char *stacks = malloc((size_t)BATCH * STACK_BYTES);
    libgo->looks = calloc(BATCH, sizeof(*libgo->looks));
    libgo->pieces = malloc(3 * (size_t)BATCH * sizeof(*libgo->pieces));
    bool ok = stacks && libgo->looks && libgo->pieces &&
              go_tasks_init(&libgo->tasks, libgo->inspection->builder, image,
                            libgo->runtime.reasons, libgo->runtime.reason_count);
    for (size_t i = 0; ok && i < BATCH; i++)
        libgo->looks[i].stack = stacks + i * STACK_BYTES;
    if (ok) {
        image_quiet_begin(&quiet, image);
        ok = read_list(libgo) && mark_timed(libgo);
        quiet_ns = image_quiet_end(&quiet, image);
    }
    if (ok) {
        go_tasks_date(&libgo->tasks, image->taken_monotonic_ns ? image->taken_monotonic_ns
                                                               : libgo->tasks.latest_ns);
        if (quiet_ns > 0)
            go_tasks_were_quiet(&libgo->tasks, quiet_ns);
        libgo_mark_threads(&libgo->runtime, image);
        snapshot->loss.stacks += libgo->tasks.stacks_lost;
        snapshot->loss.unreadable += libgo->strange;
        ok = !libgo->tasks.failed;
    }
    if (ok && libgo->strange > libgo->seen / 2)
        builder_doubt(libgo->inspection->builder,
                      "its libgo is not laid out as that of GCC 12, which is known here: its "
                      "goroutines cannot be told");
    go_tasks_deinit(&libgo->tasks);
    free(libgo->pieces);
    free(libgo->looks);
    free(stacks);
    return ok;
}

bool inspect_libgo_tell(struct inspection *inspection, const struct libgo_runtime *runtime)
{
    struct libgo *libgo = calloc(1, sizeof(*libgo));
    if (!libgo)
        return false;
    libgo->inspection = inspection;
    libgo->memory = inspection->image->memory;
    libgo->runtime = *runtime;
    builder_snapshot(inspection->builder)->runtimes |= REC_RUNTIME_LIBGO;
    bool ok = run(libgo);
    free(libgo);
    return ok;
}

static bool inspect(struct inspection *inspection, struct err *err)
{
    struct libgo_runtime runtime;
    return !libgo_find(inspection->image, &runtime) || inspect_libgo_tell(inspection, &runtime) ||
           err_system(err, inspection->image->exe, ENOMEM);
}

const struct inspector inspect_libgo = {"libgo", inspect};
