/* The recording: the one file that libleakspy.so writes and leakspy reads.
 *
 * A header page, then tables of fixed-size rows. All integers are fixed-width and in the byte order
 * that the header states; there are no bit-fields, no implicit padding and no pointers to follow:
 * rows refer to rows of other tables by index or offset, and 0 always means "none".
 *
 * The file is mapped shared and is written while it is being read, also by a process that may be
 * killed at any instruction. Each field says who writes it and what orders it; the rules are:
 *   - a row of an append-only table is valid once its key field (marked KEY) is not 0; the key is
 *     stored last, with release;
 *   - a wait is valid while `gen` is not 0 and unchanged around the reading of the other fields;
 *   - what the sampler adds about a wait is valid only while rec_task_is_seen;
 *   - a row of REC_TABLE_DESCRIPTORS or REC_TABLE_ASLEEP is rewritten: its key is 0 meanwhile, and
 *     the row is valid where two readings of it are the same.
 *
 * This header needs <stdint.h> alone: it is shared by the target's side and the analyzer.
 */
#ifndef LEAKSPY_RECORDING_H
#define LEAKSPY_RECORDING_H

#include <stdint.h>

#define REC_MAGIC 0x0a7970736b61656cULL /* "leakspy\n" in a little-endian file */
#define REC_MAJOR 1                     /* a reader refuses a newer major version */
#define REC_MINOR 9                     /* minor versions only add tables and use reserved fields */
#define REC_BYTE_ORDER 0x01020304U
#define REC_HEADER_BYTES 4096U
#define REC_MAX_TID 4194304U               /* the highest id of a thread: PID_MAX_LIMIT of Linux */
#define REC_DIR_PREFIX "/dev/shm/leakspy-" /* and the uid: one folder a user, mode 0700 */

/* What a wait is an operation on. Text is the `kind` of the report's object. */
#define REC_OBJECTS(X)                                                                             \
    X(NONE, 0, "none")                                                                             \
    X(CHANNEL, 1, "channel")                                                                       \
    X(MUTEX, 2, "mutex")                                                                           \
    X(RWLOCK, 3, "rwlock")                                                                         \
    X(COND, 4, "cond")                                                                             \
    X(SEMAPHORE, 5, "semaphore")                                                                   \
    X(BARRIER, 6, "barrier")                                                                       \
    X(FUTEX, 7, "futex")                                                                           \
    X(THREAD, 8, "thread") /* address: the pthread_t (or thrd_t) that is joined */                 \
    X(FD, 9, "fd")         /* address: the descriptor's number */                                  \
    X(ONCE, 10, "once")                                                                            \
    X(PROCESS, 11, "process")      /* address: the pid waited for, as the call was given it */     \
    X(QUEUE, 12, "queue")          /* System V message queue; address: its id */                   \
    X(SEMSET, 13, "semaphore set") /* System V semaphores; address: the set's id */                \
    X(TASK, 14, "task")            /* address: the handle of the runtime task that is joined */    \
    X(WAITGROUP, 15, "waitgroup")

enum rec_object {
#define X(name, number, text) REC_OBJECT_##name = (number),
    REC_OBJECTS(X)
#undef X
};

/* What a parked task does. Name, number in the file, text in every report, kind of its object, and
 * the class that LEAKSPY_OPS chooses by. */
#define REC_OPS(X)                                                                                 \
    X(NONE, 0, "none", NONE, LOCK)                                                                 \
    X(CHAN_SEND, 1, "chan send", CHANNEL, CHAN)                                                    \
    X(CHAN_RECEIVE, 2, "chan receive", CHANNEL, CHAN)                                              \
    X(SELECT, 3, "select", NONE, CHAN)                                                             \
    X(MUTEX_LOCK, 4, "mutex lock", MUTEX, LOCK)                                                    \
    X(RWLOCK_RDLOCK, 5, "rwlock rdlock", RWLOCK, LOCK)                                             \
    X(RWLOCK_WRLOCK, 6, "rwlock wrlock", RWLOCK, LOCK)                                             \
    X(COND_WAIT, 7, "cond wait", COND, LOCK)                                                       \
    X(SEM_WAIT, 8, "sem wait", SEMAPHORE, LOCK)                                                    \
    X(THREAD_JOIN, 9, "thread join", THREAD, JOIN)                                                 \
    X(BARRIER_WAIT, 10, "barrier wait", BARRIER, LOCK)                                             \
    X(ONCE_WAIT, 11, "once wait", ONCE, LOCK)                                                      \
    X(FUTEX_WAIT, 12, "futex wait", FUTEX, LOCK)                                                   \
    X(SLEEP, 13, "sleep", NONE, SLEEP)                                                             \
    X(IO_WAIT, 14, "io wait", FD, IO)                                                              \
    X(FILE_LOCK, 15, "file lock", FD, LOCK)                                                        \
    X(SIGNAL_WAIT, 16, "signal wait", NONE, SLEEP)                                                 \
    X(PROCESS_WAIT, 17, "process wait", PROCESS, JOIN)                                             \
    X(MESSAGE_WAIT, 18, "message wait", QUEUE, IO)                                                 \
    X(SEMOP_WAIT, 19, "semop wait", SEMSET, LOCK)                                                  \
    X(TASK_JOIN, 20, "task join", TASK, JOIN)                                                      \
    X(WAITGROUP_WAIT, 21, "waitgroup wait", WAITGROUP, LOCK)                                       \
    X(IDLE, 22, "idle", NONE, LOCK) /* a runtime's own task with nothing to do */                  \
    X(FILE_OPEN, 23, "file open", NONE, IO)

enum rec_op {
#define X(name, number, text, object, class) REC_OP_##name = (number),
    REC_OPS(X)
#undef X
        REC_OP_COUNT
};

/* Classes of LEAKSPY_OPS, bits of rec_header.op_classes. Name, bit, text of the variable. */
#define REC_CLASSES(X)                                                                             \
    X(CHAN, 1, "chan")                                                                             \
    X(LOCK, 2, "lock")                                                                             \
    X(JOIN, 4, "join")                                                                             \
    X(IO, 8, "io")                                                                                 \
    X(SLEEP, 16, "sleep")

enum rec_class {
#define X(name, bit, text) REC_CLASS_##name = bit,
    REC_CLASSES(X)
#undef X
        REC_CLASS_ALL = 31,
};

/* The kind of a task. Text is the `kind` of the report's groups. */
#define REC_KINDS(X)                                                                               \
    X(NONE, 0, "none")                                                                             \
    X(THREAD, 1, "thread")                                                                         \
    X(TASK, 2, "task")                                                                             \
    X(GOROUTINE, 3, "goroutine")

enum rec_kind {
#define X(name, number, text) REC_KIND_##name = (number),
    REC_KINDS(X)
#undef X
};

enum rec_task_state {
    REC_TASK_FREE = 0,     /* the slot holds no task */
    REC_TASK_LIVE = 1,     /* spawned, not yet ended */
    REC_TASK_FINISHED = 2, /* ended, joinable, and not joined yet */
    REC_TASK_ENDING = 3,   /* its function has returned; destructors may still run, and wait. Where
                              nothing does (gen 0): as good as FINISHED if joinable, else as FREE */
};

enum rec_task_flag {
    REC_TASK_MAIN = 1,       /* the process's first thread */
    REC_TASK_JOINABLE = 2,   /* a thread that somebody has to join or detach */
    REC_TASK_SYSTEM = 4,     /* belongs to the runtime itself: parked when it has nothing to do */
    REC_TASK_ADOPTED = 8,    /* its spawn was not seen: no spawn site, counted when first seen */
    REC_TASK_ABANDONED = 16, /* its runtime stopped while it was there: it will never run again */
    REC_TASK_RELEASED =
        32,                /* nothing more is to be known of it: who holds the slot last frees it */
    REC_TASK_SCANNED = 64, /* (1.1) it publishes nothing: the sampler finds it in its runtime's
                              memory, and writes all of the slot. What comes and goes between two
                              looks is not seen, and not counted */
    REC_TASK_WORKER = 128, /* (1.1) a thread on which a runtime runs its tasks, which are told: of
                              interest only where it waits itself */
    REC_TASK_HOLD = 256,   /* the high byte counts who still writes to the slot (recorder_hold) */
};

#define REC_SEEN_FINISHED 0xffffffffU /* rec_task.seen_gen of a FINISHED task, once seen so */

enum rec_wait_flag {
    REC_WAIT_DEADLINE = 1, /* the wait ends by itself */
    REC_WAIT_FDS = 2,      /* it waits for `arg` descriptors at once; the object is the first */
    REC_WAIT_LOCKED = 4,   /* (1.1) the task keeps its thread of the system to itself meanwhile */
    REC_WAIT_CASES = 8,    /* (1.1) of a goroutine's select: its cases were read, `arg` counts those
                              of channels, and where it is 0 there is none */
    REC_WAIT_PASSING_COUNTED = 16, /* (1.2; not written any more) as PASSING, but with a seq of its
                                      own: the sampler says by it in seen_gen that the task waits */
    REC_WAIT_ASIDE = 32,   /* (1.2) with FDS: which descriptors, the sampler tells (REC_DETAIL_FDS);
                              the object is for the sampler alone */
    REC_WAIT_PASSING = 64, /* (1.3) for a lock that was free when it was asked for, so that the task
                              most likely got it: gen stays 0, see rec_task_wait */
    REC_WAIT_SENDS = 128, /* (1.4) what the sampler asks a socket for: its timeout for sending, else
                             that for receiving */
    REC_WAIT_RESTORED =
        0x8000, /* a wait inside it is over; else gen is seq, or not to be believed */
};

enum rec_detail_flag {
    REC_DETAIL_OWNER = 1,   /* detail_a is the tid of the thread that holds the lock (0: nobody) */
    REC_DETAIL_CHANNEL = 2, /* detail_a is the capacity, detail_b the length; both saturate */
    REC_DETAIL_CLOSED = 4,  /* the channel was closed */
    REC_DETAIL_OWNER_ROW = 8,  /* detail_a is the row of the task that holds the lock (0: nobody) */
    REC_DETAIL_NO_STACK = 16,  /* the stack could not be unwound; it will not be tried again */
    REC_DETAIL_LISTENING = 32, /* the descriptor is a socket that accepts connections */
    REC_DETAIL_PASSING = 64,   /* (1.2) sampler: seen_gen is of a PASSING wait, and names the sleep
                                  in which the kernel found the thread; (1.3) detail_b tells which
                                  PASSING wait, see rec_passing_key */
    REC_DETAIL_WAITS = 128,    /* (1.3) and the task waits in it: until the sampler finds it
                                  elsewhere, or it takes a free lock again, which then begins with
                                  ++seq */
    REC_DETAIL_FDS = 256, /* (1.2) detail_a is the first of the descriptors that it waits for (as an
                            int; the call leaves a negative one out), detail_b how many they are */
    REC_DETAIL_TIMES_OUT = 512, /* (1.4) the wait ends by itself: by a timeout of the socket, by its
                                   timer, or by a timer that sends on the channel */
    REC_DETAIL_LEAKED = 1024,   /* (1.4) Go's collector found that nothing that runs can reach what
                                   it waits on; the runtime says so until it collects again */
    /* (1.6) of a thread: its descriptor, the only one that it waits for, is a stream socket that is
     * connected */
    REC_DETAIL_CONNECTED = 2048,
    /* (1.8) of a lock of Go that a SCANNED task waits for, what it says of itself (struct
     * go_lock_words), as two ints: detail_a is its state, detail_b an RWMutex's count of readers
     * that leave. As of a moment in the task's wait: its beginning, or a later walk, which not
     * every one has. Not set while the two change. No recording of before has it */
    REC_DETAIL_LOCK_WORDS = 4096,
    /* (1.7) with PASSING, of a thread: it is asleep in a call that it has not published; which one,
     * a row of REC_TABLE_ASLEEP tells. detail_b is rec_asleep_key.
     * (1.9) of a published wait for a condition: inside of that call it waits for the mutex, as the
     * row tells by now; since_ns is since then */
    REC_DETAIL_ASLEEP = 8192,
    /* (1.7) its descriptor is 0, and leads to where it led when the recording began: the program's
     * standard input; with ASLEEP, which libc reads by itself */
    REC_DETAIL_INPUT = 16384,
    /* (1.8) with PASSING: the thread has published something else since it was last found so, and
     * the walk before found it elsewhere, so that since_ns is when the wait began. Else it may have
     * begun before, and have been interrupted */
    REC_DETAIL_BEGAN = 32768,
};

/* The number that a row has for one that may be too large for it. */
static inline uint32_t rec_saturate(uint64_t number)
{
    return number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
}

/* One task. 128 bytes: one cache line that its owner writes, one for everybody else. Slots are
 * reused: `id` is what names a task for good. */
struct rec_task {
    /* Written by the task itself, while it runs; read by the sampler and the analyzer.
     * Order: gen = 0, ++seq, then the fields, then gen = seq (release). Leaving restores what was
     * there before (nested waits of signal handlers), in the same order; no wait before: gen = 0.
     * A PASSING wait: ++seq where REC_DETAIL_WAITS is set, then the fields, where they are not the
     * same already; nothing is taken back.
     */
    uint32_t gen; /* 0: not waiting (but see rec_task_wait); else names this wait among all
                     of the task's */
    uint32_t seq; /* how many waits this task has begun; a reader checks it beside gen */
    union {
        struct {
            uint16_t call;       /* row of REC_TABLE_CALLS: what it called, and so its op */
            uint16_t wait_flags; /* enum rec_wait_flag */
            uint32_t arg; /* what the call needs besides its object (number of descriptors) */
        };
        uint64_t what; /* the three in one, as their owner writes them */
    };
    uint64_t object; /* address, number or handle by the op's object kind; 0: none */
    union {
        uint64_t cfa; /* stack pointer of the caller of the intercepted function, after return */
        uint64_t spawner; /* (1.1) SCANNED: the runtime's number of the task that spawned it; 0 */
    };
    union {
        uint64_t fp;     /* frame address of the wrapper: {caller's fp, return address} are there;
                            PASSING: the caller's fp itself, and the return address ends at cfa */
        uint64_t labels; /* (1.1) SCANNED: offset in REC_TABLE_STRINGS of what the program says of
                            it: "key", "value", "key" … and an empty key; 0: nothing */
    };
    uint64_t runtime_id; /* (1.1) SCANNED: the runtime's own number of the task; 0: it has none */
    union {
        char name[16]; /* NUL-padded; written at the spawn and by whoever renames; may be torn */
        uint64_t name_words[2]; /* the same, as it is written */
    };

    /* Written at the spawn (id last: KEY), and when the task ends. */
    uint64_t id;         /* KEY; unique in the recording, counts up from 1 in the order of spawns */
    uint8_t kind;        /* enum rec_kind */
    uint8_t state;       /* enum rec_task_state; set to LIVE after id, to FREE first of all */
    uint16_t flags;      /* enum rec_task_flag */
    uint32_t os_tid;     /* the kernel's id of a thread; 0: not started yet, or not a thread */
    uint64_t handle;     /* pthread_t, struct taskrt_task *, g *: what a join names */
    uint32_t spawn_site; /* row of REC_TABLE_SITES; 0: not known */

    /* Written by the sampler alone, before seen_gen; valid while rec_task_is_seen. */
    uint32_t wait_site;  /* 0: not unwound yet, or not possible */
    uint64_t since_ns;   /* CLOCK_MONOTONIC, when the sampler first saw this wait; 0: whether it is
                            still the one that it saw before, nobody knows */
    uint32_t seen_gen;   /* the gen of the wait that it saw (but see REC_DETAIL_PASSING);
                            REC_SEEN_FINISHED: since_ns is when it first saw the task FINISHED, and
                            who frees the slot makes it 0 */
    uint32_t detail_a;   /* by detail_flags; refreshed at every walk */
    uint32_t detail_b;   /* (1.8) of a thread's published wait for a rwlock: how often that is held
                            for reading; 0: it is not, or nobody knows */
    uint32_t case_first; /* first row of REC_TABLE_CASES of a select; stays when the wait is over */
    uint16_t case_count; /* 0: it is none, or nothing is known of its cases */
    uint16_t detail_flags; /* enum rec_detail_flag */
    uint32_t next_free;    /* the next free slot, while this one is free; 0: none */
};

/* Tells the PASSING waits of a slot's tasks from one another, by what they published. */
static inline uint32_t rec_passing_key(const struct rec_task *task)
{
    const uint64_t words[] = {task->id, task->seq, task->object, task->cfa, task->fp};
    uint64_t key = 0;
    for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
        key = (key ^ words[i]) * 0x9e3779b97f4a7c15ULL;
        key ^= key >> 32;
    }
    return (uint32_t)key;
}

/* The same of a thread that is ASLEEP, which publishes nothing meanwhile. Never that of a PASSING
 * wait, for which readers of before 1.7 would take it. */
static inline uint32_t rec_asleep_key(const struct rec_task *task)
{
    return ~rec_passing_key(task);
}

/* The number of the wait that the task is in, as seen_gen has it; 0: it is in none. Of a PASSING
 * wait, and of a thread ASLEEP, it is only the sampler who can say so: having asked the kernel, up
 * to a sampling period ago.
 */
static inline uint32_t rec_task_wait(const struct rec_task *task)
{
    if (task->gen != 0)
        return task->gen;
    if (!(task->detail_flags & REC_DETAIL_PASSING))
        return 0;
    if (task->detail_flags & REC_DETAIL_ASLEEP)
        return task->detail_flags & REC_DETAIL_WAITS && task->detail_b == rec_asleep_key(task)
                   ? task->seen_gen
                   : 0;
    if (task->wait_flags & REC_WAIT_PASSING)
        return task->detail_flags & REC_DETAIL_WAITS && task->detail_b == rec_passing_key(task)
                   ? task->seen_gen
                   : 0;
    return task->wait_flags & REC_WAIT_PASSING_COUNTED && task->seen_gen == task->seq ? task->seq
                                                                                      : 0;
}

/* Does what the sampler wrote belong to the wait that the task is in? */
static inline int rec_task_is_seen(const struct rec_task *task)
{
    return task->seen_gen == rec_task_wait(task) &&
           (task->gen == 0 || !(task->detail_flags & REC_DETAIL_PASSING));
}

/* A call stack, stored once. */
struct rec_site {
    uint64_t hash;     /* KEY; of its addresses and epoch, never 0 */
    uint32_t first_pc; /* row of REC_TABLE_PCS, innermost frame */
    uint16_t pc_count;
    uint16_t flags; /* enum rec_site_flag */
    uint32_t epoch; /* which modules its addresses belong to: loaded <= epoch < unloaded */
    uint32_t reserved0;
};

enum rec_site_flag {
    REC_SITE_CUT = 1,    /* the stack is longer than what was kept */
    REC_SITE_BROKEN = 2, /* unwinding stopped before the outermost frame */
};

/* REC_TABLE_PCS rows are uint64_t return addresses: the call is at pc - 1 (where a signal
 * interrupted a frame, its exact address + 1 is stored so that the rule holds for it too). */

/* An address that stands in a site, and the name of the function around it. Written by the sampler
 * once an address and epoch. */
struct rec_frame {
    uint64_t pc;             /* KEY */
    uint32_t module;         /* row of REC_TABLE_MODULES; 0: in no module */
    uint32_t function;       /* offset in REC_TABLE_STRINGS: the linker's name; 0: not known */
    uint64_t function_start; /* address of the function; 0: not known */
};

/* A loaded file. */
struct rec_module {
    uint64_t start;          /* KEY; lowest mapped address */
    uint64_t end;            /* first address past it */
    uint64_t bias;           /* address in memory minus address in the file's own numbering */
    uint32_t path;           /* offset in REC_TABLE_STRINGS */
    uint32_t build_id_bytes; /* 0: it has none */
    uint8_t build_id[32];
    uint32_t loaded_epoch;
    uint32_t unloaded_epoch; /* 0: still loaded */
    uint64_t loaded_ns;      /* CLOCK_MONOTONIC, when it was first seen */
};

/* A function or reason by which tasks park. */
struct rec_call {
    uint32_t name;  /* KEY; offset in REC_TABLE_STRINGS: "accept4", "chan receive (nil chan)" */
    uint16_t op;    /* enum rec_op */
    uint16_t flags; /* enum rec_call_flag */
};

enum rec_call_flag {
    REC_CALL_REASON = 1, /* the name is the runtime's own wait reason, to be shown as the op */
    REC_CALL_SYSTEM = 2, /* (1.1) the name is a system call's that a goroutine is in: shown as the
                            runtime says it, "syscall" */
};

/* One case of a task's select, written by the sampler (see rec_task.case_first). */
struct rec_case {
    uint64_t object; /* channel; 0: a nil channel, which is never ready */
    uint32_t capacity;
    uint32_t length;
    uint16_t op;           /* REC_OP_CHAN_SEND or REC_OP_CHAN_RECEIVE */
    uint16_t detail_flags; /* enum rec_detail_flag */
    uint32_t room; /* (1.4) for the writer alone: of the row that a slot's case_first names, how
                      many rows from there on are the slot's own */
};

/* What the descriptor is that a task waits for (1.5), of a poll the first one. Its row has the
 * number of the task's slot; later slots than there are rows have none. Written by the sampler,
 * before seen_gen or wait_site; valid for the one wait that it names. */
struct rec_descriptor {
    uint64_t task;       /* id of the task */
    uint32_t wait;       /* KEY; the number of its wait, as rec_task_wait tells it */
    uint16_t protocol;   /* of a socket: IPPROTO_TCP, …, 0 for Unix */
    uint8_t local_bytes; /* of its addresses (struct sockaddr), which are in `name` side by side; */
    uint8_t peer_bytes;  /* the end may be cut. Both 0: it is no socket, or could not be asked, and
                            `name` is what /proc has for it: "/path", "pipe:[123]" */
    char name[112];      /* NUL-padded; a path that fills it is longer, or as long */
};

/* What a thread is asleep in that no wrapper saw (1.7): a call that libc made by itself, or that
 * was made without libc. Rows as those of descriptors. The fields are those of struct rec_task. */
struct rec_asleep {
    uint64_t task; /* id of the task */
    uint32_t wait; /* KEY; the number of its wait, as rec_task_wait tells it */
    uint16_t call;
    uint16_t wait_flags;
    uint64_t object;
    uint32_t arg;
    uint32_t reserved0;
};

/* Row 0 of every table is never used. */
enum rec_table_id {
    REC_TABLE_TASKS = 1,       /* struct rec_task */
    REC_TABLE_SITES = 2,       /* struct rec_site */
    REC_TABLE_PCS = 3,         /* uint64_t */
    REC_TABLE_FRAMES = 4,      /* struct rec_frame */
    REC_TABLE_STRINGS = 5,     /* char; NUL-terminated strings, offset 0 holds the empty one */
    REC_TABLE_MODULES = 6,     /* struct rec_module */
    REC_TABLE_CALLS = 7,       /* struct rec_call */
    REC_TABLE_CASES = 8,       /* struct rec_case */
    REC_TABLE_DESCRIPTORS = 9, /* (1.5) struct rec_descriptor */
    REC_TABLE_ASLEEP = 10,     /* (1.7) struct rec_asleep */
    REC_TABLE_COUNT = 10,
};

struct rec_table {
    uint32_t id;       /* enum rec_table_id */
    uint32_t version;  /* of the rows; 1 */
    uint64_t offset;   /* in the file, a multiple of 4096 */
    uint32_t stride;   /* bytes a row; may be larger than what this version knows */
    uint32_t capacity; /* rows that fit */
    uint32_t count;    /* rows taken so far, row 0 included */
    uint32_t lost;     /* rows that did not fit or whose memory could not be had */
};

enum rec_state {
    REC_STATE_STARTING = 0,  /* the header is not complete yet */
    REC_STATE_RUNNING = 1,   /* also what a killed process leaves behind */
    REC_STATE_EXITED = 2,    /* exit_code says how */
    REC_STATE_SIGNALLED = 3, /* exit_code is the signal; written by `leakspy run` */
    REC_STATE_EXEC = 4,      /* the process replaced itself by another program */
};

enum rec_runtime { /* bits of rec_header.runtimes */
                   REC_RUNTIME_PTHREAD = 1,
                   REC_RUNTIME_TASKRT = 2,
                   REC_RUNTIME_LIBGO = 4,
                   REC_RUNTIME_GO = 8, /* (1.1) that of Go's own compiler, the program's or a
                                         library's; its tasks are SCANNED */
                   REC_RUNTIME_GO_PROGRAM = 16, /* (1.1) the program is one of Go's own compiler:
                                                   without GO its goroutines were not read */
};

/* The first page of the file. Times are CLOCK_MONOTONIC ns unless the name says otherwise. */
struct rec_header {
    uint64_t magic;
    uint16_t major;
    uint16_t minor;
    uint32_t header_bytes;
    uint32_t byte_order;
    uint32_t state; /* enum rec_state; stored last when the header is made */
    uint64_t file_bytes;
    uint32_t table_count;
    uint32_t pid;
    uint32_t parent_pid;
    uint32_t uid;
    uint64_t process_start_ticks; /* field 22 of /proc/PID/stat: tells a reused pid */
    uint64_t started_unix_ns;     /* CLOCK_REALTIME at the start of the recording */
    uint64_t started_ns;
    uint64_t sample_period_ns;
    uint64_t last_walk_ns; /* sampler: when it last finished a walk over all tasks; 0: never */
    uint64_t ended_ns;     /* when state left RUNNING; 0: not known */
    int32_t exit_code;
    uint32_t op_classes; /* enum rec_class: what was recorded */
    uint32_t runtimes;   /* enum rec_runtime */
    uint32_t exe;        /* offsets in REC_TABLE_STRINGS */
    uint32_t cmdline;    /* NUL-separated, as in /proc/PID/cmdline */
    uint32_t cmdline_bytes;
    uint8_t boot_id[16]; /* CLOCK_MONOTONIC means something only within one boot */
    uint32_t epoch;      /* sampler: current module epoch, from 1 */
    uint32_t go_version; /* (1.1) offset in REC_TABLE_STRINGS: "go1.24.3" */

    /* Counters; loss is data. */
    uint64_t spawned;          /* tasks that began, adopted ones included */
    uint64_t finished;         /* tasks that ended */
    uint64_t lost_tasks;       /* spawns and threads that got no slot: nothing is known of them */
    uint64_t lost_sites;       /* stacks that could not be stored */
    uint64_t lost_stacks;      /* stacks that could not be unwound at all */
    uint64_t free_list;        /* tag << 32 | the first free slot; 0: none */
    uint64_t last_id;          /* the id given last */
    uint64_t unreadable_tasks; /* (1.1) sampler: SCANNED ones that the last walk could not read */
    uint64_t rest_ns; /* (1.1) sampler: how long it rests between two walks now, where that is more
                         than sample_period_ns since they take long; 0: it is not */
    uint64_t reserved0[5];

    struct rec_table tables[REC_TABLE_COUNT];
};

_Static_assert(sizeof(struct rec_task) == 128, "a task is two cache lines");
_Static_assert(__builtin_offsetof(struct rec_task, id) == 64, "the second line starts at id");
_Static_assert(sizeof(struct rec_site) == 24, "no padding");
_Static_assert(sizeof(struct rec_frame) == 24, "no padding");
_Static_assert(sizeof(struct rec_module) == 80, "no padding");
_Static_assert(sizeof(struct rec_call) == 8, "no padding");
_Static_assert(sizeof(struct rec_case) == 24, "no padding");
_Static_assert(sizeof(struct rec_descriptor) == 128, "no padding");
_Static_assert(sizeof(struct rec_asleep) == 32, "no padding");
_Static_assert(sizeof(struct rec_table) == 32, "no padding");
_Static_assert(sizeof(struct rec_header) <= REC_HEADER_BYTES, "the header is one page");
_Static_assert(__builtin_offsetof(struct rec_header, tables) == 256, "the header has no padding");

#endif
