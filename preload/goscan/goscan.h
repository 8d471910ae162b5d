/* Reads the goroutines of a program of Go's own compiler (gc), linux/amd64, Go 1.18 to 1.27,
 * through a mem_reader: without stopping it, and without help from it.
 *
 * First goscan_open finds the runtime's data: by what the caller knows (hints), else from the code
 * and the shape of the data. Then each goscan_run tells of all goroutines. Nothing that is read is
 * trusted. No allocation, no libc but memcpy and the like: it runs inside targets too.
 */
#ifndef LEAKSPY_GOSCAN_H
#define LEAKSPY_GOSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/layout.h"
#include "preload/goscan/pclntab.h"
#include "preload/goscan/reader.h"
#include "preload/goscan/reasons.h"

/* A mapped part of the Go program's own file. */
struct go_range {
    uint64_t start, end;
    bool readable, writable, executable;
};

/* What the caller found out with more than this scanner has (symbols, DWARF, section headers). 0:
 * it does not know. Addresses are of the process. */
struct go_hints {
    uint64_t build_info;          /* start of .go.buildinfo */
    uint64_t module_data;         /* runtime.firstmoduledata */
    uint64_t pclntab;             /* runtime.pclntab, .gopclntab */
    uint64_t all_gs;              /* runtime.allgs (slice) */
    uint64_t wait_reason_strings; /* runtime.waitReasonStrings */
    uint64_t wait_reason_count;
    uint64_t all_ps;                /* runtime.allp (slice) */
    const struct go_layout *layout; /* from DWARF; NULL: from the table of versions */
};

enum go_result {
    GO_OK,
    GO_NOT_GO,          /* no build info, no pclntab: not a program of Go's own compiler */
    GO_TOO_OLD,         /* before 1.18 */
    GO_UNKNOWN_VERSION, /* newer than the table of layouts, and the caller has no DWARF */
    GO_NOT_FOUND,  /* a Go program, but its list of goroutines was not found (it may be starting) */
    GO_UNREADABLE, /* its memory cannot be read: it has ended, or the core lacks it */
};

#define GO_MAX_REASONS 96
#define GO_REASON_BYTES 48
#define GO_MAX_CASES 256
#define GO_MAX_LABELS 32
#define GO_MAX_ANCESTORS 64 /* frames of its creator's stack */

struct go_reason {
    char text[GO_REASON_BYTES]; /* as the target's own table words it */
    uint16_t op;                /* enum rec_op */
    uint8_t object;             /* enum go_object_rule */
    uint8_t lock;               /* enum go_lock, of a semaphore */
    bool idle;                  /* only the runtime's own goroutines wait so, with nothing to do */
    bool deadline;              /* it ends by itself */
    bool uncounted; /* the runtime goes on with one that waits so without counting that it runs */
};

/* Fills what a reason means, from its text. */
static inline void go_reason_explain(struct go_reason *reason)
{
    const struct go_reason_rule *rule = go_reason_rule(reason->text);
    reason->op = rule->op;
    reason->object = rule->object;
    reason->lock = rule->lock;
    reason->idle = rule->idle;
    reason->deadline = rule->deadline;
    reason->uncounted = rule->uncounted;
}

struct go_channel {
    uint64_t address; /* 0: a nil channel */
    uint64_t capacity, length;
    bool known; /* capacity, length and closed were read */
    bool closed;
    bool timer; /* a timer is set that will send on it, or close it */
};

struct go_case {
    struct go_channel channel;
    bool send; /* told only where channel.known is */
};

/* A lock of package sync. */
struct go_lock_place {
    uint64_t address;
    enum go_lock lock;
};

/* Text that lies in the target. */
struct go_text {
    uint64_t address, bytes;
};

/* One goroutine, as it was at one moment. */
struct go_goroutine {
    uint64_t g; /* address */
    uint64_t id;
    uint64_t parent_id;    /* the goroutine that created it; 0: not recorded (before 1.21) */
    uint64_t thread;       /* address of its m; 0: it is on none */
    uint32_t os_tid;       /* the kernel's id of that thread, or of the one that it is locked to; 0:
                              there is none, or it is not known */
    uint64_t created_pc;   /* return address of the go statement: the call is at pc - 1 */
    uint64_t start_pc;     /* entry of its function */
    int64_t waiting_since; /* the runtime's nanotime (CLOCK_MONOTONIC, ns); 0: not known */
    uint32_t wait_number;  /* changes whenever it runs, never while it is parked; 0: it may run
                              without that */
    uint32_t status;       /* runtime._Gwaiting and so on, without the scan bit */
    uint16_t reason;       /* row of goscan.reasons; only when parked */
    bool parked;           /* _Gwaiting, _Gpreempted or _Gleaked, and read in one piece */
    bool moved;            /* it changed whenever it was looked at: it runs */
    bool system;           /* the runtime's own */
    bool locked;           /* to its thread */
    bool deadline;         /* a timer will wake it */
    uint16_t op;           /* enum rec_op; of a semaphore, that of the lock which it is a part of */
    uint64_t object; /* the channel, the lock, the Cond, the pollDesc's descriptor; 0: not known */
    bool object_known;           /* it was found; a descriptor may be 0 */
    uint8_t lock;                /* enum go_lock; of a semaphore, as far as is known */
    struct go_lock_words words;  /* of a lock that is the object */
    struct go_channel channel;   /* of a send or a receive */
    const struct go_case *cases; /* of a select; valid during the visit, as are the others below */
    uint32_t case_count;
    uint32_t cases_given; /* that are not of nil channels, also where not all are in `cases`; how
                             many are of nil channels nobody knows. 0: all of them are */
    const struct go_stack *stack; /* of a parked one, or one in a system call or in C (then that of
                                     its Go functions); NULL: not known */
    uint64_t labels;              /* address of its pprof labels; 0: none. See goscan_labels */
    const uint64_t *ancestor_pcs; /* the stack of its creator at that time; NULL: not kept */
    uint32_t ancestor_count;
    bool ancestors_cut; /* that stack was longer than what was kept or read of it */
};

struct goscan {
    struct mem_reader *reader;
    struct go_layout layout;
    struct go_hints found; /* addresses, by hint or by search; layout is unused */
    char version[64];      /* "go1.24.3" */
    unsigned minor;        /* 24 */
    struct pclntab functions;
    struct go_unwinder unwinder;
    struct go_reason reasons[GO_MAX_REASONS];
    uint32_t reason_count;
    void *scratch; /* the caller's; see goscan_scratch_bytes */
    size_t scratch_bytes;
    /* May be set after goscan_open: whether the stack of a parked goroutine is wanted, which is
     * most of the work. Asked before anything but the goroutine itself was read: g, id, ids and
     * addresses, status, reason, wait_number and waiting_since are there, op as far as the reason
     * tells it, the others are 0. Where it is not, `stack` is NULL in the visit, and an object that
     * only the stack tells of is 0. NULL: always. */
    bool (*wants_stack)(const struct go_goroutine *it, void *arg);
    /* May be set after goscan_open: of one in a semaphore whose stack is not wanted, whether words
     * of a lock are, and of which one: the caller knows from an earlier run in which it waits. They
     * are in `words` then, as of a moment while it waited. NULL: never. */
    bool (*wants_lock)(const struct go_goroutine *it, struct go_lock_place *ret, void *arg);
    uint64_t most_goroutines; /* may be set after goscan_open: a longer list is none; 0: 2^24 */
    /* May be set after goscan_open: whether the scan shall go on. Asked now and then in what may
     * take long between two visits, the reading of timers; what was not read of them then is not
     * known. NULL: always. */
    bool (*go_on)(void);
};

struct go_totals {
    uint64_t seen; /* goroutines that are neither dead nor free */
    uint64_t parked;
    uint64_t unreadable; /* that could not be read at all */
    uint64_t moved;      /* that changed all the time */
    bool timers_unknown; /* not all timers and contexts could be read, so go_channel.timer and
                            deadline may be missing where a timer will wake a goroutine */
};

/* How much memory goscan_open is to be given: it decides how many goroutines are read at once. */
size_t goscan_scratch_bytes(size_t goroutines_at_once);

/* Finds the runtime. `ranges`: the mappings of the Go program's file, in order. `scratch`: zeroed
 * memory that lives as long as *ret. */
enum go_result goscan_open(struct goscan *ret, struct mem_reader *reader,
                           const struct go_range *ranges, size_t range_count,
                           const struct go_hints *hints, void *scratch, size_t scratch_bytes);

/* How long the list of all goroutines is now, with those that are dead or free; 0: unknown. */
uint64_t goscan_count(struct goscan *scan);

/* Tells of every goroutine that is neither dead nor free, in the order of the runtime's list; *it
 * is good during the call. Ends early when visit returns false, which is no failure. */
enum go_result goscan_run(struct goscan *scan,
                          bool (*visit)(const struct go_goroutine *it, void *arg), void *arg,
                          struct go_totals *ret);

/* During a visit: whether no timer was missed so far, so that one without a deadline has none. */
bool goscan_knows_timers(const struct goscan *scan);

/* Where a goroutine was spawned: the stack that its creator had where the runtime kept it, else the
 * go statement alone (*ret_cut). NULL: not known. */
const uint64_t *goscan_spawn_pcs(const struct go_goroutine *it, uint32_t *ret_count, bool *ret_cut);

/* How many cases a select has: sends << 16 | receives, each 65,535 at most. Those that are not in
 * it->cases count as receives. */
uint32_t goscan_case_numbers(const struct go_goroutine *it);

/* What the words of a lock say to who waits for it; not known where they say that it is about to be
 * woken. `leaving` of an RWMutex alone. */
struct go_lock_words goscan_lock_words(enum go_lock lock, int32_t state, int32_t leaving);

/* The pprof labels of a goroutine: key, value, key, value … Returns how many pairs there are;
 * GO_MAX_LABELS + 1: more than so many, which are told. */
size_t goscan_labels(struct goscan *scan, uint64_t labels, struct go_text pairs[2 * GO_MAX_LABELS]);

#endif
