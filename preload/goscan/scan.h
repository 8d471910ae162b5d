/* What the files of the scanner do for each other. A run (goscan_run, in scan.c) takes goroutines
 * by the batch through these steps:
 *   - scan_read_gs: the g's;
 *   - scan_judge_g: which of them are goroutines, and in which state;
 *   - scan_read_parked: what belongs to those that are parked;
 *   - scan_tell: what all that says of one; scan_read_alone before it where one has changed.
 * The rest is what these need. What they read, they leave in the batch: see scan_state.h. */
#ifndef LEAKSPY_GOSCAN_SCAN_H
#define LEAKSPY_GOSCAN_SCAN_H

#include "preload/goscan/scan_state.h"

/* ---- Before a run: scan_layout.c, scan_plugins.c ---- */

/* Divides the scratch memory. False: it is too small. */
bool scan_state_init(struct goscan *scan);

/* Works out how much is to be read of each structure. False: that is more than there is room for,
 * or something that is needed is absent: the layout may come from a file that says anything. */
bool scan_state_take_layout(struct goscan *scan);

/* Takes in the tables of the modules that the program has loaded since. */
void scan_take_plugins(struct goscan *scan);

/* ---- The steps of a run: scan_read.c, scan_tell.c ---- */

/* Reads the g's of items[0, count), close ones together. */
void scan_read_gs(struct goscan *scan, size_t count);

/* Whether the g is one, and in which state; fills the key. */
void scan_judge_g(struct goscan *scan, struct scan_item *item);

/* Reads what belongs to the parked ones among the first `count` items: stacks, sudogs, channels,
 * and then all g's again: the state of parked ones that have changed, and of others that have
 * become another goroutine, becomes ITEM_AGAIN. Returns how many items there was room for. */
size_t scan_read_parked(struct goscan *scan, size_t count);

/* Reads one item again, all of its stack too; what was read of the others stays. */
void scan_read_alone(struct goscan *scan, struct scan_item *item);

/* Fills *ret from what was read of an item. */
void scan_tell(struct goscan *scan, struct scan_item *item, struct go_goroutine *ret);
/* The part that needs the g alone. */
void scan_tell_g(struct goscan *scan, const struct scan_item *item, struct go_goroutine *ret);

/* Whether the caller still wants the scan. */
static inline bool scan_goes_on(const struct goscan *scan)
{
    return scan->go_on == NULL || scan->go_on();
}

/* ---- Reading, all at once: scan_reading.c ---- */

/* Asks for a piece; *ok is set when it was read. */
void scan_add(struct goscan *scan, uint64_t address, void *to, size_t bytes, uint32_t *ok);

/* Asks for a copy, together with what is near if that is asked for too. scan_has_room: whether
 * there is room for it. */
void scan_add_near(struct goscan *scan, struct scan_near *near, uint64_t address, size_t bytes,
                   struct scan_copy *copy);
bool scan_has_room(const struct scan_near *near, size_t bytes);

/* Reads all that was asked for. */
void scan_flush(struct goscan *scan);

/* ---- What a goroutine is parked in, or calls: scan_special.c, scan_locks.c, scan_syscall.c ----
 */

/* The row of its reason. One that was preempted has that of its last wait still: Go itself words
 * its status instead (runtime.goroutineheader). */
static inline uint16_t scan_reason_of(const struct goscan *scan, const struct scan_item *item)
{
    if (item->key.status == G_PREEMPTED)
        return scan_state(scan)->preempted_reason;
    return item->key.reason < scan->reason_count ? item->key.reason : 0;
}

/* What is to be found through the stack of a parked goroutine; it is asked for at the place where
 * it was found before, then checked, and else looked for all over the stack. */
enum scan_special scan_special_of(const struct goscan *scan, const struct scan_item *item);
void scan_special_ask(struct goscan *scan, struct scan_item *item);
void scan_special_check(struct goscan *scan, struct scan_item *item);

/* Works out how much is to be read of a lock, whose words lie around the semaphore that its waiters
 * are in: scan_state.lock_bytes; 0: more than there is room for. */
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

/* The Go functions of a goroutine that is in a system call, or in C, into scan_state.stack. False:
 * it was not there all the time. */
bool scan_syscall_stack(struct goscan *scan, struct scan_item *item);

/* ---- Timers that will wake it: scan_timers.c, scan_contexts.c ---- */

/* Whether a timer will send on a channel, or close it, that does not know of it. */
bool scan_timer_wakes(struct goscan *scan, uint64_t channel);

/* Takes a channel among these. False: it is there already, or there is no place. */
bool scan_timers_insert(struct scan_timers *timers, uint64_t channel);

/* Takes the channels that are closed when timers call `closures`, of which those count that end a
 * context. */
#define SCAN_CLOSURES 128 /* at most */
#define SCAN_CONTEXTS_BYTES 131072
void scan_contexts_take(struct goscan *scan, const uint64_t *closures, size_t count,
                        uint8_t area[SCAN_CONTEXTS_BYTES]);

/* ---- What is told by names of functions, worked out once an address: scan_names.c ---- */

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

#endif
