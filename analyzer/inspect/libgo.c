/* Goroutines of gccgo's libgo, which was not preloaded: read as those of Go's own compiler are, but
 * for their stacks, which are native ones, unwound from the registers that libgo saved. Their
 * memory is read by libgo_looks.c, what they wait on by libgo_objects.c, and go_tasks.c tells of
 * them. */
#include "analyzer/inspect/libgo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/image/quiet.h"
#include "analyzer/inspect/go_tasks.h"
#include "analyzer/inspect/libgo_looks.h"
#include "analyzer/inspect/libgo_objects.h"
#include "preload/goscan/g.h"

#define TRIES 3

struct libgo {
    struct inspection *inspection;
    struct mem_reader *memory;
    struct libgo_runtime runtime;
    struct go_tasks tasks;
    struct libgo_looks looks;
    struct go_case cases[GO_MAX_CASES];
    struct go_stack stack;
    struct libgo_reading reading;
    uint64_t seen, strange; /* goroutines; those of them that are none as we know them */
    uint64_t nonsense;      /* rows of the list that led to none, since the last one that did */
};

static void walk(struct libgo *libgo, struct libgo_look *look)
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
                              .stack_room = LIBGO_LOOK_STACK_BYTES};
    size_t count = debug_unwind_walk(unwind, &registers, &stop, pcs, &flags);
    libgo->stack.cut = flags & REC_SITE_CUT || count > GO_STACK_DEPTH;
    libgo->stack.broken = flags & REC_SITE_BROKEN;
    libgo->stack.count = (uint32_t)(count < GO_STACK_DEPTH ? count : GO_STACK_DEPTH);
    memcpy(libgo->stack.pcs, pcs, libgo->stack.count * sizeof(*pcs));
}

static uint32_t thread_of(struct libgo *libgo, uint64_t m)
{
    uint64_t tid;
    return m && mem_read(libgo->memory, m + LIBGO_M_PROCID, &tid, sizeof(tid)) && tid <= INT32_MAX
               ? (uint32_t)tid
               : 0;
}

static struct go_goroutine describe(struct libgo *libgo, const struct libgo_look *look)
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
    if (it.status == LIBGO_STATUS_RUNNING)
        it.os_tid = thread_of(libgo, it.thread);
    return it;
}

/* Reads the first `count` looks, and tells of all but those that moved: these are moved to the
 * front. Returns how many they are. *ret_ok: there was memory. */
static size_t read_batch(struct libgo *libgo, size_t count, bool last_try, bool *ret_ok)
{
    size_t moved = 0;
    libgo_looks_read(&libgo->looks, count);
    for (size_t i = 0; i < count && *ret_ok; i++) {
        struct libgo_look *look = &libgo->looks.rows[i];
        if (!look->was_read) {
            builder_snapshot(libgo->inspection->builder)->loss.unreadable++;
            libgo->nonsense++;
            continue;
        }
        uint32_t status = look->key.status;
        if (status == 0 || status == LIBGO_STATUS_DEAD)
            continue;
        libgo->seen++;
        if (status > LIBGO_STATUS_LAST || look->key.id == 0 || look->key.id > INT64_MAX ||
            (status == LIBGO_STATUS_WAITING && look->key.reason >= libgo->runtime.reason_count)) {
            libgo->strange++;
            libgo->nonsense++;
            continue;
        }
        libgo->nonsense = 0;
        struct go_goroutine it = describe(libgo, look);
        bool whole = true;
        if (status == LIBGO_STATUS_WAITING) {
            walk(libgo, look);
            it.stack = &libgo->stack;
            it.op = libgo->runtime.reasons[it.reason].op;
            whole = libgo_object_read(&libgo->reading, look, libgo->cases, &it) &&
                    libgo_look_is_there_still(&libgo->looks, look);
        }
        if (!whole && !last_try) {
            struct libgo_look swap = libgo->looks.rows[moved];
            libgo->looks.rows[moved++] = *look;
            *look = swap;
            libgo->seen--;
            continue;
        }
        it.parked = whole && status == LIBGO_STATUS_WAITING;
        it.moved = !whole;
        *ret_ok = go_tasks_add(&it, &libgo->tasks);
    }
    return moved;
}

static bool read_list(struct libgo *libgo)
{
    uint64_t count, first;
    uint64_t gs[LIBGO_LOOKS];
    bool ok = true;
    uint64_t most = image_room_for(libgo->inspection->image, LIBGO_G_BYTES);
    if (most == 0 || most > GO_MAX_GOROUTINES)
        most = GO_MAX_GOROUTINES;
    /* The number first: the list that it was of may be replaced by a longer one. */
    if (!mem_read(libgo->memory, libgo->runtime.all_g_count, &count, sizeof(count)) ||
        !mem_read(libgo->memory, libgo->runtime.all_g_pointer, &first, sizeof(first)) ||
        count > most) {
        builder_doubt(libgo->inspection->builder,
                      "its list of goroutines cannot be read: they cannot be told");
        return true;
    }
    for (uint64_t at = 0; ok && at < count; at += LIBGO_LOOKS) {
        size_t live = 0, rows = count - at < LIBGO_LOOKS ? (size_t)(count - at) : LIBGO_LOOKS;
        if (!mem_read(libgo->memory, first + at * sizeof(*gs), gs, rows * sizeof(*gs))) {
            builder_doubt(libgo->inspection->builder,
                          "its list of goroutines could not be read to its end: there may be more "
                          "than are told");
            break;
        }
        for (size_t i = 0; i < rows; i++) {
            if (gs[i] && gs[i] % 8 == 0 && gs[i] < UINT64_MAX - LIBGO_G_BYTES)
                libgo->looks.rows[live++].g = gs[i];
        }
        for (int try = 1; ok && live; try++)
            live = read_batch(libgo, live, try == TRIES, &ok);
        if (libgo->nonsense >= GO_MAX_NONSENSE) {
            builder_snapshot(libgo->inspection->builder)->loss.unreadable += count - at - rows;
            break;
        }
    }
    return ok;
}

/* The channel of the number `i` that a task receives from; 0: it receives from no more. */
static uint64_t received_from(const struct snapshot *snapshot, const struct snapshot_task *task,
                              uint32_t *i)
{
    if (!(task->flags & SNAPSHOT_PARKED)) /* there may be no call at all */
        return 0;
    if (snapshot->calls[task->call].number == REC_OP_CHAN_RECEIVE)
        return (*i)++ == 0 ? task->object : 0;
    const struct snapshot_extra *extra = snapshot_extra(snapshot, task);
    while (*i < extra->case_count) {
        const struct snapshot_case *row = &snapshot->cases[extra->case_first + (*i)++];
        if (row->op == REC_OP_CHAN_RECEIVE && row->object)
            return row->object;
    }
    return 0;
}

/* Timers are read after the goroutines: whoever is parked with one has set it before. */
static bool mark_timed(struct libgo *libgo)
{
    struct snapshot *snapshot = builder_snapshot(libgo->inspection->builder);
    struct table timed;
    uint64_t channel;
    bool ok = table_init(&timed, 64);
    for (size_t i = libgo->tasks.first_task; ok && i < snapshot->task_count; i++) {
        uint32_t at = 0;
        while (ok && (channel = received_from(snapshot, &snapshot->tasks[i], &at)) != 0)
            ok = table_at(&timed, (struct table_key){channel, 0}) != NULL;
    }
    if (ok && timed.count &&
        !libgo_timed_channels(&libgo->runtime, libgo->inspection->image, &timed))
        builder_note(libgo->inspection->builder, "%s", go_tasks_timers_unknown);
    for (size_t i = libgo->tasks.first_task; ok && i < snapshot->task_count; i++) {
        uint32_t at = 0;
        while ((channel = received_from(snapshot, &snapshot->tasks[i], &at)) != 0) {
            if (*table_find(&timed, (struct table_key){channel, 0}))
                snapshot->tasks[i].flags |= SNAPSHOT_DEADLINE;
        }
    }
    table_deinit(&timed);
    return ok;
}

/* That a goroutine has no sudog is believed once another one's was found where they are kept: of an
 * unknown libgo something else may lie there. */
static void doubt_cases(struct libgo *libgo)
{
    struct snapshot *snapshot = builder_snapshot(libgo->inspection->builder);
    for (size_t i = libgo->tasks.first_task; i < snapshot->task_count; i++)
        snapshot->tasks[i].flags &= (uint16_t)~SNAPSHOT_CASES_KNOWN;
}

static bool run(struct libgo *libgo)
{
    struct image *image = libgo->inspection->image;
    struct snapshot *snapshot = builder_snapshot(libgo->inspection->builder);
    struct image_quiet quiet;
    int64_t quiet_ns = 0;
    bool ok = libgo_looks_init(&libgo->looks, libgo->memory) &&
              go_tasks_init(&libgo->tasks, libgo->inspection->builder, image,
                            libgo->runtime.reasons, libgo->runtime.reason_count);
    if (ok) {
        image_quiet_begin(&quiet, image);
        ok = read_list(libgo) && mark_timed(libgo);
        quiet_ns = image_quiet_end(&quiet, image);
    }
    if (!libgo->reading.has_found)
        doubt_cases(libgo);
    if (ok) {
        go_tasks_date(&libgo->tasks, image->taken_monotonic_ns ? image->taken_monotonic_ns
                                                               : libgo->tasks.latest_ns);
        if (quiet_ns > 0)
            go_tasks_were_quiet(&libgo->tasks, quiet_ns);
        snapshot->loss.stacks += libgo->tasks.stacks_lost;
        snapshot->loss.unreadable += libgo->strange;
        ok = libgo_mark_threads(&libgo->runtime, image, snapshot) && !libgo->tasks.failed;
    }
    if (ok && libgo->reading.reads_left == 0)
        builder_note(libgo->inspection->builder,
                     "its lists of waits are too long to be read to their end: what some "
                     "goroutines wait on is not told");
    if (ok && libgo->strange > libgo->seen / 2)
        builder_doubt(libgo->inspection->builder,
                      "its libgo is not laid out as that of GCC 12, which is known here: its "
                      "goroutines cannot be told");
    go_tasks_deinit(&libgo->tasks);
    libgo_looks_deinit(&libgo->looks);
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
    libgo_reading_init(&libgo->reading, &libgo->runtime, libgo->memory);
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
