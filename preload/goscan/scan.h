/* What the files of the scanner share: the state that lives in the caller's scratch memory, and the
 * batch of goroutines that is being read. */
#ifndef LEAKSPY_GOSCAN_SCAN_H
#define LEAKSPY_GOSCAN_SCAN_H

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

/* Something worked out about an address in the code. */
struct scan_memo {
    uint64_t pc; /* 0: free */
    uint32_t value;
};

/* A copy of something; there once the reading was flushed. */
struct scan_copy {
    uint8_t *bytes;
    uint32_t *ok;    /* whether it was read (bool) */
    uint32_t own_ok; /* of the first one of those that are read in one piece */
};

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

/* G's that are read in one piece. */
struct scan_run_of_gs {
    uint64_t address;
    uint8_t *to;
    uint32_t bytes;
    uint32_t ok;
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

/* scan_layout.c: divides the scratch memory. False: it is too small. */
bool scan_state_init(struct goscan *scan);
/* Works out how much is to be read of each structure. False: that is more than there is room for,
 * or something that is needed is absent: the layout may come from a file that says anything. */
bool scan_state_take_layout(struct goscan *scan);

/* scan_plugins.c: takes in the tables of the modules that the program has loaded since. */
void scan_take_plugins(struct goscan *scan);

/* scan_reading.c */

/* Asks for a piece; *ok is set when it was read. */
void scan_add(struct goscan *scan, uint64_t address, void *to, size_t bytes, uint32_t *ok);

/* Asks for a copy, together with what is near if that is asked for too. scan_has_room: whether
 * there is room for it. */
void scan_add_near(struct goscan *scan, struct scan_near *near, uint64_t address, size_t bytes,
                   struct scan_copy *copy);
bool scan_has_room(const struct scan_near *near, size_t bytes);

/* Reads all that was asked for. */
void scan_flush(struct goscan *scan);

/* scan_read.c */

/* Reads the g's of items[0, count), close ones together. */
void scan_read_gs(struct goscan *scan, size_t count);

/* Reads what belongs to the parked ones among the first `count` items: stacks, sudogs, channels,
 * and then all g's again: the state of parked ones that have changed, and of others that have
 * become another goroutine, becomes ITEM_AGAIN. Returns how many items there was room for. */
size_t scan_read_parked(struct goscan *scan, size_t count);

/* Reads one item again, all of its stack too; what was read of the others stays. */
void scan_read_alone(struct goscan *scan, struct scan_item *item);

/* Whether the g is one, and in which state; fills the key. */
void scan_judge_g(struct goscan *scan, struct scan_item *item);

/* scan_syscall.c: the Go functions of a goroutine that is in a system call, or in C, into
 * scan_state.stack. False: it was not there all the time. */
bool scan_syscall_stack(struct goscan *scan, struct scan_item *item);

/* scan_special.c: what is to be found through the stack of a parked goroutine; it is asked for at
 * the place where it was found before, then checked, and else looked for all over the stack. */
enum scan_special scan_special_of(const struct goscan *scan, const struct scan_item *item);
void scan_special_ask(struct goscan *scan, struct scan_item *item);
void scan_special_check(struct goscan *scan, struct scan_item *item);

/* scan_locks.c: the words of a lock, which lie around the semaphore that its waiters are in. */

/* How much that is in this layout; 0: more than there is room for. */
void scan_locks_take_layout(struct goscan *scan);
/* Asks for what surrounds the semaphore that a parked goroutine is in, if it is in one. */
void scan_lock_ask(struct goscan *scan, struct scan_item *item);
/* Takes the words from that, where they were read. */
struct go_lock_words scan_lock_words(const struct goscan *scan, const struct scan_item *item,
                                     enum go_lock lock);
/* The address of the semaphore; 0: not known. */
uint64_t scan_semaphore_of(const struct goscan *scan, const struct scan_item *item);
/* Where that is in the lock; GO_ABSENT: not known. */
uint16_t scan_semaphore_offset(const struct go_layout *layout, enum go_lock lock);
/* The sudog of a semaphore or a Cond. NULL: not known. */
const uint8_t *scan_own_sudog(const struct goscan *scan, const struct scan_item *item);

/* scan_timers.c */

/* Whether a timer will send on a channel, or close it, that does not know of it. */
bool scan_timer_wakes(struct goscan *scan, uint64_t channel);

/* Takes a channel among these. False: it is there already, or there is no place. */
bool scan_timers_insert(struct scan_timers *timers, uint64_t channel);

/* scan_contexts.c: takes the channels that are closed when timers call `closures`, of which those
 * count that end a context. */
#define SCAN_CLOSURES 128 /* at most */
#define SCAN_CONTEXTS_BYTES 131072
void scan_contexts_take(struct goscan *scan, const uint64_t *closures, size_t count,
                        uint8_t area[SCAN_CONTEXTS_BYTES]);

/* scan_tell.c: fills *ret from what was read of an item. */
void scan_tell(struct goscan *scan, struct scan_item *item, struct go_goroutine *ret);
/* The part that needs the g alone. */
void scan_tell_g(struct goscan *scan, const struct scan_item *item, struct go_goroutine *ret);

/* scan_names.c: what is told by names of functions, worked out once an address. */

/* Whether a goroutine that began at `start_pc`, and is parked for `reason` (""), is the runtime's.
 */
bool scan_is_system(struct goscan *scan, uint64_t start_pc, const char *reason);

/* Whether a goroutine that began at `start_pc` is a coroutine (package iter). */
bool scan_is_coroutine(struct goscan *scan, uint64_t start_pc);

/* Which lock a goroutine is parked in. */
enum go_lock scan_lock_of(struct goscan *scan, const struct go_stack *stack);

/* Where the innermost call at `pc` was inlined, see pclntab_outer_call. */
uint64_t scan_outer_call(struct goscan *scan, uint64_t pc);

/* What a timer's function does. */
enum scan_timer_function {
    TIMER_OTHER,
    TIMER_SENDS, /* on the channel that is its argument */
    TIMER_CALLS, /* the closure that is its argument (time.AfterFunc) */
};
enum scan_timer_function scan_timer_function(struct goscan *scan, uint64_t function_value);

/* Whether a closure's code is that which ends a context at its deadline. */
bool scan_ends_context(struct goscan *scan, uint64_t pc);

static inline bool scan_goes_on(const struct goscan *scan)
{
    return scan->go_on == NULL || scan->go_on();
}

static inline struct scan_state *scan_state(const struct goscan *scan)
{
    return scan->scratch;
}

/* The row of its reason. One that was preempted has that of its last wait still: Go itself words
 * its status instead (runtime.goroutineheader). */
static inline uint16_t scan_reason_of(const struct goscan *scan, const struct scan_item *item)
{
    if (item->key.status == G_PREEMPTED)
        return scan_state(scan)->preempted_reason;
    return item->key.reason < scan->reason_count ? item->key.reason : 0;
}

#endif
