/* The wrappers around libgo's functions: goroutines start, park, and end.
 *
 * All but runtime.gopark leave with a jump to the real function, so that neither libgo's own stack
 * traces nor its profiles show them: compiled with sibling calls.
 */
#include "preload/libgo.h"
#include "preload/modules.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "preload/goscan/reasons.h"
#include "preload/hooks.h"
#include "preload/memory.h"

/* --- wait reasons ---------------------------------------------------------------------------- */

/* How the object of a wait is found. */
enum object_rule {
    OBJECT_NONE,
    OBJECT_CHAN,      /* the lock that gopark is given is the channel's */
    OBJECT_COND,      /* the same of a sync.Cond */
    OBJECT_SELECT,    /* the cases that selectgo was given */
    OBJECT_SEMAPHORE, /* what semacquire was given */
    OBJECT_POLL,      /* gopark is given a word of the descriptor's runtime.pollDesc */
    OBJECT_IDLE,      /* none; and the goroutine is the runtime's own */
};

static const uint8_t object_rules[] = {
    [GO_OBJECT_NONE] = OBJECT_NONE,           [GO_OBJECT_CHANNEL] = OBJECT_CHAN,
    [GO_OBJECT_SELECT] = OBJECT_SELECT,       [GO_OBJECT_COND] = OBJECT_COND,
    [GO_OBJECT_SEMAPHORE] = OBJECT_SEMAPHORE, [GO_OBJECT_POLL] = OBJECT_POLL,
};

/* A semaphore by itself says nothing; part of a lock, it is that lock. */
static const struct {
    uint16_t op;
    uint8_t offset; /* of the semaphore in the lock */
} semaphores[LIBGO_SEMAPHORES] = {
    [LIBGO_SEMAPHORE] = {REC_OP_SEM_WAIT, 0},
    [LIBGO_MUTEX] = {REC_OP_MUTEX_LOCK, LIBGO_MUTEX_SEMA},
    [LIBGO_RWMUTEX_READ] = {REC_OP_RWLOCK_RDLOCK, LIBGO_RWMUTEX_READER_SEMA},
    [LIBGO_RWMUTEX_WRITE] = {REC_OP_RWLOCK_WRLOCK, LIBGO_RWMUTEX_WRITER_SEMA},
    [LIBGO_WAITGROUP] = {REC_OP_WAITGROUP_WAIT, LIBGO_WAITGROUP_SEMA},
};

/* By the number that gopark is given. A class of 0: it is not recorded. */
static struct reason {
    uint16_t call; /* row of the recording's table of calls */
    uint8_t class;
    uint8_t object;
    uint16_t flags;
} reasons[256];

static uint16_t semaphore_calls[LIBGO_SEMAPHORES];

/* A Go string. */
struct go_string {
    const char *text;
    int64_t bytes;
};

static struct {
    const struct go_string *strings; /* runtime.waitReasonStrings */
    uint64_t count;
} reason_names;

/* Reasons that we know nothing of are still what the runtime says of its goroutine. */
static void add_reason(struct reason *reason, const char *text)
{
    const struct go_reason_rule *known = go_reason_rule(text);
    uint8_t object = libgo.layout_known ? object_rules[known->object] : OBJECT_NONE;
    *reason = (struct reason){
        .call = (uint16_t)recorder_add_call(text, known->op, REC_CALL_REASON),
        .class = recorder_op_classes[known->op],
        .object = known->idle ? OBJECT_IDLE : object,
        .flags = known->deadline ? REC_WAIT_DEADLINE : 0,
    };
    if (known->op != REC_OP_SEM_WAIT)
        return;
    semaphore_calls[LIBGO_SEMAPHORE] = reason->call;
    for (int i = LIBGO_SEMAPHORE + 1; i < LIBGO_SEMAPHORES; i++)
        semaphore_calls[i] = (uint16_t)recorder_add_call(text, semaphores[i].op, REC_CALL_REASON);
}

static void add_reasons(void)
{
    const struct go_string *strings = reason_names.strings;
    for (uint64_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
        char text[64] = "";
        if (i < reason_names.count && strings[i].bytes > 0 &&
            strings[i].bytes < (int64_t)sizeof(text))
            memcpy(text, strings[i].text, (size_t)strings[i].bytes);
        if (text[0] != '\0')
            add_reason(&reasons[i], text);
        else
            reasons[i] = (struct reason){.call = CALL_libgo_gopark, .class = REC_CLASS_LOCK};
    }
}

/* --- which lock a semaphore belongs to ------------------------------------------------------- */

static struct {
    uint64_t start, end;
    enum libgo_semaphore kind;
} lockers[3];

static void find_lockers(void)
{
    static const struct {
        const char *symbol;
        enum libgo_semaphore kind;
    } names[] = {
        {"sync.Mutex.lockSlow", LIBGO_MUTEX},
        {"sync.RWMutex.RLock", LIBGO_RWMUTEX_READ},
        {"sync.RWMutex.Lock", LIBGO_RWMUTEX_WRITE},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        void *at = hooks_find(names[i].symbol, NULL);
        lockers[i].start = (uint64_t)at;
        lockers[i].end = (uint64_t)at + module_symbol_bytes(at);
        lockers[i].kind = names[i].kind;
    }
}

void libgo_init(void)
{
    if (libgo.table != NULL || !libgo_attach())
        return;
    reason_names.strings = hooks_find("runtime.waitReasonStrings", NULL);
    reason_names.count = module_symbol_bytes(reason_names.strings) / sizeof(*reason_names.strings);
    find_lockers();
}

void libgo_add_calls(void)
{
    if (libgo.table == NULL)
        return;
    memory_clear(libgo.table, (libgo.mask + 1) * sizeof(*libgo.table));
    add_reasons();
    __atomic_fetch_or(&recorder.header->runtimes, REC_RUNTIME_LIBGO, __ATOMIC_RELAXED);
    /* Last: another thread may make a goroutine meanwhile, whose row is to stay. */
    __atomic_store_n(&libgo.present, true, __ATOMIC_RELEASE);
}

/* --- start and end --------------------------------------------------------------------------- */

/* Between __go_go and the making of its goroutine: no other goroutine runs on the thread then. */
static __thread struct {
    bool set;
    uint32_t site;
} spawning __attribute__((tls_model("initial-exec")));

/* The end of the stack that `sp` is on; 0: not known. */
static uint64_t stack_end(uint64_t sp)
{
    if (libgo.segment_offset == 0)
        return 0;
    uint64_t segment = libgo_thread_word(libgo.segment_offset);
    if (segment == 0 || sp < segment)
        return 0;
    uint64_t bytes = *(const uint64_t *)(segment + LIBGO_SEGMENT_SIZE);
    return sp - segment < bytes + LIBGO_SEGMENT_HEAD ? segment + LIBGO_SEGMENT_HEAD + bytes : 0;
}

__attribute__((noinline)) static uint32_t spawn_site(uint64_t pc, uint64_t sp, uint64_t fp)
{
    uint64_t end = stack_end(sp);
    return hooks_spawn_site(pc, sp, fp, end != 0 ? end : own_stack_end(sp));
}

/* libgo may come into a process that has run for long; then the first goroutine is made where there
 * is a C stack. */
__attribute__((noinline)) static void attach_late(void)
{
    static uint32_t attaching;
    if (__atomic_exchange_n(&attaching, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    libgo_init();
    libgo_add_calls();
}

void *hook_libgo_go(void *function, void *arg)
{
    if (unlikely(recorder.header == NULL))
        return hooks_real.libgo_go(function, arg);
    if (unlikely(!libgo.present))
        attach_late();
    if (likely(libgo.present)) {
        spawning.site =
            spawn_site((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_dwarf_cfa(),
                       *(const uint64_t *)__builtin_frame_address(0));
        spawning.set = true;
    }
    return hooks_real.libgo_go(function, arg);
}

/* Decimal, from the left. */
static void put_number(char name[16], uint64_t number)
{
    int digits = 1;
    for (uint64_t rest = number; rest >= 10 && digits < 15; rest /= 10)
        digits++;
    for (; digits > 0; number /= 10)
        name[--digits] = (char)('0' + number % 10);
}

__attribute__((noinline)) static void spawned(uint64_t g)
{
    char name[16] = "";
    struct goroutine *row = libgo_row(g);
    spawning.set = false;
    if (unlikely(row == NULL)) {
        recorder_count(&recorder.header->spawned);
        recorder_count(&recorder.header->lost_tasks);
        return;
    }
    if (libgo.layout_known)
        put_number(name, *(const uint64_t *)(g + LIBGO_G_GOID));
    row->task = row->kept;
    row->kept = NULL;
    if (likely(row->task != NULL))
        recorder_spawn_again(row->task, 0, spawning.site, name);
    else
        row->task = recorder_spawn(REC_KIND_GOROUTINE, 0, spawning.site, g, name);
    row->lost = row->task == NULL;
}

static inline bool is_recorded(void)
{
    return likely(libgo.present) && likely(recorder.header != NULL);
}

/* The goroutine is whole, but nobody knows of it yet. */
void hook_libgo_make_context(void *g, void *stack, size_t bytes)
{
    if (likely(spawning.set) && likely(recorder.header != NULL))
        spawned((uint64_t)g);
    hooks_real.libgo_make_context(g, stack, bytes);
}

__attribute__((noinline)) static void ended(void)
{
    struct goroutine *self = libgo_self();
    if (self == NULL)
        return;
    struct rec_task *task = self->task;
    self->task = NULL;
    self->kept = task != NULL && recorder_keep(task) ? task : NULL;
    self->lost = false;
}

/* The last that runs on a goroutine, whether its function returned or called runtime.Goexit. */
void hook_libgo_goexit(void)
{
    if (is_recorded())
        ended();
    hooks_real.libgo_goexit();
}

/* --- what is about to be waited for ---------------------------------------------------------- */

__attribute__((noinline)) static void note(uint64_t object, uint32_t arg)
{
    struct goroutine *self = libgo_self();
    if (self == NULL)
        return;
    self->object = object;
    self->arg = arg;
}

libgo_pair hook_libgo_selectgo(void *cases, void *order, int64_t sends, int64_t receives,
                               bool block)
{
    if (block && is_recorded())
        note((uint64_t)cases, (uint32_t)(sends << 16 | (receives & 0xffff)));
    return hooks_real.libgo_selectgo(cases, order, sends, receives, block);
}

void hook_libgo_semacquire(void *semaphore)
{
    if (is_recorded())
        note((uint64_t)semaphore, LIBGO_WAITGROUP);
    hooks_real.libgo_semacquire(semaphore);
}

__attribute__((noinline)) static void note_lock(uint64_t semaphore, uint64_t caller)
{
    enum libgo_semaphore kind = LIBGO_SEMAPHORE;
    for (size_t i = 0; i < sizeof(lockers) / sizeof(*lockers); i++)
        if (caller > lockers[i].start && caller <= lockers[i].end)
            kind = lockers[i].kind;
    note(semaphore, kind);
}

void hook_libgo_semacquire_mutex(void *semaphore, bool first, int64_t skip)
{
    if (is_recorded())
        note_lock((uint64_t)semaphore, (uint64_t)__builtin_return_address(0));
    hooks_real.libgo_semacquire_mutex(semaphore, first, skip);
}

/* What the two above call, and everybody else who waits on a semaphore. */
__attribute__((noinline)) static void note_any(uint64_t semaphore)
{
    struct goroutine *self = libgo_self();
    if (self != NULL && self->object != semaphore)
        note(semaphore, LIBGO_SEMAPHORE);
}

void hook_libgo_semacquire1(void *semaphore, bool first, int64_t profile, int64_t skip)
{
    if (is_recorded())
        note_any((uint64_t)semaphore);
    hooks_real.libgo_semacquire1(semaphore, first, profile, skip);
}

/* --- parking --------------------------------------------------------------------------------- */

struct park {
    uint64_t object;
    uint32_t arg;
    uint16_t call;
    uint16_t flags;
};

/* gopark is given the address of `rg` or of `wg`; which one, the descriptor's own address tells. */
static void find_poll(struct park *park, uint64_t word)
{
    static const struct {
        uint16_t word, until;
    } sides[] = {{LIBGO_POLL_READER, LIBGO_POLL_READ_UNTIL},
                 {LIBGO_POLL_WRITER, LIBGO_POLL_WRITE_UNTIL}};
    for (int i = 0; i < 2; i++) {
        uint64_t poll = word - sides[i].word;
        if (*(const uint64_t *)(poll + LIBGO_POLL_SELF) != poll)
            continue;
        park->object = *(const uint64_t *)(poll + LIBGO_POLL_FD);
        if (*(const int64_t *)(poll + sides[i].until) != 0)
            park->flags |= REC_WAIT_DEADLINE;
        return;
    }
}

__attribute__((noinline)) static void find_object(struct park *park, const struct goroutine *self,
                                                  enum object_rule rule, uint64_t lock)
{
    switch (rule) {
    case OBJECT_COND:
        park->object = lock - LIBGO_COND_LOCK;
        break;
    case OBJECT_SELECT:
        park->object = self->object;
        park->arg = self->arg;
        break;
    case OBJECT_SEMAPHORE: {
        /* What was noted last may have been a select at the same address. */
        uint32_t kind = self->arg < LIBGO_SEMAPHORES ? self->arg : LIBGO_SEMAPHORE;
        park->object = self->object - semaphores[kind].offset;
        park->call = semaphore_calls[kind];
        break;
    }
    case OBJECT_POLL:
        find_poll(park, lock);
        break;
    case OBJECT_IDLE:
        __atomic_fetch_or(&self->task->flags, REC_TASK_SYSTEM, __ATOMIC_RELAXED);
        break;
    case OBJECT_NONE:
    case OBJECT_CHAN:
        break;
    }
}

void hook_libgo_gopark(void *unlock, void *lock, uint8_t number, uint8_t event, int64_t skip)
{
    const struct reason *reason = &reasons[number];
    struct goroutine *self;
    if (unlikely(!(recorder.classes & reason->class)) || unlikely(recorder.header == NULL) ||
        unlikely((self = libgo_self()) == NULL) ||
        (unlikely(self->task == NULL) && libgo_adopt(self) == NULL)) {
        hooks_real.libgo_gopark(unlock, lock, number, event, skip);
        return;
    }
    struct park park = {.call = reason->call, .flags = reason->flags};
    if (likely(reason->object == OBJECT_CHAN))
        park.object = (uint64_t)lock - LIBGO_CHAN_LOCK;
    else
        find_object(&park, self, reason->object, (uint64_t)lock);
    struct wait published;
    wait_begin(&published, self->task, park.call, park.flags, park.object, park.arg);
    hooks_real.libgo_gopark(unlock, lock, number, event, skip);
    wait_end(&published);
}
