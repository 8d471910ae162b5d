/* A channel of a timer of package time does not know of the timer before 1.23; and since then
 * neither when GODEBUG=asynctimerchan=1, as for programs whose go.mod names an older Go
 * (until 1.26). The channel of a context with a deadline never does (scan_contexts.c). But the
 * timer knows the channel, or the context. Timers are found in the heaps of all processors: until
 * 1.22 p.timers is a list of timers, since then one of {timer, when}. */
#include "preload/goscan/hash.h"
#include "preload/goscan/scan.h"

#define MAX_TIMERS (1U << 24)         /* of all processors */
#define MAX_CONTEXT_PIECES (1U << 22) /* that are read of contexts */
#define TIMERS_AT_ONCE SCAN_CLOSURES
#define TIMER_BYTES 128 /* of a runtime.timer, at most */
#define HEAP_TRIES 4    /* to read its slice */
#define FIRST_BITS 14

/* What is read lies in the deep area. */
struct area {
    uint8_t contexts[SCAN_CONTEXTS_BYTES];
    uint8_t timers[TIMERS_AT_ONCE][TIMER_BYTES];
    uint32_t oks[TIMERS_AT_ONCE];
    uint64_t closures[SCAN_CLOSURES];
};

_Static_assert(sizeof(struct area) <= SCAN_DEEP_BYTES, "it fits");

/* Whether it is in a heap, and will fire. */
static bool is_set(const struct go_layout *layout, const uint8_t *timer)
{
    return layout->timer_status == GO_ABSENT ? (int64_t)word_at(timer, layout->timer_when) > 0
                                             : g_timer_is_set(half_at(timer, layout->timer_status));
}

static uint64_t *place_of(const struct scan_timers *timers, uint64_t channel)
{
    uint64_t mask = (UINT64_C(1) << timers->bits) - 1;
    uint64_t at = hash_word(channel >> 4) >> (64 - timers->bits);
    while (timers->channels[at] != 0 && timers->channels[at] != channel)
        at = (at + 1) & mask;
    return &timers->channels[at];
}

bool scan_timers_insert(struct scan_timers *timers, uint64_t channel)
{
    uint64_t *place = place_of(timers, channel);
    if (*place != 0 || channel == 0)
        return false;
    /* A quarter stays free, so that looking ends. */
    if (timers->used >= (3U << timers->bits) / 4) {
        timers->full = true;
        timers->complete = false;
        return false;
    }
    *place = channel;
    timers->used++;
    return true;
}

/* Words of a row of a heap. */
static size_t row_words(const struct go_layout *layout)
{
    return layout->timer_status == GO_ABSENT ? 2 : 1;
}

/* Bytes of a timer up to all that is used; 0: it cannot be read. */
static size_t timer_bytes(const struct go_layout *layout)
{
    const uint16_t fields[] = {layout->timer_when, layout->timer_function, layout->timer_status};
    size_t bytes = go_layout_reach(fields, sizeof(fields) / sizeof(*fields));
    size_t arg_end = layout->timer_arg + 16U;
    if (layout->timer_when == GO_ABSENT || layout->timer_function == GO_ABSENT ||
        layout->timer_arg == GO_ABSENT || layout->p_timers == GO_ABSENT)
        return 0;
    bytes = arg_end > bytes ? arg_end : bytes;
    return bytes <= TIMER_BYTES ? bytes : 0;
}

/* Reads `count` timers. */
static void read_some(struct goscan *scan, struct area *area, const uint64_t *addresses,
                      size_t count)
{
    const struct go_layout *layout = &scan->layout;
    struct scan_timers *channels = &scan_state(scan)->scan_timers;
    size_t bytes = timer_bytes(layout), closures = 0;
    for (size_t i = 0; i < count; i++) {
        area->oks[i] = false;
        if (addresses[i] != 0)
            scan_add(scan, addresses[i], area->timers[i], bytes, &area->oks[i]);
    }
    scan_flush(scan);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *timer = area->timers[i];
        if (!area->oks[i] || !is_set(layout, timer))
            continue;
        uint64_t arg = word_at(timer, layout->timer_arg + 8U);
        switch (scan_timer_function(scan, word_at(timer, layout->timer_function))) {
        case TIMER_SENDS:
            scan_timers_insert(channels, arg);
            break;
        case TIMER_CALLS:
            area->closures[closures++] = arg;
            break;
        case TIMER_OTHER:
            break;
        }
    }
    scan_contexts_take(scan, area->closures, closures, area->contexts);
}

/* The slice of a heap. Its words are not written at once. */
static bool read_heap(struct goscan *scan, uint64_t processor, uint64_t list[3])
{
    for (int i = 0; i < HEAP_TRIES; i++) {
        if (!mem_read(scan->reader, processor + scan->layout.p_timers, list, 3 * sizeof(*list)))
            return false;
        if (list[1] <= list[2] && list[1] <= MAX_TIMERS)
            return true;
    }
    return false;
}

/* The rows of a heap, as it is now, from number `first` on. It may become longer at any moment:
 * what lies behind it is nothing, or was a row. */
static bool read_rows(struct goscan *scan, uint64_t processor, uint64_t first, uint64_t *rows,
                      size_t *ret_count)
{
    const struct scan_timers *timers = &scan_state(scan)->scan_timers;
    size_t words = row_words(&scan->layout);
    uint64_t list[3];
    *ret_count = 0;
    if (!read_heap(scan, processor, list))
        return false;
    uint64_t end = list[1] + list[1] / 8 + 64;
    end = end < list[2] ? end : list[2];
    if (first >= end)
        return true;
    uint64_t count = end - first < timers->row_count ? end - first : timers->row_count;
    if (!mem_read(scan->reader, list[0] + first * words * 8, rows, count * words * 8))
        return false;
    for (size_t i = 0; i < count; i++)
        rows[i] = rows[i * words];
    *ret_count = count;
    return true;
}

/* Rows change their places while a heap is used, and one that does may be missed. So they are read
 * in one piece, twice, and what has come to a place meanwhile counts as well. Returns the addresses
 * of how many timers are in scan_timers.rows then; *ret_count: of how many rows. */
static size_t read_twice(struct goscan *scan, uint64_t processor, uint64_t first, size_t *ret_count)
{
    struct scan_timers *timers = &scan_state(scan)->scan_timers;
    uint64_t *rows = timers->rows, *again = timers->rows_again;
    size_t before = 0, now = 0, count = 0;
    if (!read_rows(scan, processor, first, rows, &before) ||
        !read_rows(scan, processor, first, again, &now))
        timers->complete = false;
    *ret_count = before > now ? before : now;
    for (size_t i = 0; i < now; i++) {
        if (i >= before || again[i] != rows[i])
            rows[before + count++] = again[i];
    }
    return before + count;
}

/* *left: how many timers may still be read. */
static void read_processor(struct goscan *scan, uint64_t processor, uint64_t *left)
{
    struct scan_timers *timers = &scan_state(scan)->scan_timers;
    struct area *area = (void *)scan_state(scan)->deep_area;
    size_t rows;
    for (uint64_t first = 0; !timers->full; first += rows) {
        size_t count = read_twice(scan, processor, first, &rows);
        if (rows == 0)
            return;
        if (count > *left) {
            timers->complete = false;
            return;
        }
        *left -= count;
        for (size_t k = 0; k < count; k += TIMERS_AT_ONCE) {
            if (!scan_goes_on(scan)) {
                timers->complete = false;
                return;
            }
            read_some(scan, area, timers->rows + k,
                      count - k < TIMERS_AT_ONCE ? count - k : TIMERS_AT_ONCE);
        }
    }
}

static void read_timers(struct goscan *scan, uint32_t bits)
{
    struct scan_timers *timers = &scan_state(scan)->scan_timers;
    uint64_t list[2], left = MAX_TIMERS;
    timers->bits = bits;
    memset(timers->channels, 0, sizeof(*timers->channels) << bits);
    timers->used = 0;
    timers->left = MAX_CONTEXT_PIECES;
    timers->read = true;
    timers->full = false;
    timers->complete = false;
    if (timer_bytes(&scan->layout) == 0 || scan->found.all_ps == 0 ||
        !mem_read(scan->reader, scan->found.all_ps, list, sizeof(list)) ||
        list[1] > GO_MAX_PROCESSORS)
        return;
    timers->complete = true;
    for (uint64_t i = 0; i < list[1] && !timers->full; i++) {
        uint64_t processor;
        if (mem_read(scan->reader, list[0] + i * 8, &processor, sizeof(processor)) &&
            processor != 0)
            read_processor(scan, processor, &left);
        else
            timers->complete = false;
    }
}

bool scan_timer_wakes(struct goscan *scan, uint64_t channel)
{
    struct scan_timers *timers = &scan_state(scan)->scan_timers;
    if (!timers->read) {
        /* A small table is the faster one. */
        read_timers(scan, FIRST_BITS < timers->most_bits ? FIRST_BITS : timers->most_bits);
        if (timers->full && timers->bits < timers->most_bits)
            read_timers(scan, timers->most_bits);
        if (!timers->complete)
            *timers->unknown = true;
    }
    return timers->used > 0 && *place_of(timers, channel) != 0;
}

bool goscan_knows_timers(const struct goscan *scan)
{
    const struct scan_state *state = scan_state(scan);
    return state == NULL || state->scan_timers.unknown == NULL || !*state->scan_timers.unknown;
}
