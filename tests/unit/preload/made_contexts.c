#include "tests/unit/preload/made_contexts.h"

#define CALLS UINT64_C(0x700000000) /* value of time.goFunc */
#define HMAPS 23                    /* the last Go with maps of buckets */

static void read_target(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    struct target *target = (struct target *)reader;
    for (size_t i = 0; i < count; i++) {
        target->pieces++;
        if (target->change && pieces[i].address == target->change_before)
            target->change(target);
        arena_read(&target->arena, &pieces[i]);
    }
}

/* As if the names of the functions had been read: wherever one is kept. */
static void know_names(struct scan_state *state)
{
    for (size_t i = 0; i < SCAN_MEMOS; i++) {
        state->timers[i] = (struct scan_memo){CALLS, TIMER_CALLS};
        state->closures[i] = (struct scan_memo){ENDS, true};
    }
}

struct target *set_up_with(unsigned minor, size_t at_once)
{
    struct target *target = calloc(1, sizeof(*target));
    struct goscan *scan = &target->scan;
    assert_non_null(target);
    target->reader.read = read_target;
    arena_init(&target->arena, ARENA_BYTES);
    scan->reader = &target->reader;
    scan->scratch_bytes = goscan_scratch_bytes(at_once);
    scan->scratch = calloc(1, scan->scratch_bytes);
    scan->minor = minor;
    assert_true(scan->scratch && scan_state_init(scan));
    assert_true(go_layout_of(minor, &scan->layout) && scan_state_take_layout(scan));
    know_names(scan_state(scan));
    scan_state(scan)->scan_timers.unknown = &target->unknown;
    uint64_t all = arena_make(&target->arena, 24), list = arena_make(&target->arena, 8);
    target->processor = arena_make(&target->arena, scan->layout.p_timers + 24U);
    target->timers = arena_make(&target->arena, ALL_TIMERS * 16);
    arena_put(&target->arena, list, target->processor);
    arena_put(&target->arena, all, list);
    arena_put(&target->arena, all + 8, 1);
    arena_put(&target->arena, target->processor + scan->layout.p_timers, target->timers);
    arena_put(&target->arena, target->processor + scan->layout.p_timers + 16, ALL_TIMERS);
    scan->found.all_ps = all;
    return target;
}

int set_up_hmaps(void **state)
{
    *state = set_up_with(HMAPS, 1);
    return 0;
}

int set_up_swiss(void **state)
{
    *state = set_up_with(SWISS, 1);
    return 0;
}

int tear_down(void **state)
{
    struct target *target = *state;
    free(target->scan.scratch);
    arena_deinit(&target->arena);
    free(target);
    return 0;
}

uint64_t make_context(struct target *target, uint64_t *ret_channel)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t context = arena_make(&target->arena, 96);
    if (ret_channel) {
        *ret_channel = arena_make(&target->arena, 96);
        arena_put(&target->arena, context + layout->context_done, 0x500000);
        arena_put(&target->arena, context + layout->context_done + 8U, *ret_channel);
    }
    return context;
}

uint64_t make_timer(struct target *target, uint64_t code, uint64_t context)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t timer = arena_make(&target->arena, 128), closure = arena_make(&target->arena, 16);
    arena_put(&target->arena, closure, code);
    arena_put(&target->arena, closure + 8, context);
    arena_put(&target->arena, timer + layout->timer_when, 1000);
    arena_put(&target->arena, timer + layout->timer_function, CALLS);
    arena_put(&target->arena, timer + layout->timer_arg + 8U, closure);
    assert_in_range(target->timer_count, 0, ALL_TIMERS - 1);
    arena_put(&target->arena, target->timers + target->timer_count++ * 16, timer);
    arena_put(&target->arena, target->processor + layout->p_timers + 8U, target->timer_count);
    return timer;
}

void set_children(struct target *target, uint64_t context, uint64_t map)
{
    arena_put(&target->arena, context + target->scan.layout.context_children, map);
}

uint64_t make_hmap(struct target *target, unsigned bits, uint64_t buckets, uint64_t old_buckets,
                   unsigned flags)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t map = arena_make(&target->arena, 48);
    arena_put_byte(&target->arena, map + layout->map_bits, bits);
    arena_put_byte(&target->arena, map + layout->map_bits - 1U, flags);
    arena_put(&target->arena, map + layout->map_buckets, buckets);
    arena_put(&target->arena, map + layout->map_old_buckets, old_buckets);
    return map;
}

void put_row(struct target *target, uint64_t bucket, unsigned row, unsigned top, uint64_t child)
{
    arena_put_byte(&target->arena, bucket + row, top);
    arena_put(&target->arena, bucket + 8 + row * 16, 0x600000);
    arena_put(&target->arena, bucket + 8 + row * 16 + 8, child);
}

uint64_t make_groups(struct target *target, uint64_t count)
{
    uint64_t groups = arena_make(&target->arena, count * 200);
    for (uint64_t i = 0; i < count; i++)
        memset(arena_at(&target->arena, groups + i * 200), 0x80, 8);
    return groups;
}

void put_slot(struct target *target, uint64_t group, unsigned row, uint64_t child)
{
    arena_put_byte(&target->arena, group + row, 0x12);
    arena_put(&target->arena, group + 8 + row * 24, 0x600000);
    arena_put(&target->arena, group + 8 + row * 24 + 8, child);
}

uint64_t make_swiss(struct target *target, uint64_t directory, uint64_t count)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t map = arena_make(&target->arena, 48);
    arena_put(&target->arena, map + layout->swiss_directory, directory);
    arena_put(&target->arena, map + layout->swiss_directory_count, count);
    return map;
}

uint64_t make_table(struct target *target, uint64_t groups, uint64_t mask)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t table = arena_make(&target->arena, 32);
    arena_put(&target->arena, table + layout->swiss_groups, groups);
    arena_put(&target->arena, table + layout->swiss_groups_mask, mask);
    return table;
}

uint64_t make_map(struct target *target, uint64_t child)
{
    if (target->scan.layout.map_buckets != GO_ABSENT) {
        uint64_t bucket = arena_make(&target->arena, 144);
        put_row(target, bucket, 3, 200, child);
        return make_hmap(target, 0, bucket, 0, 0);
    }
    uint64_t group = make_groups(target, 1);
    put_slot(target, group, 5, child);
    return make_swiss(target, group, 0);
}

bool wakes(struct target *target, uint64_t channel)
{
    return scan_timer_wakes(&target->scan, channel);
}
