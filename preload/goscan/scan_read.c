/* Reading a batch of goroutines: many pieces a call. */
#include "preload/goscan/hash.h"
#include "preload/goscan/scan.h"

#define MAX_RUN_BYTES 16384

/* ---- The goroutines themselves ---- */

static void take_key(const struct goscan *scan, const uint8_t *bytes, struct scan_key *ret)
{
    const struct go_layout *layout = &scan->layout;
    *ret = (struct scan_key){
        .stack_lo = word_at(bytes, layout->g_stack_lo),
        .stack_hi = word_at(bytes, layout->g_stack_hi),
        .sp = word_at(bytes, layout->g_sched_sp),
        .pc = word_at(bytes, layout->g_sched_pc),
        .id = word_at(bytes, layout->g_id),
        .waiting = word_at(bytes, layout->g_waiting),
        .status = g_status(layout, bytes),
        .reason = bytes[layout->g_wait_reason],
        .tracking = bytes[layout->g_tracking],
    };
}

static bool keys_agree(const struct scan_key *a, const struct scan_key *b)
{
    return a->stack_lo == b->stack_lo && a->stack_hi == b->stack_hi && a->sp == b->sp &&
           a->pc == b->pc && a->id == b->id && a->waiting == b->waiting && a->status == b->status &&
           a->reason == b->reason && a->tracking == b->tracking;
}

static enum scan_item_state state_of(uint32_t status)
{
    switch (status) {
    case G_IDLE:
    case G_DEAD:
    case G_DEAD_EXTRA:
        return ITEM_SKIP;
    case G_WAITING:
    case G_PREEMPTED:
    case G_LEAKED:
        return ITEM_PARKED;
    default:
        return ITEM_KNOWN;
    }
}

void scan_judge_g(struct goscan *scan, struct scan_item *item)
{
    const struct go_layout *layout = &scan->layout;
    if (!item->g_ok) {
        item->state = ITEM_UNREADABLE;
        return;
    }
    if (!g_is_plausible(layout, item->bytes, &scan->functions)) {
        item->state = ITEM_AGAIN;
        return;
    }
    take_key(scan, item->bytes, &item->key);
    item->state = (uint8_t)state_of(item->key.status);
    if (item->state != ITEM_SKIP && !g_stands_still(layout, item->bytes))
        item->state = ITEM_AGAIN;
}

static void read_runs(struct goscan *scan, size_t item_count)
{
    struct scan_state *state = scan_state(scan);
    for (size_t i = 0; i < state->run_count; i++) {
        struct scan_run_of_gs *run = &state->runs[i];
        scan_add(scan, run->address, run->to, run->bytes, &run->ok);
    }
    scan_flush(scan);
    /* Of a run that cannot be read, members may be. */
    for (size_t i = 0; i < item_count; i++) {
        struct scan_item *item = &state->items[i];
        item->g_ok = state->runs[item->run].ok;
        if (!item->g_ok)
            scan_add(scan, item->g, item->bytes, state->g_bytes, &item->g_ok);
    }
    scan_flush(scan);
}

/* Adds a g to one of the last runs. False: it is near none of them. */
static bool join_run(struct scan_state *state, struct scan_item *item)
{
    for (size_t back = 1; back <= SCAN_OPEN_PIECES && back <= state->run_count; back++) {
        struct scan_run_of_gs *run = &state->runs[state->run_count - back];
        uint64_t end = run->address + run->bytes;
        if (item->g < end || item->g - end > SCAN_G_GAP ||
            item->g + state->g_bytes - run->address > MAX_RUN_BYTES)
            continue;
        item->run = (uint32_t)(state->run_count - back);
        item->run_offset = (uint32_t)(item->g - run->address);
        run->bytes = item->run_offset + state->g_bytes;
        return true;
    }
    return false;
}

void scan_read_gs(struct goscan *scan, size_t count)
{
    struct scan_state *state = scan_state(scan);
    state->run_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct scan_item *item = &state->items[i];
        if (join_run(state, item))
            continue;
        item->run = (uint32_t)state->run_count++;
        item->run_offset = 0;
        state->runs[item->run] =
            (struct scan_run_of_gs){.address = item->g, .bytes = state->g_bytes};
    }
    uint8_t *at = state->g_area;
    for (size_t i = 0; i < state->run_count; i++) {
        state->runs[i].to = at;
        at += (state->runs[i].bytes + 7) & ~(size_t)7;
    }
    for (size_t i = 0; i < count; i++)
        state->items[i].bytes = state->runs[state->items[i].run].to + state->items[i].run_offset;
    read_runs(scan, count);
}

/* ---- What belongs to the parked ones ---- */

/* The row of a channel; *ret: its number. NULL: it has one already. There are as many rows as of
 * sudogs, so there is always one. */
static struct scan_channel *channel_row(struct goscan *scan, uint64_t address, uint32_t *ret)
{
    struct scan_state *state = scan_state(scan);
    uint64_t hash = hash_word(address >> 4);
    uint32_t *head = &state->channel_heads[(hash >> 32) & (state->channel_head_count - 1)];
    /* What an item alone reads goes to rows of its own, which are given back. */
    for (uint32_t number = *head; number > state->first_channel;
         number = state->channels[number - 1].next) {
        if (state->channels[number - 1].address == address) {
            *ret = number;
            return NULL;
        }
    }
    struct scan_channel *channel = &state->channels[state->channel_count++];
    channel->address = address;
    channel->timer_when = 0;
    channel->timer_ok = false;
    channel->next = *head;
    channel->head = head;
    *head = *ret = state->channel_count;
    return channel;
}

static void give_back_rows(struct scan_state *state, uint32_t sudogs, uint32_t channels)
{
    state->sudog_count = sudogs;
    while (state->channel_count > channels) {
        const struct scan_channel *channel = &state->channels[--state->channel_count];
        *channel->head = channel->next;
    }
}

/* Asks for the sudog at an address, the next one of the item's. */
static void ask_sudog(struct goscan *scan, struct scan_item *item, uint64_t address)
{
    struct scan_state *state = scan_state(scan);
    if (address == 0)
        return;
    item->more_sudogs = address % 8 != 0 || item->sudog_count == GO_MAX_CASES;
    item->lacks_room = state->sudog_count >= state->sudog_limit;
    if (item->more_sudogs || item->lacks_room)
        return;
    struct scan_sudog *sudog = &state->sudogs[state->sudog_count++];
    sudog->address = address;
    sudog->next = sudog->channel = 0;
    if (item->last_sudog != 0)
        state->sudogs[item->last_sudog - 1].next = state->sudog_count;
    else
        item->first_sudog = state->sudog_count;
    item->last_sudog = state->sudog_count;
    item->sudog_count++;
    scan_add_near(scan, &state->near_sudogs, address, state->sudog_bytes, &sudog->copy);
}

/* Asks for the stack of a parked one. False: there is no room. */
static bool ask_stack(struct goscan *scan, struct scan_item *item, bool alone)
{
    struct scan_state *state = scan_state(scan);
    const struct scan_key *key = &item->key;
    uint64_t bytes = key->stack_hi - key->sp;
    size_t most = alone ? state->deep_area_bytes : SCAN_STACK_BYTES;
    if (!item->wants_stack || key->sp % 8 != 0 || key->sp < key->stack_lo ||
        key->sp >= key->stack_hi)
        return true;
    if (bytes > most)
        bytes = most;
    if (alone) {
        item->stack.bytes = state->deep_area;
        item->stack.ok = &item->stack.own_ok;
        scan_add(scan, key->sp, item->stack.bytes, bytes, item->stack.ok);
    } else if (scan_has_room(&state->near_stacks, bytes)) {
        scan_add_near(scan, &state->near_stacks, key->sp, bytes, &item->stack);
    } else {
        return false;
    }
    item->stack_bytes = (uint32_t)bytes;
    item->special = (uint8_t)scan_special_of(scan, item);
    return true;
}

/* Stacks, and the first sudogs. Returns how many items there was room for. */
static size_t ask_first(struct goscan *scan, size_t first, size_t end, bool alone)
{
    struct scan_state *state = scan_state(scan);
    for (size_t i = first; i < end; i++) {
        struct scan_item *item = &state->items[i];
        if (item->state != ITEM_PARKED)
            continue;
        item->first_sudog = item->last_sudog = item->sudog_count = 0;
        item->more_sudogs = false;
        item->lacks_room = false;
        item->special_ok = false;
        item->special = SPECIAL_NONE;
        item->special_bytes = state->special_area + i * SCAN_SPECIAL_BYTES;
        item->stack_bytes = 0;
        if (state->sudog_count >= state->sudog_limit || !ask_stack(scan, item, alone))
            return i - first;
        ask_sudog(scan, item, item->key.waiting);
    }
    return end - first;
}

static void ask_channel(struct goscan *scan, struct scan_sudog *sudog)
{
    struct scan_state *state = scan_state(scan);
    if (!*sudog->copy.ok)
        return;
    uint64_t address = word_at(sudog->copy.bytes, scan->layout.sudog_channel);
    if (address == 0 || address % 8 != 0)
        return;
    struct scan_channel *channel = channel_row(scan, address, &sudog->channel);
    if (channel)
        scan_add_near(scan, &state->near_channels, address, state->channel_bytes, &channel->copy);
}

/* The other sudogs of selects, one more of each a round; and all channels. */
static void ask_others(struct goscan *scan, size_t first, size_t end)
{
    struct scan_state *state = scan_state(scan);
    uint32_t from = state->first_sudog;
    bool more = true;
    while (more) {
        uint32_t to = state->sudog_count;
        for (uint32_t i = from; i < to; i++)
            ask_channel(scan, &state->sudogs[i]);
        from = to;
        for (size_t i = first; i < end; i++) {
            struct scan_item *item = &state->items[i];
            if (item->state != ITEM_PARKED || item->last_sudog == 0 || item->more_sudogs ||
                item->lacks_room)
                continue;
            /* That of a semaphore leads to other goroutines that wait for it. */
            const struct scan_sudog *last = &state->sudogs[item->last_sudog - 1];
            if (*last->copy.ok && item->last_sudog <= to &&
                last->copy.bytes[scan->layout.sudog_is_select] != 0 &&
                word_at(last->copy.bytes, scan->layout.sudog_g) == item->g)
                ask_sudog(scan, item, word_at(last->copy.bytes, scan->layout.sudog_wait_link));
        }
        scan_flush(scan);
        more = state->sudog_count > to;
    }
}

static void ask_timers(struct goscan *scan)
{
    struct scan_state *state = scan_state(scan);
    if (scan->layout.channel_timer == GO_ABSENT)
        return;
    for (uint32_t i = state->first_channel; i < state->channel_count; i++) {
        struct scan_channel *channel = &state->channels[i];
        uint64_t timer =
            *channel->copy.ok ? word_at(channel->copy.bytes, scan->layout.channel_timer) : 0;
        if (timer != 0)
            scan_add(scan, timer + scan->layout.timer_when, &channel->timer_when,
                     sizeof(channel->timer_when), &channel->timer_ok);
    }
    scan_flush(scan);
}

static void read_specials(struct goscan *scan, size_t first, size_t end)
{
    struct scan_state *state = scan_state(scan);
    for (size_t i = first; i < end; i++) {
        struct scan_item *item = &state->items[i];
        if (item->state == ITEM_PARKED && item->special != SPECIAL_NONE)
            scan_special_ask(scan, item);
    }
    scan_flush(scan);
    for (size_t i = first; i < end; i++) {
        struct scan_item *item = &state->items[i];
        if (item->state == ITEM_PARKED && item->special != SPECIAL_NONE)
            scan_special_check(scan, item);
    }
}

static void read_locks(struct goscan *scan, size_t first, size_t end)
{
    struct scan_state *state = scan_state(scan);
    for (size_t i = first; i < end; i++) {
        if (state->items[i].state == ITEM_PARKED)
            scan_lock_ask(scan, &state->items[i]);
    }
    scan_flush(scan);
}

/* Whether something was not read that may be read by itself. */
static bool lacks_part(const struct scan_state *state, const struct scan_item *item)
{
    for (uint32_t number = item->first_sudog; number != 0;) {
        const struct scan_sudog *sudog = &state->sudogs[number - 1];
        if (!*sudog->copy.ok ||
            (sudog->channel != 0 && !*state->channels[sudog->channel - 1].copy.ok))
            return true;
        number = sudog->next;
    }
    return item->lacks_room || (item->stack_bytes > 0 && !*item->stack.ok);
}

/* Whether what was read now is of the goroutine that was read first. One that is not parked may
 * have run on, and even have parked. A dead one has its number still when the next one, that is
 * made of it, has its creator in there already (src/runtime/proc.go, newproc1). */
static bool still_agrees(const struct scan_item *item, const struct scan_key *now)
{
    if (item->state == ITEM_PARKED)
        return keys_agree(&item->key, now);
    return item->key.id == now->id && state_of(now->status) != ITEM_SKIP;
}

/* The g's again: what was read belongs together only where nothing has changed meanwhile. */
static void check_keys(struct goscan *scan, size_t first, size_t end, bool alone)
{
    struct scan_state *state = scan_state(scan);
    if (alone) {
        struct scan_item *item = &state->items[first];
        scan_add(scan, item->g, item->bytes, state->g_bytes, &item->g_ok);
        scan_flush(scan);
    } else {
        read_runs(scan, state->batch_items);
    }
    for (size_t i = first; i < end; i++) {
        struct scan_item *item = &state->items[i];
        struct scan_key now;
        if (item->state != ITEM_PARKED && item->state != ITEM_KNOWN)
            continue;
        if (item->g_ok)
            take_key(scan, item->bytes, &now);
        if (!item->g_ok || !still_agrees(item, &now) ||
            (item->state == ITEM_PARKED && !alone && lacks_part(state, item)))
            item->state = ITEM_AGAIN;
    }
}

/* How many items there are before the first one that lacks room. */
static size_t with_room(const struct scan_state *state, size_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct scan_item *item = &state->items[first + i];
        if (item->state == ITEM_PARKED && item->lacks_room)
            return i > 0 ? i : 1;
    }
    return count;
}

/* Returns how many items there was room for. `alone`: one item, with all of its stack. */
static size_t read_parked(struct goscan *scan, size_t first, size_t end, bool alone)
{
    struct scan_state *state = scan_state(scan);
    size_t count = ask_first(scan, first, end, alone);
    end = first + count;
    scan_flush(scan);
    ask_others(scan, first, end);
    /* What there was no room for is left to the next batch, or told of cut. */
    if (!alone)
        end = first + (count = with_room(state, first, count));
    ask_timers(scan);
    read_specials(scan, first, end);
    read_locks(scan, first, end);
    check_keys(scan, first, end, alone);
    if (!alone) {
        state->batch_sudogs = state->sudog_count;
        state->batch_channels = state->channel_count;
        state->near_sudogs.batch = state->near_sudogs.placed;
        state->near_channels.batch = state->near_channels.placed;
    }
    return count;
}

size_t scan_read_parked(struct goscan *scan, size_t count)
{
    struct scan_state *state = scan_state(scan);
    give_back_rows(state, 0, 0);
    struct scan_near *const nears[] = {&state->near_stacks, &state->near_sudogs,
                                       &state->near_channels};
    for (size_t i = 0; i < sizeof(nears) / sizeof(*nears); i++)
        nears[i]->used = nears[i]->placed = 0;
    state->batch_items = count;
    state->first_sudog = state->first_channel = 0;
    state->sudog_limit = state->sudog_room - SCAN_SPARE_ROWS;
    return read_parked(scan, 0, count, false);
}

void scan_read_alone(struct goscan *scan, struct scan_item *item)
{
    struct scan_state *state = scan_state(scan);
    size_t index = (size_t)(item - state->items);
    /* Rows of the one before, which was told of. */
    give_back_rows(state, state->batch_sudogs, state->batch_channels);
    state->first_sudog = state->batch_sudogs;
    state->first_channel = state->batch_channels;
    state->near_sudogs.placed = state->near_sudogs.batch;
    state->near_channels.placed = state->near_channels.batch;
    state->sudog_limit = state->sudog_room;
    scan_add(scan, item->g, item->bytes, state->g_bytes, &item->g_ok);
    scan_flush(scan);
    scan_judge_g(scan, item);
    if (item->state == ITEM_PARKED)
        read_parked(scan, index, index + 1, true);
}
