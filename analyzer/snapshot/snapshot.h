/* The snapshot: all tasks of one process at one moment, whichever way they were read.
 *
 * A source fills it; naming, verdicts and reports read it and nothing else. Rows refer to rows of
 * other tables by index, 0 means none, and a source has checked every index before it stores one.
 */
#ifndef LEAKSPY_ANALYZER_SNAPSHOT_SNAPSHOT_H
#define LEAKSPY_ANALYZER_SNAPSHOT_SNAPSHOT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/recording.h" /* the numbers of ops, objects and kinds */

#define SNAPSHOT_AGE_UNKNOWN INT64_C(-1)
#define SNAPSHOT_FRESH_NS INT64_C(1000000000) /* see snapshot_is_fresh() */

/* As wait_number: it may have run without anything that would tell. */
#define SNAPSHOT_WAITS_UNCOUNTED UINT32_MAX

enum snapshot_task_flag {
    SNAPSHOT_PARKED = 1,   /* it has a wait; otherwise it runs, or has finished */
    SNAPSHOT_FINISHED = 2, /* it ended and nobody joined it yet */
    SNAPSHOT_DEADLINE = 4, /* its wait ends by itself */
    SNAPSHOT_SYSTEM = 8,   /* belongs to the runtime itself */
    SNAPSHOT_MAIN = 16,    /* the first thread of the process */
    SNAPSHOT_JOINABLE = 32,
    SNAPSHOT_SETTLED = 64, /* its wait was there at two looks at least: what was read of its object
                              and of the tasks it depends on belongs to one moment */
    SNAPSHOT_FDS = 128,    /* it waits for as many descriptors as its extra's `arg` says, the
                              object is the first */
    SNAPSHOT_ABANDONED = 256, /* its runtime stopped while it was there */
    SNAPSHOT_AT_LEAST = 512, /* parked_ns is how long it was seen parked: it may be so for longer */
    SNAPSHOT_STAYED = 1024,  /* parked on the same thing at every look of a watch */
    SNAPSHOT_LOCKED = 2048, /* it runs on one thread of the system only, and keeps that to itself */
    SNAPSHOT_OBJECT_KNOWN = 4096, /* `object` is what it waits on, also where it is 0 */
    SNAPSHOT_CASES_KNOWN = 8192, /* of a goroutine's select: an `arg` of 0 in its extra says that it
                                    has no case of a channel, not that nobody knows of any */
    SNAPSHOT_INTERRUPTED = 16384, /* of a thread: a stop, leakspy's own perhaps, set the clock back
                                    by which parked_ns is known */
    SNAPSHOT_NOTED = 32768, /* of a goroutine: parked_ns is by the runtime's own note of this wait,
                               which stands until it runs */
};

/* There may be a million: memory that the machine must first find is what a large report costs. */
struct snapshot_task {
    uint64_t id;       /* unique in the snapshot */
    uint64_t handle;   /* what a join names: pthread_t, address of a runtime's task; 0: none */
    uint64_t object;   /* what it waits on, by the kind of the op's object; 0: nothing */
    uint64_t spawner;  /* id of the task that spawned it; 0: not known */
    int64_t parked_ns; /* age of its wait, or of its end; SNAPSHOT_AGE_UNKNOWN */
    uint32_t spawn_site;
    uint32_t wait_site;
    uint32_t detail_a, detail_b; /* by detail_flags, see rec_task; but what REC_DETAIL_OWNER_ROW
                                    names is the index in tasks + 1 (0: nobody, or one that is
                                    not told) */
    uint32_t wait_number;  /* counts the task's waits, or whatever changes when it runs: looks that
                              see the same number saw the same wait, except that those of parked
                              goroutines in processes have 8 bits, beside a 0x100; 0: not known */
    uint32_t extra;        /* row of extras; 0: it has nothing of that */
    uint32_t call : 24;    /* row of calls; 0: not parked */
    uint32_t kind : 8;     /* enum rec_kind */
    uint16_t detail_flags; /* enum rec_detail_flag */
    uint16_t flags;        /* enum snapshot_task_flag */
};

_Static_assert(sizeof(struct snapshot_task) == 72, "memory of a task");

/* What most of many tasks do not have. */
struct snapshot_extra {
    uint32_t os_tid;     /* the kernel's id; 0: none */
    uint32_t arg;        /* how many descriptors the call waits for, or cases it was given; of a
                            goroutine's select, how many sends << 16 | how many receives */
    uint32_t labels;     /* row of label_sets; 0: none */
    uint32_t case_first; /* first row of cases */
    uint16_t case_count;
    char name[17];        /* "": none */
    uint32_t object_text; /* row of object_texts; 0: none */
};

/* Beside those of enum rec_site_flag. */
enum snapshot_site_flag {
    SNAPSHOT_SITE_START =
        256, /* the function that the task began in: where it was spawned is not known */
};

struct snapshot_site {
    uint32_t first_pc; /* in pcs */
    uint32_t pc_count;
    uint32_t epoch;
    uint16_t flags; /* enum rec_site_flag, enum snapshot_site_flag */
};

struct snapshot_module {
    uint64_t start, end, bias;
    const char *path; /* "": not known */
    const char *file; /* where that file is to be opened now; NULL: at its path, unless
                         it was replaced there; "": nowhere */
    uint32_t loaded_epoch, unloaded_epoch;
    uint32_t build_id_bytes;
    uint8_t build_id[32];
};

/* A recorded name of the function at an address. Sorted by pc. */
struct snapshot_frame {
    uint64_t pc;
    uint32_t module;
    const char *function; /* the linker's name; "": not known */
};

struct snapshot_call {
    const char *name; /* what was called: "accept4", or the runtime's wait reason */
    const char *op;   /* how the wait is called in reports */
    uint16_t number;  /* enum rec_op; REC_OP_NONE: one that this program does not know */
};

struct snapshot_case {
    uint64_t object; /* 0: a nil channel */
    uint32_t capacity, length;
    uint16_t op;           /* REC_OP_CHAN_SEND, REC_OP_CHAN_RECEIVE */
    uint16_t detail_flags; /* enum rec_detail_flag */
};

#define SNAPSHOT_MAX_LABELS 64 /* of one task */

/* What the program says of a task (pprof labels): a set of pairs, side by side in `labels`. */
struct snapshot_label {
    const char *key, *value;
};

struct snapshot_label_set {
    uint32_t first, count;
};

/* Texts that rows point to. */
struct snapshot_text {
    struct snapshot_text *next;
    size_t bytes, room;
    char text[];
};

/* How many tasks of this kind were parked so at the first look of a watch. */
struct snapshot_before {
    uint32_t call, wait_site, spawn_site; /* rows of this snapshot */
    uint8_t kind;
    bool deadline;
    uint64_t count;
};

/* Who holds the lock of a file that a task waits for, as a clause: "is held by process 4242". */
struct snapshot_holder {
    size_t task; /* index in tasks */
    char *text;
};

enum snapshot_source { SNAPSHOT_RECORDING, SNAPSHOT_PROCESS, SNAPSHOT_CORE };

/* The rows of `end` in the JSON report. */
enum snapshot_end {
    SNAPSHOT_RUNNING,
    SNAPSHOT_EXITED,
    SNAPSHOT_SIGNALLED,
    SNAPSHOT_EXEC,
    SNAPSHOT_VANISHED, /* gone, and nobody saw how: killed, or _exit by an unseen way */
};

/* What is missing in the picture. */
struct snapshot_loss {
    uint64_t tasks;      /* spawned, but nothing was recorded of them */
    uint64_t unreadable; /* rows that contradict themselves, or changed all the time */
    uint64_t sites;      /* stacks that had no room */
    uint64_t stacks;     /* stacks that could not be unwound */
    uint64_t rows;       /* rows of the remaining tables: names, modules, select cases */
};

struct snapshot {
    /* What the picture is of. */
    enum snapshot_source source;
    char *path;         /* NULL: there is no file */
    char *continued_in; /* the source that tells of the program that it executed, or NULL */
    char *exe;
    char **cmdline; /* NULL-terminated */
    uint32_t pid;
    uint32_t runtimes;   /* enum rec_runtime */
    char go_version[64]; /* of a program of Go's own compiler: "go1.24.3"; "": it is none */
    enum snapshot_end end;
    bool has_exit_code;
    int exit_code;
    int signal; /* 0: not by a signal, or not known */

    /* When the process began, the picture was taken, and its tasks were looked at. */
    int64_t started_unix_ns; /* 0: not known */
    int64_t taken_unix_ns;   /* the moment that the ages refer to */
    int64_t looked_unix_ns;  /* when the ages were last brought up to date; 0: never */
    int64_t look_age_ns;     /* how long before `taken`; SNAPSHOT_AGE_UNKNOWN: never */
    int64_t look_period_ns;  /* how often that is to happen */

    /* The tasks, and how many there were. */
    struct snapshot_task *tasks;
    size_t task_count, task_room;
    struct snapshot_extra *extras; /* row 0 unused */
    size_t extra_count, extra_room;
    uint32_t *workers; /* the kernel's ids of threads on which runtimes run their tasks, told or
                          not: a task may go on elsewhere than where it parked */
    size_t worker_count, worker_room;
    bool has_spawned;
    uint64_t spawned, finished;
    struct snapshot_loss loss;

    /* What the rows of tasks refer to, and those rows in turn. */
    struct snapshot_site *sites;
    size_t site_count;
    uint64_t *pcs;
    size_t pc_count;
    struct snapshot_frame *frames;
    size_t frame_count;
    struct snapshot_module *modules;
    size_t module_count;
    struct snapshot_call *calls;
    size_t call_count;
    struct snapshot_case *cases;
    size_t case_count;
    const char **object_texts; /* what a task's object is: "tcp 127.0.0.1:80 listening"; of a
                                  rwlock, how often it is held for reading. Row 0 unused */
    size_t object_text_count;
    struct snapshot_label_set *label_sets; /* row 0 unused */
    size_t label_set_count;
    struct snapshot_label *labels;
    size_t label_count;

    /* The watch: looks one after the other, and what the first one saw. */
    int64_t watched_ns; /* between the first and the last look; 0: it was looked at once */
    uint32_t looks;
    struct snapshot_before *before; /* of the first look, where there are such tasks now */
    size_t before_count;

    /* What is said beside: of single tasks, and of the picture as a whole. */
    struct snapshot_holder *holders; /* sorted by task; of the others, nobody knows */
    size_t holder_count;
    char **notes; /* sentences about the picture as a whole */
    size_t note_count;
    char *doubt; /* why there may be tasks of which nothing is known; NULL: there are none */

    /* The texts that all these point to. */
    char *strings; /* owns what the rows of a recording point to; ends with NUL */
    size_t string_bytes;
    struct snapshot_text *texts; /* owns what the rows of a builder point to */
};

/* An empty snapshot; every member may be filled afterwards with memory of malloc. */
void snapshot_init(struct snapshot *snapshot);
void snapshot_deinit(struct snapshot *snapshot);

/* A new task at the end of the table, all zeroes, parked_ns unknown; NULL: no memory. The address
 * is good until the next one. */
struct snapshot_task *snapshot_add_task(struct snapshot *snapshot);

/* What else a task has: all zeroes where that is nothing. */
static inline const struct snapshot_extra *snapshot_extra(const struct snapshot *snapshot,
                                                          const struct snapshot_task *task)
{
    static const struct snapshot_extra none;
    return task->extra ? &snapshot->extras[task->extra] : &none;
}

/* The same, to be filled: a new row of zeroes where the task had none. NULL: no memory. The address
 * is good until the next row. */
struct snapshot_extra *snapshot_extra_for(struct snapshot *snapshot, struct snapshot_task *task);

/* Notes a thread of the runtime's in `workers`, once or more often. False: no memory. */
bool snapshot_add_worker(struct snapshot *snapshot, uint32_t os_tid);

/* How many cases a select was given, as far as that is known: at least so many. Of a goroutine of
 * Go's own compiler, those of nil channels do not count. */
uint32_t snapshot_cases_given(const struct snapshot *snapshot, const struct snapshot_task *task);

/* Whether something of it may go on: a core is of a process that runs, perhaps, but tells nothing
 * of it any more. */
static inline bool snapshot_is_live(const struct snapshot *snapshot)
{
    return snapshot->end == SNAPSHOT_RUNNING && snapshot->source != SNAPSHOT_CORE;
}

/* Whether the wait of a task of a running process is younger than SNAPSHOT_FRESH_NS and was not
 * seen twice yet: it may be about to end, and its stack, which may say that it is expected, is not
 * there. */
static inline bool snapshot_is_fresh(const struct snapshot *snapshot,
                                     const struct snapshot_task *task)
{
    return snapshot->end == SNAPSHOT_RUNNING && !(task->flags & SNAPSHOT_SETTLED) &&
           task->parked_ns < SNAPSHOT_FRESH_NS;
}

/* Whether `object` of a parked task, whose kind is that of the op, says what it waits on.
 * Descriptor 0 is one that a thread may wait for, and the first queue of a system is number 0;
 * addresses and handles that are 0 say nothing. */
static inline bool snapshot_has_object(const struct snapshot_task *task, enum rec_object kind)
{
    bool numbered = kind == REC_OBJECT_FD || kind == REC_OBJECT_QUEUE || kind == REC_OBJECT_SEMSET;
    return kind != REC_OBJECT_NONE && (task->object || (task->flags & SNAPSHOT_OBJECT_KNOWN) ||
                                       (numbered && task->kind == REC_KIND_THREAD));
}

/* After how long without a look it is late, where one is due every so often: not just on a busy
 * machine. */
static inline int64_t snapshot_look_is_late_after(int64_t look_period_ns)
{
    const int64_t least_ns = INT64_C(3000000000);
    if (look_period_ns > INT64_MAX / 3)
        return INT64_MAX;
    return look_period_ns * 3 > least_ns ? look_period_ns * 3 : least_ns;
}

/* Makes room for so many more tasks at once, where there is memory for them: a table that grows is
 * copied each time. */
void snapshot_expect_tasks(struct snapshot *snapshot, size_t more);

/* A sentence about the picture as a whole. False: no memory. */
bool snapshot_note(struct snapshot *snapshot, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool snapshot_vnote(struct snapshot *snapshot, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* A sentence that says why there may be tasks of which nothing is known. False: no memory. */
bool snapshot_doubt(struct snapshot *snapshot, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool snapshot_vdoubt(struct snapshot *snapshot, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

/* Adds who holds what a task waits for; the tasks in the order of their table. False: no memory. */
bool snapshot_add_holder(struct snapshot *snapshot, size_t task, const char *text);

/* The same of one task; NULL: it is not known. */
const char *snapshot_holder_of(const struct snapshot *snapshot, size_t task);

/* What was lost of which completeness depends: tasks of which nothing is known. */
uint64_t snapshot_lost_tasks(const struct snapshot *snapshot);

/* Whether tasks are parked of which nobody knows how long, or none is known at all: they were never
 * looked at, or not lately: before now, or before the process ended. */
bool snapshot_is_unwatched(const struct snapshot *snapshot);

/* Everything that was lost, for the totals. */
uint64_t snapshot_lost(const struct snapshot *snapshot);

/* The module that `pc` was in at `epoch`; NULL: none. */
const struct snapshot_module *snapshot_module_of(const struct snapshot *snapshot, uint64_t pc,
                                                 uint32_t epoch);

/* The recorded name for `pc` in that module, or NULL. */
const char *snapshot_function_of(const struct snapshot *snapshot, uint64_t pc,
                                 const struct snapshot_module *module);

/* Texts of numbers; "unknown" for one out of range. */
const char *snapshot_kind_name(unsigned kind);
const char *snapshot_op_name(unsigned op);
const char *snapshot_object_name(unsigned object);
enum rec_object snapshot_op_object(unsigned op);
const char *snapshot_source_name(enum snapshot_source source);
const char *snapshot_end_name(enum snapshot_end end);

#endif
