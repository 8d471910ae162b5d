/* What a tool may know about the tasks of libtaskrt, in its own process, in another one or in a
 * core.
 *
 * libtaskrt exports an object, `taskrt_inspect`. It is data: where to find the list of tasks, and
 * at which offset of a task each field is. A tool reads it by its symbol, checks `magic` and
 * `version`, and needs no other knowledge. It never grows, since a program that uses it may hold
 * the only copy (a copy relocation), as large as it was when the program was built; what came later
 * is in objects of its own, which a runtime may not have: `taskrt_inspect_workers`.
 *
 * Reading a runtime that runs is a race by nature: a field is one aligned word, written whole, but
 * two fields may belong to two moments. A task that is seen PARKED with the same `wait_count`
 * before and after reading its other fields (`state` and `wait_count` last) was parked all along,
 * and the fields are of that wait. The memory of tasks and of their stacks is never unmapped, so a
 * racing read within the own process cannot fault, as long as it stays above stack_low.
 */
#ifndef TASKRT_INSPECT_H
#define TASKRT_INSPECT_H

#include <stdint.h>

#define TASKRT_INSPECT_MAGIC UINT64_C(0x3176747264617374) /* "tsadrtv1" */
#define TASKRT_INSPECT_VERSION 1

/* u32 at task + state */
enum taskrt_state {
    TASKRT_STATE_FREE = 0,     /* memory of a task that ended; reused for later ones */
    TASKRT_STATE_RUNNABLE = 1, /* waits for a thread */
    TASKRT_STATE_RUNNING = 2,
    TASKRT_STATE_PARKED = 3,
    TASKRT_STATE_ENDED = 4, /* ended, its handle was not given up yet */
};

/* u32 at task + reason: what a PARKED task waits on. Its object is at task + object. */
enum taskrt_reason {
    TASKRT_REASON_NONE = 0,
    TASKRT_REASON_SEND = 1,      /* struct taskrt_chan *; 0: a NULL channel */
    TASKRT_REASON_RECEIVE = 2,   /* the same */
    TASKRT_REASON_SELECT = 3,    /* struct taskrt_case *, an array of `object_count` */
    TASKRT_REASON_MUTEX = 4,     /* struct taskrt_mutex * */
    TASKRT_REASON_COND = 5,      /* struct taskrt_cond * */
    TASKRT_REASON_WAITGROUP = 6, /* struct taskrt_waitgroup * */
    TASKRT_REASON_JOIN = 7,      /* struct taskrt_task * */
    TASKRT_REASON_SLEEP = 8,     /* nothing */
    TASKRT_REASON_FD = 9,        /* the descriptor's number */
};

struct taskrt_inspect {
    uint64_t magic;
    uint32_t version;
    uint32_t bytes; /* of this struct, so that a reader knows which fields are there */

    /* All tasks: a singly linked list through `next_all`, newest first. Tasks are pushed at the
     * head and stay on the list, FREE ones too, for as long as the process lives. */
    uint64_t head; /* address of the first task; written by the runtime */
    uint64_t live; /* tasks that are not FREE; written by the runtime */

    /* Offsets in a task, in bytes; of a word of 8 bytes unless it says otherwise. */
    uint32_t next_all;
    uint32_t state;        /* u32 */
    uint32_t reason;       /* u32 */
    uint32_t object_count; /* u32 */
    uint32_t object;
    uint32_t wait_count;  /* u64; counts the parkings in this memory, also of earlier tasks */
    uint32_t deadline_ns; /* i64; CLOCK_MONOTONIC; TASKRT_NEVER: none */
    uint32_t parked_ns;   /* i64; 0: not known (always: parking reads no clock) */
    uint32_t id;          /* u64; unique in the process, from 1 */
    uint32_t name;        /* char[32] */
    uint32_t start;       /* the function it runs */
    uint32_t spawner_id;  /* u64; the task that started it; 0: none */
    uint32_t stack_low;   /* lowest usable address; where guarded, 16 KiB below it fault */
    uint32_t stack_high;
    uint32_t context_sp; /* saved stack pointer of a task that does not run; what lies there is
                            the saved frame of the switch: context_fp and context_pc are offsets
                            from that stack pointer */
    uint32_t tool; /* a word for one tool in the same process: the runtime sets it to 0 when a task
                      begins, and never reads it. The only field that a tool may write. */

    /* Offsets from the saved stack pointer of words saved by the switch. */
    uint32_t context_fp;
    uint32_t context_pc;
    uint32_t context_bytes; /* size of that frame: sp after the switch is context_sp + this */

    /* Offsets in a channel. */
    uint32_t chan_capacity; /* u64 */
    uint32_t chan_length;   /* u64 */
    uint32_t chan_closed;   /* u32 */
    uint32_t case_bytes;    /* sizeof(struct taskrt_case) */
    uint32_t mutex_owner;   /* struct taskrt_task * in a mutex, or 0 */

    uint32_t task_bytes; /* size of a task; tasks lie side by side in blocks, so that reading ahead
                            pays for a tool that reads another process */
};

/* The threads that run the tasks: side by side in an array, for as long as taskrt_run runs. */
struct taskrt_inspect_workers {
    uint64_t magic;   /* TASKRT_INSPECT_MAGIC */
    uint32_t version; /* TASKRT_INSPECT_VERSION */
    uint32_t bytes;   /* of this struct */
    uint64_t first;   /* address of the first; 0: it does not run; written by the runtime */
    uint32_t count;   /* written by the runtime, before `first` */

    uint32_t stride; /* bytes from one to the next */
    /* Offsets in a worker. */
    uint32_t tid;     /* u32; the kernel's id of its thread; 0: it does not run */
    uint32_t current; /* address of the task that it runs; 0: it runs none */
};

#pragma GCC visibility push(default)
extern struct taskrt_inspect taskrt_inspect;
extern struct taskrt_inspect_workers taskrt_inspect_workers;

/* For a tool in the same process that asks often: where each thread has the address of the task
 * that it runs, or 0. In bytes from the thread's pointer (%fs:0, TPIDR_EL0); the same for all
 * threads, and for as long as the runtime is loaded. May be called anywhere. */
int64_t taskrt_inspect_current(void);
#pragma GCC visibility pop

#endif
