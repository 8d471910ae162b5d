#include "preload/goscan/scan.h"

#include "preload/goscan/search.h"

#define SUDOGS_PERCENT 200 /* rows, of goroutines: a select has several */
#define G_AREA_BYTES 768   /* a g, and what lies between it and the next one */
#define STACK_AREA_BYTES 2560
#define STACK_MAX_GAP 2048 /* the smallest stack: the next one's unused part */
#define SUDOG_AREA_BYTES (SCAN_SUDOG_BYTES + SCAN_NEAR_BYTES)
#define CHANNEL_AREA_BYTES (SCAN_CHANNEL_BYTES + SCAN_NEAR_BYTES)
#define ROW_BYTES                                                                                  \
    (sizeof(struct scan_sudog) + SUDOG_AREA_BYTES + sizeof(struct scan_channel) +                  \
     CHANNEL_AREA_BYTES)

/* With much memory, more is kept. */
#define LARGE_BYTES (UINT64_C(1) << 20)
#define RULES_BITS(large) ((large) ? 15U : 11U)
#define TIMER_BITS(large) ((large) ? 21U : 17U)
#define TIMER_ROWS(large) ((large) ? 131072U : 4096U)
#define TIMER_ROW_BYTES 16

static size_t bytes_each(void)
{
    return sizeof(uint64_t) + sizeof(struct scan_item) + sizeof(struct scan_run_of_gs) +
           G_AREA_BYTES + STACK_AREA_BYTES + SCAN_SPECIAL_BYTES +
           (ROW_BYTES + 2 * sizeof(uint32_t)) * SUDOGS_PERCENT / 100;
}

static size_t bytes_fixed(bool large)
{
    return sizeof(struct scan_state) + (sizeof(struct go_unwind_rule) << RULES_BITS(large)) +
           (sizeof(uint64_t) << TIMER_BITS(large)) + 2 * TIMER_ROWS(large) * TIMER_ROW_BYTES +
           SCAN_DEEP_BYTES +
           SCAN_PIECES * (sizeof(struct mem_piece) + sizeof(uint32_t *) + sizeof(void *)) +
           SCAN_PARTS * sizeof(struct scan_part) + SCAN_SPARE_ROWS * ROW_BYTES +
           2 * SCAN_STACK_BYTES + 4096 /* what aligning takes */;
}

size_t goscan_scratch_bytes(size_t goroutines_at_once)
{
    size_t each = bytes_each() * (goroutines_at_once > 0 ? goroutines_at_once : 1);
    return bytes_fixed(each >= LARGE_BYTES) + each;
}

static void *take(uint8_t **at, size_t count, size_t bytes)
{
    uint8_t *taken = *at;
    *at += (count * bytes + 63) & ~(size_t)63;
    return taken;
}

static void take_near(struct scan_near *near, uint8_t **at, size_t bytes, uint32_t max_gap)
{
    near->area = take(at, 1, bytes);
    near->area_bytes = bytes;
    near->max_gap = max_gap;
}

bool scan_state_init(struct goscan *scan)
{
    bool large = scan->scratch_bytes >= bytes_fixed(true) + LARGE_BYTES;
    size_t fixed = bytes_fixed(large);
    if (scan->scratch_bytes < fixed + bytes_each())
        return false;
    uint32_t count = (uint32_t)((scan->scratch_bytes - fixed) / bytes_each());
    uint8_t *at = scan->scratch;
    struct scan_state *state = take(&at, 1, sizeof(struct scan_state));
    struct scan_reading *reading = &state->reading;
    state->gs_at_once = count;
    scan->unwinder.rules_bits = RULES_BITS(large);
    scan->unwinder.rules = take(&at, (size_t)1 << RULES_BITS(large), sizeof(struct go_unwind_rule));
    scan->unwinder.rules_used = 0;
    state->scan_timers.most_bits = TIMER_BITS(large);
    state->scan_timers.channels = take(&at, (size_t)1 << TIMER_BITS(large), sizeof(uint64_t));
    state->scan_timers.row_count = TIMER_ROWS(large);
    state->scan_timers.rows = take(&at, TIMER_ROWS(large), TIMER_ROW_BYTES);
    state->scan_timers.rows_again = take(&at, TIMER_ROWS(large), TIMER_ROW_BYTES);
    state->deep_area_bytes = SCAN_DEEP_BYTES;
    state->deep_area = take(&at, 1, state->deep_area_bytes);
    reading->pieces = take(&at, SCAN_PIECES, sizeof(*reading->pieces));
    reading->oks = take(&at, SCAN_PIECES, sizeof(*reading->oks));
    reading->nears = take(&at, SCAN_PIECES, sizeof(*reading->nears));
    reading->parts = take(&at, SCAN_PARTS, sizeof(*reading->parts));
    state->list = take(&at, count, sizeof(uint64_t));
    state->items = take(&at, count, sizeof(struct scan_item));
    state->runs = take(&at, count, sizeof(struct scan_run_of_gs));
    state->g_area = take(&at, count, G_AREA_BYTES);
    state->special_area = take(&at, count, SCAN_SPECIAL_BYTES);
    state->sudog_room = count * SUDOGS_PERCENT / 100 + SCAN_SPARE_ROWS;
    state->sudogs = take(&at, state->sudog_room, sizeof(struct scan_sudog));
    state->channels = take(&at, state->sudog_room, sizeof(struct scan_channel));
    take_near(&state->near_stacks, &at, (size_t)count * STACK_AREA_BYTES + 2 * SCAN_STACK_BYTES,
              STACK_MAX_GAP);
    take_near(&state->near_sudogs, &at, state->sudog_room * (size_t)SUDOG_AREA_BYTES,
              SCAN_NEAR_BYTES);
    take_near(&state->near_channels, &at, state->sudog_room * (size_t)CHANNEL_AREA_BYTES,
              SCAN_NEAR_BYTES);
    state->channel_head_count = 1;
    while (state->channel_head_count * 2 <= count * 2 * SUDOGS_PERCENT / 100)
        state->channel_head_count *= 2;
    state->channel_heads = take(&at, state->channel_head_count, sizeof(uint32_t));
    return true;
}

static bool has_all_needed(const struct go_layout *layout)
{
    for (size_t i = 0; i < go_layout_field_count; i++) {
        const struct go_layout_field *field = &go_layout_fields[i];
        uint16_t value;
        memcpy(&value, (const char *)layout + field->offset, sizeof(value));
        if (!field->optional && value == GO_ABSENT)
            return false;
    }
    return true;
}

bool scan_state_take_layout(struct goscan *scan)
{
    struct scan_state *state = scan_state(scan);
    const struct go_layout *l = &scan->layout;
    const uint16_t sudog[] = {l->sudog_g,         l->sudog_next,      l->sudog_elem,
                              l->sudog_is_select, l->sudog_wait_link, l->sudog_channel};
    const uint16_t channel[] = {l->channel_length, l->channel_capacity, l->channel_closed,
                                l->channel_timer,  l->channel_element,  l->channel_receivers,
                                l->channel_senders};
    const uint16_t poll[] = {l->poll_fd,   l->poll_reader,        l->poll_writer,
                             l->poll_self, l->poll_read_deadline, l->poll_write_deadline};
    state->g_bytes = (uint32_t)g_bytes(l);
    state->sudog_bytes = (uint32_t)go_layout_reach(sudog, sizeof(sudog) / sizeof(*sudog));
    state->channel_bytes = (uint32_t)go_layout_reach(channel, sizeof(channel) / sizeof(*channel));
    /* Of this one and of a Cond there may be too much: then none is looked for (scan_special.c). */
    state->poll_bytes = (uint32_t)go_layout_reach(poll, sizeof(poll) / sizeof(*poll));
    scan_locks_take_layout(scan);
    return has_all_needed(l) && state->g_bytes <= GO_G_BYTES &&
           state->g_bytes + SCAN_G_GAP + 8 <= G_AREA_BYTES &&
           state->sudog_bytes <= SCAN_SUDOG_BYTES && state->channel_bytes <= SCAN_CHANNEL_BYTES;
}
