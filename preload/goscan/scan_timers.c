/* A channel of a timer of package time does not know of the timer before 1.23; and since then
 * neither when GODEBUG=asynctimerchan=1, as for programs whose go.mod names an older Go
 * (until 1.26). But the timer knows the channel. Timers are found in the heaps of all processors:
 * until 1.22 p.timers is a list of timers, since then one of {timer, when}. */
#include "preload/goscan/scan.h"

#define MAX_PROCESSORS 4096
#define MAX_TIMERS (1U << 24) /* of all processors */
#define TIMERS_AT_ONCE 128
#define TIMER_BYTES 128 /* of a runtime.timer, at most */

/* Whether it is in a heap, and will fire. */
static bool is_set(const struct go_layout *layout, const uint8_t *timer)
{
    return layout->timer_status == GO_ABSENT ? (int64_t)word_at(timer, layout->timer_when) > 0
                                             : g_timer_is_set(half_at(timer, layout->timer_status));
}

static uint64_t *place_of(const struct scan_timers *timers, uint64_t channel)
{
    uint64_t mask = (UINT64_C(1) << timers->bits) - 1;
    uint64_t at = ((channel >> 4) * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - timers->bits);
    while (timers->channels[at] != 0 && timers->channels[at] != channel)
        at = (at + 1) & mask;
    return &timers->channels[at];
}

static void insert(struct scan_timers *timers, uint64_t channel)
{
    uint64_t *place = place_of(timers, channel);
    if (*place != 0 || channel == 0)
        return;
    /* A quarter stays free, so that looking ends. */
    if (timers->used >= (3U << timers->bits) / 4) {
        timers->complete = false;
        return;
    }
    *place = channel;
    timers->used++;
}

/* Words of a row of a heap. */
static size_t row_words(const struct go_layout *layout)
{
    return layout->timer_status == GO_ABSENT ? 2 : 1;
}

/* Bytes of a timer up to all that is used; 0: it cannot be read. */
static size_t timer_bytes(const struct go_layout *layout)
{
    const uint16_t ends[] = {layout->timer_when + 8U, layout->timer_function + 8U,
                             layout->timer_arg + 16U};
    size_t bytes = layout->timer_status == GO_ABSENT ? 0 : layout->timer_status + 4U;
    if (layout->timer_function == GO_ABSENT || layout->timer_arg == GO_ABSENT ||
        layout->p_timers == GO_ABSENT)
        return 0;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        bytes = ends[i] > bytes ? ends[i] : bytes;
    return bytes <= TIMER_BYTES ? bytes : 0;
}

static bool read_some(struct goscan *scan, uint64_t list, size_t count)
{
    struct scan_state *state = scan_state(scan);
    const struct go_layout *layout = &scan->layout;
    uint64_t rows[2 * TIMERS_AT_ONCE];
    uint32_t oks[TIMERS_AT_ONCE];
    size_t words = row_words(layout), bytes = timer_bytes(layout);
    uint8_t *timers = state->deep_area;
    if (!mem_read(scan->reader, list, rows, count * words * sizeof(*rows)))
        return false;
    for (size_t i = 0; i < count; i++)
        scan_add(scan, rows[i * words], timers + i * TIMER_BYTES, bytes, &oks[i]);
    scan_flush(scan);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *timer = timers + i * TIMER_BYTES;
        if (oks[i] && is_set(layout, timer) &&
            scan_is_send_timer(scan, word_at(timer, layout->timer_function)))
            insert(&state->scan_timers, word_at(timer, layout->timer_arg + 8U));
    }
    return true;
}

/* *left: how many timers may still be read. */
static bool read_processor(struct goscan *scan, uint64_t processor, uint64_t *left)
{
    uint64_t list[2]; /* address, count */
    if (processor == 0 ||
        !mem_read(scan->reader, processor + scan->layout.p_timers, list, sizeof(list)) ||
        list[1] > *left)
        return false;
    *left -= list[1];
    for (uint64_t i = 0; i < list[1]; i += TIMERS_AT_ONCE) {
        uint64_t count = list[1] - i;
        if (!read_some(scan, list[0] + i * 8 * row_words(&scan->layout),
                       count < TIMERS_AT_ONCE ? count : TIMERS_AT_ONCE))
            return false;
    }
    return true;
}

static void read_timers(struct goscan *scan)
{
    struct scan_timers *timers = &scan_state(scan)->scan_timers;
    uint64_t list[2], left = MAX_TIMERS;
    memset(timers->channels, 0, sizeof(*timers->channels) << timers->bits);
    timers->used = 0;
    timers->read = true;
    timers->complete = false;
    if (timer_bytes(&scan->layout) == 0 || scan->found.all_ps == 0 ||
        !mem_read(scan->reader, scan->found.all_ps, list, sizeof(list)) || list[1] > MAX_PROCESSORS)
        return;
    timers->complete = true;
    for (uint64_t i = 0; i < list[1]; i++) {
        uint64_t processor;
        if (!mem_read(scan->reader, list[0] + i * 8, &processor, sizeof(processor)) ||
            !read_processor(scan, processor, &left))
            timers->complete = false;
    }
}

bool scan_timer_sends(struct goscan *scan, uint64_t channel)
{
    struct scan_timers *timers = &scan_state(scan)->scan_timers;
    if (!timers->read) {
        read_timers(scan);
        if (!timers->complete)
            *timers->unknown = true;
    }
    return *place_of(timers, channel) != 0;
}
