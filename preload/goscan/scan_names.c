/* What is told by the names of functions; each address is worked out once. */
#include "preload/goscan/hash.h"
#include "preload/goscan/scan.h"

/* The row of an address among memos. */
static size_t memo_of(uint64_t address)
{
    return (size_t)(hash_word(address) >> 56) & (SCAN_MEMOS - 1);
}

/* ---- The runtime's own goroutines ---- */

enum start {
    START_PROGRAM, /* the program's own function */
    START_RUNTIME,
    START_CALLER,    /* the runtime's, but it calls functions of the program */
    START_COROUTINE, /* the program's, called by a function of the runtime */
};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* As runtime.isSystemGoroutine has it. */
static enum start start_of(const char *name)
{
    static const struct {
        const char *name;
        enum start start;
    } rows[] = {
        {"runtime.main", START_PROGRAM},
        {"runtime.corostart", START_COROUTINE},
        {"runtime.handleAsyncEvent", START_PROGRAM},
        {"runtime.runfinq", START_CALLER}, /* until 1.24 */
        {"runtime.runFinalizers", START_CALLER},
        {"runtime.runCleanups", START_CALLER},
    };
    if (!begins(name, "runtime."))
        return START_PROGRAM;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(name, rows[i].name) == 0)
            return rows[i].start;
    }
    return START_RUNTIME;
}

static enum start start_at(struct goscan *scan, uint64_t start_pc)
{
    struct scan_memo *memo = &scan_state(scan)->system[memo_of(start_pc)];
    if (start_pc == 0)
        return START_PROGRAM;
    if (memo->pc != start_pc) {
        struct pclntab_function function;
        char name[64];
        memo->pc = start_pc;
        memo->value = START_PROGRAM;
        if (pclntab_find(&scan->functions, start_pc, &function) &&
            pclntab_name(&scan->functions, &function, name, sizeof(name)))
            memo->value = start_of(name);
    }
    return memo->value;
}

bool scan_is_system(struct goscan *scan, uint64_t start_pc, const char *reason)
{
    enum start start = start_at(scan, start_pc);
    if (start == START_CALLER)
        return strcmp(reason, "finalizer wait") == 0 || strcmp(reason, "cleanup wait") == 0;
    return start == START_RUNTIME;
}

bool scan_is_coroutine(struct goscan *scan, uint64_t start_pc)
{
    return start_at(scan, start_pc) == START_COROUTINE;
}

/* ---- Which lock a semaphore is part of ---- */

enum lock_mark {
    MARK_MUTEX = 1,
    MARK_READ = 2,
    MARK_WRITE = 4,
    MARK_WAITGROUP = 8,
    MARK_END = 16, /* here begins the code that uses locks */
};

#define MAX_LOCK_FRAMES 10

static const struct {
    const char *name;
    uint32_t marks;
} lock_functions[] = {
    {"sync.(*Mutex).lockSlow", MARK_MUTEX},
    {"sync.(*Mutex).Lock", MARK_MUTEX},
    {"internal/sync.(*Mutex).lockSlow", MARK_MUTEX}, /* since 1.24 */
    {"internal/sync.(*Mutex).Lock", MARK_MUTEX},
    {"sync.(*RWMutex).RLock", MARK_READ},
    {"sync.(*RWMutex).Lock", MARK_WRITE},
    {"sync.(*WaitGroup).Wait", MARK_WAITGROUP},
};

static uint32_t marks_of_name(const char *name)
{
    for (size_t i = 0; i < sizeof(lock_functions) / sizeof(*lock_functions); i++) {
        if (strcmp(name, lock_functions[i].name) == 0)
            return lock_functions[i].marks;
    }
    return begins(name, "runtime.") || begins(name, "sync.runtime_") ||
                   begins(name, "internal/sync.runtime_")
               ? 0
               : MARK_END;
}

static uint32_t marks_at(struct goscan *scan, uint64_t pc)
{
    struct scan_state *state = scan_state(scan);
    struct scan_memo *memo = &state->locks[memo_of(pc)];
    if (memo->pc == pc)
        return memo->value;
    memo->pc = pc;
    memo->value = 0;
    size_t count = pclntab_calls(&scan->functions, pc - 1, state->calls);
    for (size_t i = 0; i < count && (memo->value & MARK_END) == 0; i++)
        memo->value |= marks_of_name(state->calls[i].function);
    if (count == 0)
        memo->value = MARK_END;
    return memo->value;
}

enum go_lock scan_lock_of(struct goscan *scan, const struct go_stack *stack)
{
    uint32_t marks = 0;
    for (uint32_t i = 0; i < stack->count && i < MAX_LOCK_FRAMES && (marks & MARK_END) == 0; i++)
        marks |= marks_at(scan, stack->pcs[i]);
    if ((marks & MARK_WRITE) != 0)
        return (marks & MARK_MUTEX) != 0 ? GO_LOCK_RWLOCK_MUTEX : GO_LOCK_RWLOCK_WRITE;
    if ((marks & MARK_MUTEX) != 0)
        return GO_LOCK_MUTEX;
    if ((marks & MARK_READ) != 0)
        return GO_LOCK_RWLOCK_READ;
    return (marks & MARK_WAITGROUP) != 0 ? GO_LOCK_WAITGROUP : GO_LOCK_NONE;
}

/* ---- Inlined calls ---- */

uint64_t scan_outer_call(struct goscan *scan, uint64_t pc)
{
    struct scan_memo *memo = &scan_state(scan)->inlined[memo_of(pc)];
    if (memo->pc != pc) {
        uint64_t outer = pclntab_outer_call(&scan->functions, pc);
        memo->pc = pc;
        memo->value = outer != 0 ? (uint32_t)(outer - pc) : 0; /* in the same function */
    }
    return memo->value != 0 ? pc + (uint64_t)(int64_t)(int32_t)memo->value : 0;
}

/* ---- What timers call ---- */

/* The name of the function that begins at `pc`; "": it has none that fits. */
static void name_at(struct goscan *scan, uint64_t pc, char *name, size_t bytes)
{
    struct pclntab_function function;
    if (!pclntab_find(&scan->functions, pc, &function) ||
        !pclntab_name(&scan->functions, &function, name, bytes))
        name[0] = '\0';
}

enum scan_timer_function scan_timer_function(struct goscan *scan, uint64_t function_value)
{
    static const struct {
        const char *name;
        enum scan_timer_function does;
    } rows[] = {{"time.sendTime", TIMER_SENDS}, {"time.goFunc", TIMER_CALLS}};
    struct scan_memo *memo = &scan_state(scan)->timers[memo_of(function_value)];
    if (memo->pc == function_value)
        return memo->value;
    uint64_t pc;
    char name[32] = "";
    memo->pc = function_value;
    memo->value = TIMER_OTHER;
    if (mem_read(scan->reader, function_value, &pc, sizeof(pc)))
        name_at(scan, pc, name, sizeof(name));
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (strcmp(name, rows[i].name) == 0)
            memo->value = rows[i].does;
    }
    return memo->value;
}

bool scan_ends_context(struct goscan *scan, uint64_t pc)
{
    struct scan_memo *memo = &scan_state(scan)->closures[memo_of(pc)];
    if (memo->pc == pc)
        return memo->value != 0;
    char name[64];
    name_at(scan, pc, name, sizeof(name));
    memo->pc = pc;
    memo->value = begins(name, "context.WithDeadline.func") ||
                  begins(name, "context.WithDeadlineCause.func"); /* since 1.21 */
    return memo->value != 0;
}
