/* What a scan has in the caller's scratch memory: what it remembers from one batch, or one run, to
 * the next, and the batch of goroutines that is being read. */
#ifndef LEAKSPY_GOSCAN_SCAN_STATE_H
#define LEAKSPY_GOSCAN_SCAN_STATE_H

#include "preload/goscan/g.h"
#include "preload/goscan/goscan.h"

#define SCAN_PIECES 1024       /* that are read in one call */
#define SCAN_PARTS 2048        /* of them */
#define SCAN_G_GAP 256         /* at most, in bytes, between g's that are read in one piece */
#define SCAN_NEAR_BYTES 64     /* and between sudogs, or channels */
#define SCAN_SUDOG_BYTES 160   /* at most, of a runtime.sudog */
#define SCAN_CHANNEL_BYTES 192 /* of a runtime.hchan */
#define SCAN_SPECIAL_BYTES 384 /* of what a word on a stack may point to */
#define SCAN_LOCK_BYTES 64     /* around the semaphore of a lock */
#define SCAN_MEMOS 256         /* a power of 2 */
#define SCAN_THREADS 64        /* a power of 2 */
#define SCAN_PLUGINS 16        /* of which the functions are known */
#define SCAN_STACK_BYTES 4096  /* of a stack, at first */
#define SCAN_SPARE_ROWS (2 * GO_MAX_CASES) /* of sudogs, for an item alone */
#define SCAN_DEEP_BYTES 262144 /* of one stack, at most; and what reading timers needs */

/* ---- Memory that is read together ---- */

/* A copy of something; there once the reading was flushed. */
struct scan_copy {
    uint8_t *bytes;
    uint32_t *ok;    /* whether it was read (bool) */
    uint32_t own_ok; /* of the first one of those that are read in one piece */
};

/* Where copies of one kind go. What lies close together in the target is read in one piece: that is
 * what makes reading a million goroutines cheap. Several processors allocate at once, each from a
 * span of its own, so there are several pieces that may become longer. */
#define SCAN_OPEN_PIECES 4

struct scan_near {
    uint8_t *area;
    size_t area_bytes;
    size_t used;      /* by what was asked for */
    size_t placed;    /* up to where pieces have their places */
    size_t batch;     /* up to where the batch has */
    uint32_t max_gap; /* in bytes, between two parts of a piece */
    uint32_t open_count, open_next;
    struct {
        uint64_t end; /* address past it */
        size_t piece;
    } open[SCAN_OPEN_PIECES];
};

/* Pieces that are collected, then read together. */
struct scan_reading {
    struct mem_piece *pieces;
    uint32_t **oks;           /* where the result of each is to go */
    struct scan_near **nears; /* where each will be placed; NULL: it has its place */
    size_t count;
    struct scan_part {
        struct scan_copy *copy;
        uint32_t piece, offset;
    } * parts; /* of pieces that will be placed */
    size_t part_count;
};

/* G's that are read in one piece. */
struct scan_run_of_gs {
    uint64_t address;
    uint8_t *to;
    uint32_t bytes;
    uint32_t ok;
};

/* ---- What is read of a goroutine ---- */

struct scan_sudog {
    uint64_t address;
    struct scan_copy copy;
    uint32_t next;    /* in its goroutine's list: number + 1; 0: the last one */
    uint32_t channel; /* number + 1; 0: none */
};

struct scan_channel {
    uint64_t address;
    struct scan_copy copy;
    uint64_t timer_when; /* of its timer: nanotime; 0: not set */
    uint32_t timer_ok;
    uint32_t next;  /* of the same hash: number + 1 */
    uint32_t *head; /* where its hash leads */
};

/* What is found through a word on the stack of a parked goroutine. */
enum scan_special {
    SPECIAL_NONE,
    SPECIAL_SUDOG, /* its sudog, in semacquire1 */
    SPECIAL_COND,  /* its sync.Cond, in Wait */
    SPECIAL_POLL,  /* &pollDesc.rg or &pollDesc.wg, in netpollblock */
    SPECIAL_COUNT
};

enum scan_item_state {
    ITEM_SKIP,  /* dead, free */
    ITEM_KNOWN, /* read; not parked */
    ITEM_PARKED,
    ITEM_AGAIN, /* it changed, or was nothing that a goroutine can be, while it was read */
    ITEM_UNREADABLE,
};

/* What must not have changed between the first and the last reading. */
struct scan_key {
    uint64_t stack_lo, stack_hi, sp, pc, id, waiting;
    uint32_t status;
    uint8_t reason, tracking;
};

struct scan_item {
    uint64_t g;
    uint8_t *bytes; /* of the g */
    struct scan_copy stack;
    uint8_t *special_bytes;
    uint64_t special_word;              /* the word on the stack */
    uint32_t stack_bytes;               /* that were read, from sp on; 0: none */
    uint32_t run, run_offset;           /* which run of g's it is read in, and where */
    uint32_t g_ok, special_ok, lock_ok; /* bool; set by the reading */
    uint32_t first_sudog, last_sudog;   /* number + 1 */
    uint32_t sudog_count;
    struct go_lock_place wanted_lock; /* without the stack; address 0: none */
    uint8_t state;                    /* enum scan_item_state */
    uint8_t special;                  /* enum scan_special */
    bool wants_stack;
    bool writes;      /* of SPECIAL_POLL: it waits to write */
    bool more_sudogs; /* than are kept */
    bool lacks_room;  /* for its sudogs, in this batch */
    struct scan_key key;
};

/* ---- What is remembered ---- */

/* Something worked out about an address in the code. */
struct scan_memo {
    uint64_t pc; /* 0: free */
    uint32_t value;
};

/* Channels that a timer will send on, or close, and that do not know of it: a hash table of their
 * addresses. */
struct scan_timers {
    uint64_t *channels;
    uint32_t bits, most_bits, used;
    uint32_t row_count;          /* of a heap, that are read at once */
    uint64_t *rows, *rows_again; /* two words each */
    uint64_t left;               /* how many pieces of contexts may still be read */
    bool read;                   /* during this run */
    bool full;                   /* it has no place for one more */
    bool complete;               /* all of them are there */
    bool *unknown;               /* go_totals.timers_unknown of this run */
};

/* ---- All of it ---- */

struct scan_state {
    uint32_t gs_at_once;
    uint32_t g_bytes, sudog_bytes, channel_bytes, poll_bytes; /* to be read of each */
    uint32_t lock_before, lock_bytes; /* and of locks: from so many before the semaphore on */
    struct scan_memo system[SCAN_MEMOS];
    struct scan_memo locks[SCAN_MEMOS];
    struct scan_memo timers[SCAN_MEMOS];
    struct scan_memo closures[SCAN_MEMOS];
    struct scan_memo inlined[SCAN_MEMOS];
    struct {
        uint64_t m;
        uint32_t os_tid;
    } threads[SCAN_THREADS];
    uint16_t preempted_reason;         /* row of goscan.reasons; 0: there is none */
    int32_t special_at[SPECIAL_COUNT]; /* offset from sp at which it was found + 1; 0: never */
    uint32_t searches;                 /* of stacks for such words, in this run */
    uint32_t far_cases;                /* of selects, beyond those that are kept, in this run */
    struct scan_timers scan_timers;
    struct pclntab plugins[SCAN_PLUGINS];
    uint32_t plugin_count;
    bool plugins_lacking; /* something was not read that may be a plugin's */

    /* The batch. */
    uint64_t *list; /* addresses of g's */
    struct scan_item *items;
    size_t batch_items;
    struct scan_run_of_gs *runs;
    size_t run_count;
    uint8_t *g_area, *deep_area, *special_area;
    size_t deep_area_bytes;
    struct scan_sudog *sudogs;
    uint32_t sudog_room, sudog_limit, sudog_count;
    struct scan_channel *channels;
    uint32_t channel_count;                /* there is room for as many as of sudogs */
    uint32_t first_sudog, first_channel;   /* of what is being read: the batch, or an item alone */
    uint32_t batch_sudogs, batch_channels; /* rows that the batch takes */
    uint32_t *channel_heads;               /* of the hash table: number of a channel + 1 */
    uint32_t channel_head_count;           /* a power of 2 */
    struct scan_near near_stacks, near_sudogs, near_channels;
    struct scan_reading reading;

    /* Of the goroutine that is told of. */
    struct go_stack stack;
    struct go_case cases[GO_MAX_CASES];
    uint64_t ancestors[GO_MAX_ANCESTORS];
    struct pclntab_call calls[PCLNTAB_MAX_INLINED];
};

static inline struct scan_state *scan_state(const struct goscan *scan)
{
    return scan->scratch;
}

#endif
