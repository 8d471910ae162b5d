#include "analyzer/libgo_runtime.h"

#include <string.h>

#include "analyzer/image_symbols.h"
#include "preload/goscan/libgo_layout.h"
#include "preload/goscan/reasons.h"

#define MOST_THREADS 100000 /* of the list of all threads, which may lead round in circles */
#define MOST_PROCESSORS 4096
#define MOST_TIMERS (1U << 20) /* of one processor */
#define GO_STRING_BYTES 16     /* a string: address, length */

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
        const struct go_reason_rule *rule = go_reason_rule(reason->text);
        reason->op = rule->op;
        reason->object = rule->object;
        reason->lock = rule->lock;
        reason->idle = rule->idle;
        reason->deadline = rule->deadline;
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
    image_all_symbols(image, ret->module, locals, 3);
    ret->all_m = locals[0].address;
    ret->all_p = locals[1].address;
    ret->send_time = locals[2].address;
    return true;
}

enum go_lock libgo_lock_of(const struct libgo_runtime *runtime, const uint64_t *pcs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < LIBGO_LOCKERS; k++) {
            const struct libgo_locker *locker = &runtime->lockers[k];
            if (pcs[i] > locker->start && pcs[i] <= locker->end)
                return locker->lock;
        }
    }
    return GO_LOCK_NONE;
}

uint32_t libgo_semaphore_offset(enum go_lock lock)
{
    static const uint32_t offsets[GO_LOCK_COUNT] = {
        [GO_LOCK_MUTEX] = LIBGO_MUTEX_SEMA,
        [GO_LOCK_RWLOCK_READ] = LIBGO_RWMUTEX_READER_SEMA,
        [GO_LOCK_RWLOCK_WRITE] = LIBGO_RWMUTEX_WRITER_SEMA,
        [GO_LOCK_WAITGROUP] = LIBGO_WAITGROUP_SEMA,
    };
    return offsets[lock];
}

/* Whether a timer is in a heap, and will fire: runtime.timerWaiting and so on. */
static bool is_set(const unsigned char *timer)
{
    enum { WAITING = 1, RUNNING = 2, MODIFYING = 6, MOVING = 9 };
    uint32_t status;
    memcpy(&status, timer + LIBGO_TIMER_STATUS, sizeof(status));
    return status == WAITING || status == RUNNING || (status >= MODIFYING && status <= MOVING);
}

static bool add_timer(const struct libgo_runtime *runtime, struct image *image, uint64_t address,
                      struct table *ret)
{
    unsigned char timer[LIBGO_TIMER_BYTES];
    uint64_t function, code, channel;
    if (!mem_read(image->memory, address, timer, sizeof(timer)) || !is_set(timer))
        return true;
    memcpy(&function, timer + LIBGO_TIMER_FUNCTION, sizeof(function));
    memcpy(&channel, timer + LIBGO_TIMER_ARG + sizeof(channel), sizeof(channel));
    if (!mem_read(image->memory, function, &code, sizeof(code)) || code != runtime->send_time)
        return true;
    return table_at(ret, (struct table_key){channel, 0}) != NULL;
}

bool libgo_timed_channels(const struct libgo_runtime *runtime, struct image *image,
                          struct table *ret)
{
    uint64_t processors[2], timers[2], processor, timer; /* address, count */
    if (runtime->all_p == 0 || runtime->send_time == 0 ||
        !mem_read(image->memory, runtime->all_p, processors, sizeof(processors)) ||
        processors[1] > MOST_PROCESSORS)
        return true;
    for (uint64_t i = 0; i < processors[1]; i++) {
        if (!mem_read(image->memory, processors[0] + i * 8, &processor, 8) ||
            !mem_read(image->memory, processor + LIBGO_P_TIMERS, timers, sizeof(timers)) ||
            timers[1] > MOST_TIMERS)
            continue;
        for (uint64_t k = 0; k < timers[1]; k++) {
            if (!mem_read(image->memory, timers[0] + k * 8, &timer, 8))
                break;
            if (!add_timer(runtime, image, timer, ret))
                return false;
        }
    }
    return true;
}

void libgo_mark_threads(const struct libgo_runtime *runtime, struct image *image)
{
    uint64_t m;
    if (runtime->all_m == 0 || !mem_read(image->memory, runtime->all_m, &m, sizeof(m)))
        return;
    for (int i = 0; m && i < MOST_THREADS; i++) {
        uint64_t tid, current, next;
        struct mem_piece pieces[] = {
            {.address = m + LIBGO_M_PROCID, .to = &tid, .bytes = sizeof(tid)},
            {.address = m + LIBGO_M_CURG, .to = &current, .bytes = sizeof(current)},
            {.address = m + LIBGO_M_NEXT, .to = &next, .bytes = sizeof(next)},
        };
        image->memory->read(image->memory, pieces, 3);
        if (!pieces[0].ok || !pieces[1].ok || !pieces[2].ok)
            return;
        for (size_t k = 0; current == 0 && k < image->thread_count; k++) {
            if (image->threads[k].tid == tid)
                image->threads[k].runtime = true;
        }
        m = next;
    }
}
