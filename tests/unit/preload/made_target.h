/* The memory of a program of Go that is made by hand, as of Go 1.27: of goroutines that wait, and
 * of what they wait for. It may change while the scanner reads it. */
#ifndef LEAKSPY_TESTS_MADE_TARGET_H
#define LEAKSPY_TESTS_MADE_TARGET_H

#include "preload/goscan/scan.h"
#include "preload/recording.h"
#include "tests/unit/preload/arena.h"

#define MADE_BYTES (1U << 20) /* of its memory */
#define MADE_G_BYTES 448      /* of a g */
#define MADE_TEXT UINT64_C(0x400000)
#define MADE_TEXT_END UINT64_C(0x500000)
#define MADE_AT_ONCE 8 /* goroutines that the scanner looks at at a time */

/* Why they wait. */
enum made_reason {
    REASON_NONE,
    REASON_RECEIVE,
    REASON_SEND,
    REASON_SELECT,
    REASON_MUTEX,
    REASON_COND,
    REASON_POLL,
    REASON_COUNT
};

/* A target that is made by hand, and what is to happen while it is read. */
struct made_target {
    struct mem_reader reader;
    struct arena arena;
    struct goscan scan;
    void *scratch;
    uint64_t list, list_count; /* of addresses of g's */
    uint64_t slice;            /* runtime.allgs */
    uint64_t pieces;
    void (*change)(struct made_target *target); /* before each piece */
    uint64_t changes_left, changing;            /* what it changes: an address */
    uint64_t becomes;                           /* what it changes that into: another one */
};

/* What a scan told. */
struct made_visits {
    struct go_goroutine last;
    struct go_case cases[GO_MAX_CASES];
    uint64_t count, ids;
};

/* For CMocka: *state becomes an empty target, and is let go. */
int made_set_up(void **state);
int made_tear_down(void **state);

/* Puts an address among those of all goroutines. */
void made_list_g(struct made_target *target, uint64_t g);

/* A parked goroutine, listed. Returns its address. */
uint64_t made_g(struct made_target *target, uint64_t id, enum made_reason reason);

/* A sudog of a select's, after another one (or first, after 0). Returns its address. */
uint64_t made_sudog(struct made_target *target, uint64_t g, uint64_t after, uint64_t channel);

/* A channel in which nobody waits. Returns its address. */
uint64_t made_channel(struct made_target *target, uint64_t capacity);

/* For goscan_run: `arg` is a struct made_visits. */
bool made_note(const struct go_goroutine *it, void *arg);

/* Scans, and fills in what was told. */
struct go_totals made_scan(struct made_target *target, struct made_visits *visits);

#endif
