#include "analyzer/inspect/libgo_runtime.h"

#include <string.h>

#include "analyzer/image/symbols.h"
#include "preload/goscan/g.h"
#include "preload/goscan/libgo_layout.h"

#define MAX_THREADS 100000    /* of the list of all threads, which may lead round in circles */
#define MAX_TIMERS (1U << 23) /* of all processors */
#define TIMERS_AT_ONCE 128
#define WRITERS_FRAMES 2   /* from what waits for a Mutex to RWMutex.Lock, Mutex.Lock between */
#define GO_STRING_BYTES 16 /* a string: address, length */

enum symbol {
    SYMBOL_GO, /* what a go statement calls; Go's own compiler has no such function */
    SYMBOL_ALLGPTR,
    SYMBOL_ALLGLEN,
    SYMBOL_REASONS,
    SYMBOL_NEEDED, /* so many of the first */
    SYMBOL_LOCKERS = SYMBOL_NEEDED,
    SYMBOL_COUNT = SYMBOL_LOCKERS + LIBGO_LOCKERS
};

static const enum go_lock locks[LIBGO_LOCKERS] = {GO_LOCK_MUTEX, GO_LOCK_RWLOCK_READ,
                                                  GO_LOCK_RWLOCK_WRITE, GO_LOCK_WAITGROUP};

static void name_symbols(struct image_symbol symbols[SYMBOL_COUNT])
{
    static const char *const names[SYMBOL_COUNT] = {
        "__go_go",
        "runtime.allgptr",
        "runtime.allglen",
        "runtime.waitReasonStrings",
        "sync.Mutex.lockSlow",
        "sync.RWMutex.RLock",
        "sync.RWMutex.Lock",
        "sync.WaitGroup.Wait",
    };
    for (size_t i = 0; i < SYMBOL_COUNT; i++)
        symbols[i] = (struct image_symbol){.name = names[i]};
}

static bool has_needed(const struct image_symbol symbols[SYMBOL_COUNT])
{
    for (size_t i = 0; i < SYMBOL_NEEDED; i++) {
        if (symbols[i].address == 0 || symbols[i].is_local)
            return false;
    }
    return true;
}

static void read_reasons(struct image *image, const struct image_symbol *symbol,
                         struct libgo_runtime *ret)
{
    uint64_t count = symbol->bytes / GO_STRING_BYTES;
    if (count > GO_MAX_REASONS)
        count = GO_MAX_REASONS;
    ret->reason_count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        struct go_reason *reason = &ret->reasons[i];
        uint64_t string[2];
        memset(reason, 0, sizeof(*reason));
        if (mem_read(image->memory, symbol->address + i * GO_STRING_BYTES, string,
                     sizeof(string)) &&
            string[1] < sizeof(reason->text) && string[1] > 0)
            (void)mem_read(image->memory, string[0], reason->text, (size_t)string[1]);
        go_reason_explain(reason);
    }
}

bool libgo_find(struct image *image, struct libgo_runtime *ret)
{
    struct image_symbol symbols[SYMBOL_COUNT];
    struct image_symbol locals[] = {
        {.name = "runtime.allm"}, {.name = "runtime.allp"}, {.name = "time.sendTime"}};
    uint32_t exe = image_exe_module(image);
    memset(ret, 0, sizeof(*ret));
    name_symbols(symbols);
    for (uint32_t i = 1; i < image->module_count && !ret->module; i++) {
        if (image_exported(image, i, symbols, SYMBOL_COUNT) && has_needed(symbols))
            ret->module = i;
    }
    /* Linked into the program. */
    if (!ret->module && exe && image_all_symbols(image, exe, symbols, SYMBOL_COUNT) &&
        has_needed(symbols))
        ret->module = exe;
    if (!ret->module)
        return false;
    ret->all_g_pointer = symbols[SYMBOL_ALLGPTR].address;
    ret->all_g_count = symbols[SYMBOL_ALLGLEN].address;
    for (size_t i = 0; i < LIBGO_LOCKERS; i++) {
        const struct image_symbol *symbol = &symbols[SYMBOL_LOCKERS + i];
        ret->lockers[i] =
            (struct libgo_locker){symbol->address, symbol->address + symbol->bytes, locks[i]};
    }
    read_reasons(image, &symbols[SYMBOL_REASONS], ret);
    /* They are not exported: a file has all three still, or, stripped, none. */
    image_all_symbols(image, ret->module, locals, 3);
    ret->all_m = locals[0].address;
    ret->all_p = locals[1].address;
    ret->send_time = locals[2].address;
    return true;
}

/* Which lock the function around a return address waits for. */
static enum go_lock lock_at(const struct libgo_runtime *runtime, uint64_t pc)
{
    for (size_t k = 0; k < LIBGO_LOCKERS; k++) {
        const struct libgo_locker *locker = &runtime->lockers[k];
        if (pc > locker->start && pc <= locker->end)
            return locker->lock;
    }
    return GO_LOCK_NONE;
}

/* Whether a wait for a Mutex is that of RWMutex.Lock, for another writer. `pcs`: its callers. */
static bool is_writers(const struct libgo_runtime *runtime, const uint64_t *pcs, size_t count)
{
    for (size_t i = 0; i < count && i < WRITERS_FRAMES; i++) {
        if (lock_at(runtime, pcs[i]) == GO_LOCK_RWLOCK_WRITE)
            return true;
    }
    return false;
}

enum go_lock libgo_lock_of(const struct libgo_runtime *runtime, const uint64_t *pcs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum go_lock lock = lock_at(runtime, pcs[i]);
        if (lock == GO_LOCK_MUTEX && is_writers(runtime, pcs + i + 1, count - i - 1))
            return GO_LOCK_RWLOCK_MUTEX;
        if (lock != GO_LOCK_NONE)
            return lock;
    }
    return GO_LOCK_NONE;
}

uint32_t libgo_semaphore_offset(enum go_lock lock)
{
    static const uint32_t offsets[GO_LOCK_COUNT] = {
        [GO_LOCK_MUTEX] = LIBGO_MUTEX_SEMA,
        [GO_LOCK_RWLOCK_MUTEX] = LIBGO_MUTEX_SEMA,
        [GO_LOCK_RWLOCK_READ] = LIBGO_RWMUTEX_READER_SEMA,
        [GO_LOCK_RWLOCK_WRITE] = LIBGO_RWMUTEX_WRITER_SEMA,
        [GO_LOCK_WAITGROUP] = LIBGO_WAITGROUP_SEMA,
    };
    return offsets[lock];
}

/* Channels that somebody waits on, and how many timers may still be read. */
struct timed {
    const struct libgo_runtime *runtime;
    struct mem_reader *memory;
    struct table *channels;
    uint64_t left;
};

static void take_timer(struct timed *timed, const unsigned char *timer)
{
    uint64_t function = word_at(timer, LIBGO_TIMER_FUNCTION), code;
    uint64_t channel = word_at(timer, LIBGO_TIMER_ARG + 8U);
    uint32_t *value = table_find(timed->channels, (struct table_key){channel, 0});
    /* Most timers are nobody's whom we ask about. */
    if (value && *value == 0 && g_timer_is_set(half_at(timer, LIBGO_TIMER_STATUS)) &&
        mem_read(timed->memory, function, &code, sizeof(code)) && code == timed->runtime->send_time)
        *value = 1;
}

static bool take_some(struct timed *timed, uint64_t list, size_t count)
{
    uint64_t addresses[TIMERS_AT_ONCE];
    unsigned char timers[TIMERS_AT_ONCE][LIBGO_TIMER_BYTES];
    struct mem_piece pieces[TIMERS_AT_ONCE];
    bool complete = true;
    if (!mem_read(timed->memory, list, addresses, count * sizeof(*addresses)))
        return false;
    for (size_t i = 0; i < count; i++)
        pieces[i] = (struct mem_piece){
            .address = addresses[i], .to = timers[i], .bytes = LIBGO_TIMER_BYTES};
    timed->memory->read(timed->memory, pieces, count);
    for (size_t i = 0; i < count; i++) {
        complete &= pieces[i].ok || addresses[i] == 0; /* just taken out */
        if (pieces[i].ok)
            take_timer(timed, timers[i]);
    }
    return complete;
}

static bool take_processor(struct timed *timed, uint64_t processor)
{
    uint64_t list[2]; /* address, count */
    bool complete = true;
    if (!mem_read(timed->memory, processor + LIBGO_P_TIMERS, list, sizeof(list)) ||
        list[1] > timed->left)
        return false;
    timed->left -= list[1];
    for (uint64_t at = 0; at < list[1]; at += TIMERS_AT_ONCE) {
        uint64_t count = list[1] - at < TIMERS_AT_ONCE ? list[1] - at : TIMERS_AT_ONCE;
        complete &= take_some(timed, list[0] + at * 8, (size_t)count);
    }
    return complete;
}

bool libgo_timed_channels(const struct libgo_runtime *runtime, struct image *image,
                          struct table *channels)
{
    struct timed timed = {runtime, image->memory, channels, MAX_TIMERS};
    uint64_t list[2], processor; /* address, count */
    if (runtime->all_p == 0 || runtime->send_time == 0 ||
        !mem_read(image->memory, runtime->all_p, list, sizeof(list)) || list[1] > GO_MAX_PROCESSORS)
        return false;
    bool complete = true;
    for (uint64_t i = 0; i < list[1]; i++)
        complete &= mem_read(image->memory, list[0] + i * 8, &processor, sizeof(processor)) &&
                    take_processor(&timed, processor);
    return complete;
}

bool libgo_mark_threads(const struct libgo_runtime *runtime, struct image *image,
                        struct snapshot *snapshot)
{
    uint64_t m;
    if (runtime->all_m == 0 || !mem_read(image->memory, runtime->all_m, &m, sizeof(m)))
        return true;
    for (int i = 0; m && i < MAX_THREADS; i++) {
        uint64_t tid, current, next;
        struct mem_piece pieces[] = {
            {.address = m + LIBGO_M_PROCID, .to = &tid, .bytes = sizeof(tid)},
            {.address = m + LIBGO_M_CURG, .to = &current, .bytes = sizeof(current)},
            {.address = m + LIBGO_M_NEXT, .to = &next, .bytes = sizeof(next)},
        };
        image->memory->read(image->memory, pieces, 3);
        if (!pieces[0].ok || !pieces[1].ok || !pieces[2].ok)
            return true;
        if (!snapshot_add_worker(snapshot, (uint32_t)tid))
            return false;
        struct image_thread *thread = current == 0 ? image_thread_of(image, (uint32_t)tid) : NULL;
        if (thread)
            thread->runtime = true;
        m = next;
    }
    return true;
}
