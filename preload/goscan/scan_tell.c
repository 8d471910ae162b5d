/* From what was read of a goroutine to what is told of it. */
#include "preload/goscan/scan.h"

#include "preload/recording.h"

#define MAX_FAR_CASES 8192         /* of selects, in one run: each costs some microseconds */
#define MAX_ANCESTORS 50           /* that the runtime keeps since 1.21; 100 before */
#define MAIN_ID 1                  /* of the first goroutine, which no go statement created */
#define SYNC_TIMERS_SINCE_MINOR 27 /* all channels of timers know them */
#define TIME_BYTES 24              /* of a time.Time, which timers send */

static uint32_t os_tid_of(struct goscan *scan, uint64_t m)
{
    struct scan_state *state = scan_state(scan);
    size_t at = (m >> 6) % SCAN_THREADS;
    if (m == 0)
        return 0;
    if (state->threads[at].m != m) {
        uint64_t id;
        if (!mem_read(scan->reader, m + scan->layout.m_thread_id, &id, sizeof(id)))
            return 0;
        state->threads[at].m = m;
        state->threads[at].os_tid = (uint32_t)id;
    }
    return state->threads[at].os_tid;
}

void scan_tell_g(struct goscan *scan, const struct scan_item *item, struct go_goroutine *ret)
{
    const struct go_layout *layout = &scan->layout;
    const uint8_t *g = item->bytes;
    const struct go_reason *reason = &scan->reasons[0];
    *ret = (struct go_goroutine){
        .g = item->g,
        .id = item->key.id,
        .parent_id = layout->g_parent_id == GO_ABSENT ? 0 : word_at(g, layout->g_parent_id),
        .thread = word_at(g, layout->g_m),
        .created_pc = item->key.id == MAIN_ID ? 0 : word_at(g, layout->g_created_pc),
        .start_pc = word_at(g, layout->g_start_pc),
        .wait_number = 0x100U | item->key.tracking,
        .status = item->key.status,
        .parked = item->state == ITEM_PARKED,
        .moved = item->state == ITEM_AGAIN,
        .locked = word_at(g, layout->g_locked_m) != 0,
        .labels = word_at(g, layout->g_labels),
    };
    if (ret->parked) {
        ret->reason = scan_reason_of(scan, item);
        reason = &scan->reasons[ret->reason];
        ret->op = reason->op;
        ret->deadline = reason->deadline;
        /* A switch to a coroutine, or back to who asked it for a value, is no run that the runtime
         * counts, and leaves when the wait before it began. */
        if (reason->uncounted)
            ret->wait_number = 0;
        else if (!scan_is_coroutine(scan, ret->start_pc))
            ret->waiting_since = (int64_t)word_at(g, layout->g_wait_since);
    }
    ret->system = reason->idle || scan_is_system(scan, ret->start_pc, reason->text);
}

/* ---- Channels ---- */

/* Since 1.23 a timer's channel knows its timer, mostly (see scan_timers.c). Else it is one like any
 * other, of capacity 1, of times. That of a context never knows of a timer: it holds nothing. */
static bool has_timer(struct goscan *scan, const struct scan_channel *channel)
{
    const struct go_layout *layout = &scan->layout;
    const uint8_t *bytes = channel->copy.bytes;
    uint64_t capacity = word_at(bytes, layout->channel_capacity);
    uint16_t element;
    memcpy(&element, bytes + layout->channel_element, sizeof(element));
    if (layout->channel_timer != GO_ABSENT && word_at(bytes, layout->channel_timer) != 0)
        return channel->timer_ok && (int64_t)channel->timer_when > 0;
    bool may_be_times =
        element == TIME_BYTES && capacity == 1 && scan->minor < SYNC_TIMERS_SINCE_MINOR;
    bool may_be_context = element == 0 && capacity == 0;
    return (may_be_times || may_be_context) && scan_timer_wakes(scan, channel->address);
}

static void tell_channel(struct goscan *scan, const struct scan_sudog *sudog,
                         struct go_channel *ret)
{
    const struct go_layout *layout = &scan->layout;
    *ret = (struct go_channel){.address = word_at(sudog->copy.bytes, layout->sudog_channel)};
    if (sudog->channel == 0)
        return;
    const struct scan_channel *channel = &scan_state(scan)->channels[sudog->channel - 1];
    if (!*channel->copy.ok)
        return;
    ret->known = true;
    ret->capacity = word_at(channel->copy.bytes, layout->channel_capacity);
    ret->length = word_at(channel->copy.bytes, layout->channel_length);
    ret->closed = half_at(channel->copy.bytes, layout->channel_closed) != 0;
    ret->timer = has_timer(scan, channel);
}

/* Whether a sudog of the item is in the queue that begins at `first`. Both queues of a channel hold
 * somebody only where one goroutine both sends and receives on it in one select (another one would
 * have met it), so then they hold sudogs of that goroutine alone. */
static bool queue_holds(struct goscan *scan, const struct scan_item *item, uint64_t first,
                        uint64_t sudog)
{
    const struct scan_state *state = scan_state(scan);
    for (uint32_t steps = 0; first != 0 && steps < item->sudog_count; steps++) {
        if (first == sudog)
            return true;
        uint32_t number = item->first_sudog;
        while (number != 0 && state->sudogs[number - 1].address != first)
            number = state->sudogs[number - 1].next;
        if (number == 0)
            return false;
        first = word_at(state->sudogs[number - 1].copy.bytes, scan->layout.sudog_next);
    }
    return false;
}

/* Whether a case of a select sends: a sudog does not say, but it is in one of its channel's queues.
 */
static bool is_send(struct goscan *scan, const struct scan_item *item,
                    const struct scan_sudog *sudog)
{
    if (sudog->channel == 0)
        return false;
    const struct scan_channel *channel = &scan_state(scan)->channels[sudog->channel - 1];
    uint64_t senders = word_at(channel->copy.bytes, scan->layout.channel_senders);
    uint64_t receivers = word_at(channel->copy.bytes, scan->layout.channel_receivers);
    if (!*channel->copy.ok || senders == 0)
        return false;
    return receivers == 0 || queue_holds(scan, item, senders, sudog->address);
}

/* Whether a timer will wake it on a channel that was not read yet; *ret_known is set where that can
 * be told. */
static bool has_far_timer(struct goscan *scan, uint64_t address, bool *ret_known)
{
    const struct go_layout *layout = &scan->layout;
    uint8_t bytes[SCAN_CHANNEL_BYTES];
    struct scan_channel channel = {.address = address, .copy.bytes = bytes};
    *ret_known = mem_read(scan->reader, address, bytes, scan_state(scan)->channel_bytes);
    if (!*ret_known)
        return false;
    uint64_t timer = layout->channel_timer == GO_ABSENT ? 0 : word_at(bytes, layout->channel_timer);
    if (timer != 0) {
        channel.timer_ok = mem_read(scan->reader, timer + layout->timer_when, &channel.timer_when,
                                    sizeof(channel.timer_when));
        *ret_known = channel.timer_ok;
    }
    return has_timer(scan, &channel);
}

/* Whether a timer will wake a select by one of the cases that are not kept. */
static bool far_cases_end(struct goscan *scan, const struct scan_item *item)
{
    const struct go_layout *layout = &scan->layout;
    struct scan_state *state = scan_state(scan);
    const struct scan_sudog *last = &state->sudogs[item->last_sudog - 1];
    uint8_t sudog[SCAN_SUDOG_BYTES];
    bool all_known = *last->copy.ok;
    uint64_t next = all_known ? word_at(last->copy.bytes, layout->sudog_wait_link) : 0;
    for (; next != 0; next = word_at(sudog, layout->sudog_wait_link)) {
        bool known;
        if (state->far_cases++ >= MAX_FAR_CASES || next % 8 != 0 ||
            !mem_read(scan->reader, next, sudog, state->sudog_bytes) ||
            word_at(sudog, layout->sudog_g) != item->g || sudog[layout->sudog_is_select] == 0) {
            all_known = false;
            break;
        }
        if (has_far_timer(scan, word_at(sudog, layout->sudog_channel), &known))
            return true;
        all_known &= known;
    }
    if (!all_known)
        *state->scan_timers.unknown = true;
    return false;
}

static void tell_select(struct goscan *scan, const struct scan_item *item, struct go_goroutine *ret)
{
    struct scan_state *state = scan_state(scan);
    uint32_t count = 0;
    for (uint32_t number = item->first_sudog; number != 0 && count < GO_MAX_CASES;) {
        const struct scan_sudog *sudog = &state->sudogs[number - 1];
        number = sudog->next;
        if (!*sudog->copy.ok)
            continue;
        struct go_case *it = &state->cases[count++];
        tell_channel(scan, sudog, &it->channel);
        it->send = is_send(scan, item, sudog);
        ret->deadline |= it->channel.timer && !it->send;
    }
    if (item->more_sudogs && item->last_sudog != 0 && !ret->deadline)
        ret->deadline = far_cases_end(scan, item);
    ret->cases = state->cases;
    ret->case_count = count;
    ret->cases_given = item->sudog_count + (item->more_sudogs ? 1 : 0);
}

/* ---- Locks, Conds, descriptors ---- */

static void tell_semaphore(struct goscan *scan, const struct scan_item *item,
                           const struct go_reason *reason, struct go_goroutine *ret)
{
    enum go_lock lock = reason->lock;
    if (ret->stack && (lock == GO_LOCK_UNKNOWN || lock == GO_LOCK_MUTEX))
        lock = scan_lock_of(scan, ret->stack);
    /* What the reason says is believed, but for the writer that waits for another one. */
    if (reason->lock == GO_LOCK_MUTEX && lock != GO_LOCK_RWLOCK_MUTEX)
        lock = GO_LOCK_MUTEX;
    ret->lock = (uint8_t)lock;
    ret->op = go_lock_op(lock);
    if (item->wanted_lock.address != 0)
        ret->words = scan_lock_words(scan, item, item->wanted_lock.lock);
    uint16_t offset = scan_semaphore_offset(&scan->layout, lock);
    uint64_t semaphore = scan_semaphore_of(scan, item);
    if (offset == GO_ABSENT || semaphore <= offset)
        return;
    ret->object = semaphore - offset;
    if (item->stack_bytes != 0)
        ret->words = scan_lock_words(scan, item, lock);
}

static void tell_cond(struct goscan *scan, const struct scan_item *item, struct go_goroutine *ret)
{
    const struct go_layout *layout = &scan->layout;
    if (item->special == SPECIAL_COND && item->special_ok) {
        ret->object = item->special_word;
        return;
    }
    const uint8_t *sudog =
        scan_own_sudog(scan, item); /* since 1.26: with the address of the list */
    if (sudog && layout->cond_notify != GO_ABSENT &&
        word_at(sudog, layout->sudog_elem) > layout->cond_notify)
        ret->object = word_at(sudog, layout->sudog_elem) - layout->cond_notify;
}

static void tell_poll(struct goscan *scan, const struct scan_item *item, struct go_goroutine *ret)
{
    const struct go_layout *layout = &scan->layout;
    if (item->special != SPECIAL_POLL || !item->special_ok)
        return;
    /* What was read begins where the pollDesc would if the word were the writer's. */
    const uint8_t *poll =
        item->special_bytes + (item->writes ? 0 : layout->poll_writer - layout->poll_reader);
    uint16_t deadline = item->writes ? layout->poll_write_deadline : layout->poll_read_deadline;
    ret->object_known = true;
    ret->object = word_at(poll, layout->poll_fd);
    ret->deadline = deadline != GO_ABSENT && (int64_t)word_at(poll, deadline) > 0;
}

/* ---- Ancestors ---- */

/* The runtime keeps an address for each inlined call as well, which return addresses do not need:
 * leaves out those of the calls that the one before was inlined into. Returns how many are left. */
static uint32_t drop_outer_calls(struct goscan *scan, uint64_t *pcs, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count;) {
        uint64_t call = pcs[i] - 1;
        pcs[kept++] = pcs[i++];
        for (int depth = 0; i < count && depth < PCLNTAB_MAX_INLINED; depth++) {
            if ((call = scan_outer_call(scan, call)) == 0)
                break;
            i += pcs[i] == call + 1; /* not that of a wrapper, which is not kept */
        }
    }
    return kept;
}

static void tell_ancestors(struct goscan *scan, const struct scan_item *item,
                           struct go_goroutine *ret)
{
    const struct go_layout *layout = &scan->layout;
    struct scan_state *state = scan_state(scan);
    uint64_t ancestors = word_at(item->bytes, layout->g_ancestors);
    uint64_t list[2], pcs[2], id; /* slices: address, count */
    if (ancestors == 0 || !mem_read(scan->reader, ancestors, list, sizeof(list)) || list[1] == 0 ||
        !mem_read(scan->reader, list[0] + layout->ancestor_pcs, pcs, sizeof(pcs)))
        return;
    if (ret->parent_id == 0 && mem_read(scan->reader, list[0] + layout->ancestor_id, &id, 8))
        ret->parent_id = id;
    uint64_t count = pcs[1] < GO_MAX_ANCESTORS ? pcs[1] : GO_MAX_ANCESTORS;
    if (count == 0 || !mem_read(scan->reader, pcs[0], state->ancestors, count * sizeof(uint64_t)))
        return;
    ret->ancestor_pcs = state->ancestors;
    ret->ancestor_count = drop_outer_calls(scan, state->ancestors, (uint32_t)count);
    ret->ancestors_cut = pcs[1] > count || pcs[1] == MAX_ANCESTORS;
}

/* ---- All of it ---- */

static void tell_stack(struct goscan *scan, const struct scan_item *item, struct go_goroutine *ret)
{
    struct go_stack *stack = &scan_state(scan)->stack;
    if (item->stack_bytes == 0 || !*item->stack.ok)
        return;
    go_unwind(&scan->unwinder, item->key.pc, item->key.sp, item->stack.bytes, item->key.sp,
              item->stack_bytes, stack);
    ret->stack = stack;
}

void scan_tell(struct goscan *scan, struct scan_item *item, struct go_goroutine *ret)
{
    scan_tell_g(scan, item, ret);
    tell_ancestors(scan, item, ret);
    ret->os_tid = os_tid_of(scan, ret->thread != 0 ? ret->thread
                                                   : word_at(item->bytes, scan->layout.g_locked_m));
    if (ret->status == G_SYSCALL && item->wants_stack && scan_syscall_stack(scan, item))
        ret->stack = &scan_state(scan)->stack;
    if (!ret->parked)
        return;
    tell_stack(scan, item, ret);
    const struct go_reason *reason = &scan->reasons[ret->reason];
    const struct scan_sudog *first =
        item->first_sudog != 0 ? &scan_state(scan)->sudogs[item->first_sudog - 1] : NULL;
    switch (reason->object) {
    case GO_OBJECT_CHANNEL:
        if (first && *first->copy.ok) {
            tell_channel(scan, first, &ret->channel);
            ret->object = ret->channel.address;
            ret->deadline |= ret->channel.timer && ret->op == REC_OP_CHAN_RECEIVE;
        }
        break;
    case GO_OBJECT_SELECT:
        tell_select(scan, item, ret);
        break;
    case GO_OBJECT_SEMAPHORE:
        tell_semaphore(scan, item, reason, ret);
        break;
    case GO_OBJECT_COND:
        tell_cond(scan, item, ret);
        break;
    case GO_OBJECT_POLL:
        tell_poll(scan, item, ret);
        break;
    default:
        break;
    }
    ret->object_known |= ret->object != 0;
}

/* ---- What follows from what was told ---- */

const uint64_t *goscan_spawn_pcs(const struct go_goroutine *it, uint32_t *ret_count, bool *ret_cut)
{
    /* What was kept begins inside the runtime, in what the go statement calls. */
    for (uint32_t i = 0; it->created_pc != 0 && i < it->ancestor_count; i++) {
        if (it->ancestor_pcs[i] == it->created_pc) {
            *ret_count = it->ancestor_count - i;
            *ret_cut = it->ancestors_cut;
            return it->ancestor_pcs + i;
        }
    }
    *ret_count = 1;
    *ret_cut = true;
    return it->created_pc != 0 ? &it->created_pc : NULL;
}

uint32_t goscan_case_numbers(const struct go_goroutine *it)
{
    uint32_t count = it->case_count < GO_MAX_CASES ? it->case_count : GO_MAX_CASES;
    uint32_t given = it->cases_given > count ? it->cases_given : count;
    uint32_t sends = 0;
    for (uint32_t i = 0; i < count; i++)
        sends += it->cases[i].send;
    uint32_t receives = given - sends;
    return sends << 16 | (receives < 0xffff ? receives : 0xffff);
}
