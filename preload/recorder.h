/* What all writers of the recording share: where its tables are mapped, slots and strings. Sites,
 * frames and modules are written by the files of these names (modules from outside: writer.c),
 * waits by waits.h, and what is seen of them by look.c and go_record.c.
 *
 * The recorder writes; the recording is what it writes, whose format is in recording.h, and whose
 * file is made and ended by recording_file.h. Slots are in slots.c, rows of the other tables and
 * strings in tables.c, and in recorder.c is what only the recorder inside of a program has. What
 * the one outside (writer.c) has, too, is in recording_file.c.
 *
 * Nothing here fails the host: where a slot or space is missing, the loss is counted and the caller
 * goes on with a slot that nobody reads.
 */
#ifndef LEAKSPY_RECORDER_H
#define LEAKSPY_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/recording.h"
#include "preload/unwind.h"

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* Words that others read or write meanwhile, where nothing is ordered by them: relaxed atomic
 * accesses, and a plain load or store each. GCC makes more of those in a wrapper's loop (it
 * computes their addresses before); a volatile access is the same to it but for that.
 * ThreadSanitizer is told what it is. */
#if defined(__SANITIZE_THREAD__)
#define SHARED_GET(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define SHARED_PUT(word, value) __atomic_store_n(&(word), value, __ATOMIC_RELAXED)
#else
#define SHARED_GET(word) (*(const volatile __typeof__(word) *)&(word))
#define SHARED_PUT(word, value) ((void)(*(volatile __typeof__(word) *)&(word) = (value)))
#endif

/* For variables that only wrappers and adapters use: without it GCC finds them by way of the global
 * offset table, since -fvisibility says nothing of what is only declared. */
#define HIDDEN __attribute__((visibility("hidden")))

/* What the process knows of its recording. Written at start, before the first thread is made and
 * after fork, when there is one thread; read everywhere. */
struct recorder {
    uint32_t classes; /* enum rec_class that are recorded; 0: nothing is, wrappers pass through */
    struct rec_header *header; /* NULL: no recording (yet) */
    struct rec_task *tasks;
    struct rec_site *sites;
    uint64_t *pcs;
    struct rec_frame *frames;
    char *strings;
    struct rec_module *modules;
    struct rec_call *calls;
    struct rec_case *cases;
    struct rec_descriptor *descriptors;
    struct rec_asleep *asleep;
};

extern struct recorder recorder;

/* The process has a system call filter, or is about to have one: no thread of the program's makes a
 * system call of ours meanwhile, since one that the filter forbids may end it. What would need one
 * is lost, and counted. It is so for good, unless the filter is refused. */
extern bool recorder_quiet;

/* Threads that were counted as spawned and lost when they were spawned, or before there was a
 * recording: each may still be adopted. */
extern uint64_t recorder_lost_threads;

/* A thread was counted as spawned and lost, and is not, or was counted twice. Any thread, any
 * context. */
void recorder_take_back_loss(void);

/* A slot was given to a thread that may be one of recorder_lost_threads. Any thread, any context.
 */
void recorder_find_lost_thread(void);

/* What a thread has of its own. */
struct recorder_thread {
    struct rec_task sink; /* published to when there is no slot; nobody reads it */
    uint64_t stack_bytes; /* of its stack; 0: not known */
    struct rec_task *last_spawned;
    uint64_t last_spawned_id;
    struct rec_task *spare;     /* a free slot for its next runtime task */
    struct rec_task *outside;   /* its slot, while it is inside libunwind and publishes nowhere */
    struct rec_task *unwatched; /* its slot, while there is no sampler (thread_count.h) */
    bool inside;
    bool sampler;          /* it is the sampler */
    uint32_t forks;        /* calls of unwind_before_fork that wait for their unwind_after_fork */
    uint64_t fork_signals; /* those that it had blocked before the first */
    void (*once)(void);    /* routine of the pthread_once that is being called */
    struct wait *once_wait;
    struct unwind_stack stack; /* scratch: too large for the stacks of some tasks */
    struct unwind_trace trace; /* of the spawn stack that was told last */
    uint32_t trace_site;
    /* NULL: not known to the recorder yet, or again after fork. The last, which on x86-64 is beside
     * the thread pointer: a system call makes the processor forget where pages are, and that one is
     * used anyway. */
    struct rec_task *task;
};

extern __thread struct recorder_thread recorder_thread __attribute__((tls_model("initial-exec")));

/* What the environment asks for. */
struct recorder_options {
    const char *out;           /* LEAKSPY_OUT; NULL: a file of the user's folder */
    uint64_t sample_period_ns; /* LEAKSPY_SAMPLE */
    uint32_t classes;          /* LEAKSPY_OPS, enum rec_class */
    uint32_t max_tasks;        /* LEAKSPY_MAX_TASKS */
    bool children;             /* LEAKSPY_CHILDREN */
    bool verbose;              /* LEAKSPY_VERBOSE */
};

extern struct recorder_options recorder_options;

/* enum rec_class by enum rec_op. Where the op is a constant, HOOK_RECORDS of hooks.h asks without
 * the table. */
extern const uint8_t recorder_op_classes[REC_OP_COUNT];

/* Begins a recording of the own process: makes its file, and readies all that writes to it.
 * `fork_child`: for a process that comes from fork, beside its parent's file. False: there is no
 * recording, for the reason that was said with VERBOSE. Async-signal-safe.
 */
bool recorder_open(bool fork_child);

/* After fork, in the child: forgets the parent's recording without touching it. The next hook of
 * the child opens its own. Async-signal-safe. */
void recorder_forget(void);

/* Says "leakspy: ABOUT: WHAT" on stderr, if LEAKSPY_VERBOSE asks for it. `error`: a negative errno
 * value, or 0. Any thread, any context. */
void recorder_say(const char *what, const char *about, long error);

/* Writes how the process ended. The first call counts. Any thread, any context. */
void recorder_close(enum rec_state state, int exit_code);

/* The slot of the calling thread, for wrappers; adopts threads whose spawn was not seen. Never
 * NULL. Keeps errno. Async-signal-safe. */
struct rec_task *recorder_adopt(void);

/* The same, if it has one: else NULL. */
static inline struct rec_task *recorder_known_self(void)
{
    return recorder_thread.task != NULL ? recorder_thread.task : recorder_thread.unwatched;
}

/* Where the calling thread has its own. GCC would add where that lies to the thread pointer in each
 * access, and so reach for the page only when it knows the sum: here it reads both at once. */
static inline struct recorder_thread *recorder_own(void)
{
    struct recorder_thread *own = &recorder_thread;
    __asm__("" : "+r"(own));
    return own;
}

static inline struct rec_task *recorder_self(void)
{
    struct rec_task *task = recorder_own()->task;
    return likely(task != NULL) ? task : recorder_adopt();
}

/* A new task that `spawn_site` (0: not known) started. NULL: no recording or no room (counted).
 * The slot is LIVE at once. Any thread. */
struct rec_task *recorder_spawn(enum rec_kind kind, uint16_t flags, uint32_t spawn_site,
                                uint64_t handle, const char *name);

/* The same, but for the last step: the caller writes more fields, and then LIVE to its state. */
struct rec_task *recorder_prepare(enum rec_kind kind, uint16_t flags, uint32_t spawn_site,
                                  uint64_t handle, const char *name);

/* A copy of a slot that others write meanwhile: each field is whole, and whether they belong
 * together is to be asked afterwards. */
static inline void recorder_copy(const struct rec_task *task, struct rec_task *ret)
{
    typedef uint64_t __attribute__((may_alias)) word;
    const word *from = (const word *)task;
    word *to = (word *)ret;
    for (size_t i = 0; i < sizeof(*task) / sizeof(*from); i++)
        to[i] = SHARED_GET(from[i]);
}

/* Rows in use, counting row 0, which is never used. There is a recording. */
static inline uint32_t recorder_rows(enum rec_table_id table)
{
    return __atomic_load_n(&recorder.header->tables[table - 1].count, __ATOMIC_ACQUIRE);
}

/* Would a spawn get a slot now? */
bool recorder_has_room(void);

/* The task's function has returned. A thread may still wait in destructors; its slot is freed by
 * recorder_release, when it is joined or the sampler finds it gone. Any thread. */
void recorder_end(struct rec_task *task);

/* Nothing more is to be known of the task: its slot is freed, now or when the last one that holds
 * it lets it go. NULL, a sink and a slot that was released already are fine. Any thread. */
void recorder_release(struct rec_task *task);

/* Keeps the slot of the task `id` from being freed and given to another one, until it is let go.
 * False: it is too late. A spawn with REC_TASK_HOLD among its flags is held already. Any thread. */
bool recorder_hold(struct rec_task *task, uint64_t id);

/* Ends one recorder_hold, or the hold of a spawn. Frees the slot if it was released meanwhile: the
 * task is not to be touched any more. Any thread, any context. */
void recorder_let_go(struct rec_task *task);

/* The calling thread ends: what it kept back is everybody's again. */
void recorder_thread_ends(void);

/* A spawn that came to nothing: it is not counted any more, and the slot is released. `task` is
 * what recorder_spawn returned, and not NULL. Any thread, any context. */
void recorder_take_back(struct rec_task *task);

/* For tasks that come and go with an owner that stays: a slot is kept for the next one, which is
 * cheaper than to free it. The task has ended, and nothing else writes to its slot. False: slots
 * are too scarce for that, it was released. Any thread. */
bool recorder_keep(struct rec_task *task);

/* A new task in a slot that was kept, as recorder_spawn; `name` is NUL-padded. */
void recorder_spawn_again(struct rec_task *task, uint16_t flags, uint32_t spawn_site,
                          const char name[static 16]);

/* `name` is cut after 15 bytes. The task may be a sink. Readers may see a part of the old name in
 * the new one. Any thread, any context. */
void recorder_rename(struct rec_task *task, const char *name);

/* Appends to tables. 0: no room (counted). Sampler and, at start, adapters. */
uint32_t recorder_add_string(const char *text, size_t bytes);
uint32_t recorder_add_call(const char *name, enum rec_op op, uint16_t flags);

/* Takes `rows` rows of a table, with memory behind them. 0: no room (counted); row 0 is never
 * given. Lock-free. Any thread, any context. */
uint32_t recorder_take(enum rec_table_id id, uint32_t rows);

/* Tells the cases of a task's select. Rows belong to a slot for good: a select of as many cases, or
 * less, uses them again. No room for them (counted): none is told. Sampler. */
void recorder_put_cases(struct rec_task *task, const struct rec_case *cases, uint16_t count);

/* Tells what the descriptor is that a task waits for. No room for it (counted, but for a slot that
 * has no row): it is not told. Sampler. */
void recorder_put_descriptor(const struct rec_task *task, const struct rec_descriptor *found);

/* Tells what a thread is asleep in. False: there is no room for it (counted as above). Sampler. */
bool recorder_put_asleep(const struct rec_task *task, const struct rec_asleep *found);

/* Counts something that was lost in one of the header's counters. */
static inline void recorder_count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

#endif
