#include "preload/goscan/scan.h"

#define TRIES 4       /* to read one in one piece */
#define LIST_TRIES 16 /* to read a part of the list, which may be moved */

/* Part of the list of all goroutines, runtime.allgs. */
struct list {
    uint64_t address, count;
};

static bool read_list(struct goscan *scan, struct list *ret)
{
    uint64_t slice[3], most = GO_MAX_GOROUTINES;
    if (scan->most_goroutines != 0 && scan->most_goroutines < most)
        most = scan->most_goroutines;
    for (int i = 0; i < LIST_TRIES; i++) {
        if (!mem_read(scan->reader, scan->found.all_gs, slice, sizeof(slice)))
            return false;
        /* Its words are not written at once. */
        if (slice[1] <= slice[2] && slice[1] <= most && slice[0] % 8 == 0) {
            *ret = (struct list){slice[0], slice[1]};
            return true;
        }
    }
    return false;
}

uint64_t goscan_count(struct goscan *scan)
{
    struct list list;
    return read_list(scan, &list) ? list.count : 0;
}

/* Fills state->list from number `first` on. The list that a longer one has replaced may be gone. */
static bool read_part(struct goscan *scan, struct list *list, uint64_t first, size_t count)
{
    for (int i = 0; i < LIST_TRIES; i++) {
        struct list now;
        bool ok = mem_read(scan->reader, list->address + first * 8, scan_state(scan)->list,
                           count * sizeof(uint64_t));
        if (!read_list(scan, &now))
            return false;
        if (now.address == list->address && ok)
            return true;
        if (now.count < first + count)
            return false; /* it never becomes shorter */
        list->address = now.address;
    }
    return false;
}

struct run {
    bool (*visit)(const struct go_goroutine *it, void *arg);
    void *arg;
    struct go_totals *totals;
    uint64_t nonsense; /* rows that led to no goroutine, since the last one that did */
};

static void ask_for_lock(const struct goscan *scan, const struct run *run, struct scan_item *item,
                         const struct go_goroutine *it)
{
    if (item->wants_stack || !scan->wants_lock ||
        scan->reasons[it->reason].object != GO_OBJECT_SEMAPHORE ||
        !scan->wants_lock(it, &item->wanted_lock, run->arg))
        item->wanted_lock.address = 0;
}

static void ask_for_stacks(struct goscan *scan, struct run *run, size_t count)
{
    struct scan_state *state = scan_state(scan);
    for (size_t i = 0; i < count; i++) {
        struct scan_item *item = &state->items[i];
        item->wants_stack = true;
        item->wanted_lock.address = 0;
        if (scan->wants_stack && item->state == ITEM_PARKED) {
            struct go_goroutine it;
            scan_tell_g(scan, item, &it);
            item->wants_stack = scan->wants_stack(&it, run->arg);
            ask_for_lock(scan, run, item, &it);
        }
    }
}

/* The stack is longer than what was read of it at first, and all of that was needed. */
static bool is_too_short(const struct scan_item *item, const struct go_goroutine *it)
{
    return it->stack && it->stack->broken && item->key.sp + item->stack_bytes < item->key.stack_hi;
}

/* What is told of one that changed whenever it was read. False: it is none, or no more. */
static bool tell_moved(struct goscan *scan, struct run *run, struct scan_item *item,
                       struct go_goroutine *ret)
{
    if (item->g_ok)
        scan_judge_g(scan, item);
    if (item->state == ITEM_SKIP)
        return false;
    if (!item->g_ok || !g_is_plausible(&scan->layout, item->bytes, &scan->functions)) {
        run->totals->unreadable++;
        return false;
    }
    item->state = ITEM_AGAIN;
    run->totals->moved++;
    scan_tell(scan, item, ret);
    return true;
}

/* Reads it again, by itself, until nothing changes meanwhile. False: there is nothing to tell. */
static bool settle(struct goscan *scan, struct run *run, struct scan_item *item,
                   struct go_goroutine *ret)
{
    bool alone = false; /* as much of its stack was read as can be */
    for (int tries = 0;; tries++) {
        if (item->state == ITEM_PARKED || item->state == ITEM_KNOWN) {
            scan_tell(scan, item, ret);
            if (!is_too_short(item, ret))
                return true;
            if (alone) {
                scan_state(scan)->stack.cut = true;
                scan_state(scan)->stack.broken = false;
                return true;
            }
        } else if (item->state != ITEM_AGAIN) {
            run->totals->unreadable += item->state == ITEM_UNREADABLE;
            return false;
        }
        if (tries == TRIES)
            return tell_moved(scan, run, item, ret);
        item->wants_stack = true; /* it has moved on since it was asked for */
        item->wanted_lock.address = 0;
        scan_read_alone(scan, item);
        alone = true;
    }
}

static bool tell(struct goscan *scan, struct run *run, struct scan_item *item)
{
    struct go_goroutine it;
    uint64_t unreadable = run->totals->unreadable;
    bool found = settle(scan, run, item, &it);
    run->nonsense = run->totals->unreadable > unreadable ? run->nonsense + 1 : 0;
    if (!found)
        return true;
    run->totals->seen++;
    run->totals->parked += it.parked;
    return run->visit(&it, run->arg);
}

/* Reads and tells of up to `count` goroutines of state->list. Returns of how many; 0: the visitor
 * has had enough. */
static size_t run_batch(struct goscan *scan, struct run *run, size_t count)
{
    struct scan_state *state = scan_state(scan);
    for (size_t i = 0; i < count; i++)
        state->items[i].g = state->list[i];
    scan_read_gs(scan, count);
    for (size_t i = 0; i < count; i++)
        scan_judge_g(scan, &state->items[i]);
    ask_for_stacks(scan, run, count);
    count = scan_read_parked(scan, count);
    for (size_t i = 0; i < count; i++) {
        if (!tell(scan, run, &state->items[i]))
            return 0;
    }
    return count;
}

enum go_result goscan_run(struct goscan *scan,
                          bool (*visit)(const struct go_goroutine *it, void *arg), void *arg,
                          struct go_totals *ret)
{
    struct scan_state *state = scan_state(scan);
    struct run run = {.visit = visit, .arg = arg, .totals = ret};
    struct list list;
    memset(ret, 0, sizeof(*ret));
    if (state->plugins_lacking)
        scan_take_plugins(scan);
    state->searches = state->far_cases = 0;
    state->scan_timers.read = false;
    state->scan_timers.unknown = &ret->timers_unknown;
    memset(state->threads, 0, sizeof(state->threads));
    if (!read_list(scan, &list))
        return GO_UNREADABLE;
    size_t most = state->gs_at_once;
    for (uint64_t first = 0; first < list.count;) {
        size_t count = list.count - first < most ? list.count - first : most;
        if (!read_part(scan, &list, first, count))
            return GO_UNREADABLE;
        size_t told = run_batch(scan, &run, count);
        if (told == 0)
            break;
        first += told;
        if (run.nonsense >= GO_MAX_NONSENSE) {
            ret->unreadable += list.count - first;
            break;
        }
        /* What was read of those that there was no room for is read again. */
        most = told < count ? told : most + most / 4 + 1;
        if (most > state->gs_at_once)
            most = state->gs_at_once;
    }
    state->plugins_lacking = ret->unreadable > 0;
    return GO_OK;
}
