/* Contexts with deadlines in memory that is made by hand, as of the last Go with each kind of map,
 * and with lies in it: the channels that their timers close are found, and no others; and looking
 * for them ends. What a program of Go makes: test_goscan_program. */
#include "preload/goscan/scan.h"

#include "tests/unit/preload/arena.h"

#define ARENA_BYTES (64U << 20)
#define CALLS UINT64_C(0x700000000) /* value of time.goFunc */
#define ENDS UINT64_C(0x400100)     /* code of a closure of context.WithDeadline */
#define OTHER UINT64_C(0x400200)
#define ALL_TIMERS 131072
#define HMAPS 23
#define SWISS 27

struct target {
    struct mem_reader reader;
    struct arena arena;
    uint64_t pieces;
    struct goscan scan;
    uint64_t timers, timer_count; /* the only processor's heap */
    uint64_t processor;
    bool unknown;
    void (*change)(struct target *target); /* before what lies at change_before is read */
    uint64_t change_before;
};

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

static struct target *set_up_with(unsigned minor, size_t at_once)
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

static int set_up_hmaps(void **state)
{
    *state = set_up_with(HMAPS, 1);
    return 0;
}

static int set_up_swiss(void **state)
{
    *state = set_up_with(SWISS, 1);
    return 0;
}

static int tear_down(void **state)
{
    struct target *target = *state;
    free(target->scan.scratch);
    arena_deinit(&target->arena);
    free(target);
    return 0;
}

/* A context with an open channel, or with none yet. *ret_channel: it. */
static uint64_t make_context(struct target *target, uint64_t *ret_channel)
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

/* A set timer that calls a closure of that code. Returns the timer. */
static uint64_t make_timer(struct target *target, uint64_t code, uint64_t context)
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

static void set_children(struct target *target, uint64_t context, uint64_t map)
{
    arena_put(&target->arena, context + target->scan.layout.context_children, map);
}

static uint64_t make_hmap(struct target *target, unsigned bits, uint64_t buckets,
                          uint64_t old_buckets, unsigned flags)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t map = arena_make(&target->arena, 48);
    arena_put_byte(&target->arena, map + layout->map_bits, bits);
    arena_put_byte(&target->arena, map + layout->map_bits - 1U, flags);
    arena_put(&target->arena, map + layout->map_buckets, buckets);
    arena_put(&target->arena, map + layout->map_old_buckets, old_buckets);
    return map;
}

static void put_row(struct target *target, uint64_t bucket, unsigned row, unsigned top,
                    uint64_t child)
{
    arena_put_byte(&target->arena, bucket + row, top);
    arena_put(&target->arena, bucket + 8 + row * 16, 0x600000);
    arena_put(&target->arena, bucket + 8 + row * 16 + 8, child);
}

static uint64_t make_groups(struct target *target, uint64_t count)
{
    uint64_t groups = arena_make(&target->arena, count * 200);
    for (uint64_t i = 0; i < count; i++)
        memset(arena_at(&target->arena, groups + i * 200), 0x80, 8);
    return groups;
}

static void put_slot(struct target *target, uint64_t group, unsigned row, uint64_t child)
{
    arena_put_byte(&target->arena, group + row, 0x12);
    arena_put(&target->arena, group + 8 + row * 24, 0x600000);
    arena_put(&target->arena, group + 8 + row * 24 + 8, child);
}

static uint64_t make_swiss(struct target *target, uint64_t directory, uint64_t count)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t map = arena_make(&target->arena, 48);
    arena_put(&target->arena, map + layout->swiss_directory, directory);
    arena_put(&target->arena, map + layout->swiss_directory_count, count);
    return map;
}

static uint64_t make_table(struct target *target, uint64_t groups, uint64_t mask)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t table = arena_make(&target->arena, 32);
    arena_put(&target->arena, table + layout->swiss_groups, groups);
    arena_put(&target->arena, table + layout->swiss_groups_mask, mask);
    return table;
}

/* A map that has one child. */
static uint64_t make_map(struct target *target, uint64_t child)
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

static bool wakes(struct target *target, uint64_t channel)
{
    return scan_timer_wakes(&target->scan, channel);
}

/* ---- */

static void context__with_a_timer__has_its_channel_closed(void **state)
{
    struct target *target = *state;
    uint64_t one, other, none;
    make_timer(target, ENDS, make_context(target, &one));
    make_timer(target, ENDS, make_context(target, NULL));
    make_timer(target, ENDS, make_context(target, &other));
    make_context(target, &none);
    assert_true(wakes(target, one));
    assert_true(wakes(target, other));
    assert_false(wakes(target, none));
    assert_false(wakes(target, 0));
    assert_false(target->unknown);
}

static void timer__that_is_stopped__closes_nothing(void **state)
{
    struct target *target = *state;
    uint64_t channel;
    uint64_t timer = make_timer(target, ENDS, make_context(target, &channel));
    arena_put(&target->arena, timer + target->scan.layout.timer_when, 0);
    assert_false(wakes(target, channel));
    assert_false(target->unknown);
}

static void timer__that_calls_something_else__closes_nothing(void **state)
{
    struct target *target = *state;
    uint64_t channel;
    make_timer(target, OTHER, make_context(target, &channel));
    assert_false(wakes(target, channel));
    assert_false(target->unknown);
}

static void timer__until_1_22__is_set_by_its_status(void **state)
{
    struct target *target = set_up_with(22, 1);
    uint64_t waiting, deleted;
    (void)state;
    uint64_t first = make_timer(target, ENDS, make_context(target, &waiting));
    uint64_t second = make_timer(target, ENDS, make_context(target, &deleted));
    arena_put(&target->arena, target->timers + 8, second); /* one word a row */
    arena_put_byte(&target->arena, first + target->scan.layout.timer_status, 1);
    arena_put_byte(&target->arena, second + target->scan.layout.timer_status, 3);
    assert_true(wakes(target, waiting));
    assert_false(wakes(target, deleted));
    assert_false(target->unknown);
    tear_down((void **)&target);
}

static void descendants__of_a_context__have_their_channels_closed(void **state)
{
    enum { DEEP = 10000 };
    struct target *target = *state;
    uint64_t channel, above = make_context(target, &channel);
    make_timer(target, ENDS, above);
    for (int i = 0; i < DEEP; i++) {
        uint64_t context = make_context(target, &channel);
        set_children(target, above, make_map(target, context));
        above = context;
    }
    assert_true(wakes(target, channel));
    assert_false(target->unknown);
}

/* Rows that a growing map has moved are marked in the old buckets. */
static void hmap__that_grows__has_its_children_in_both(void **state)
{
    struct target *target = *state;
    uint64_t channels[7], contexts[7];
    uint64_t root = make_context(target, NULL);
    uint64_t buckets = arena_make(&target->arena, 4 * UINT64_C(144)),
             old = arena_make(&target->arena, 3 * UINT64_C(144));
    uint64_t overflow = arena_make(&target->arena, 144);
    for (size_t i = 0; i < 7; i++)
        contexts[i] = make_context(target, &channels[i]);
    put_row(target, buckets, 0, 5, contexts[0]);
    put_row(target, buckets + UINT64_C(3) * 144, 7, 255, contexts[1]);
    arena_put(&target->arena, buckets + UINT64_C(2) * 144 + 136, overflow);
    put_row(target, overflow, 1, 100, contexts[2]);
    put_row(target, old + 144, 6, 77, contexts[3]);
    put_row(target, old, 6, 2, contexts[4]);                       /* moved */
    put_row(target, buckets, 1, 1, contexts[5]);                   /* deleted */
    put_row(target, old + UINT64_C(2) * 144, 0, 200, contexts[6]); /* behind them */
    set_children(target, root, make_hmap(target, 2, buckets, old, 0));
    make_timer(target, ENDS, root);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(wakes(target, channels[i]), i < 4);
    assert_false(target->unknown);
}

static void hmap__that_grows_in_place__has_as_many_old_buckets(void **state)
{
    struct target *target = *state;
    uint64_t channel, root = make_context(target, NULL);
    uint64_t buckets = arena_make(&target->arena, 2 * UINT64_C(144)),
             old = arena_make(&target->arena, 3 * UINT64_C(144));
    put_row(target, old + 144, 0, 9, make_context(target, &channel));
    set_children(target, root, make_hmap(target, 1, buckets, old, 8));
    make_timer(target, ENDS, root);
    assert_true(wakes(target, channel));
    assert_false(target->unknown);
}

static void swiss_map__with_tables__has_its_children_in_their_groups(void **state)
{
    enum { TABLES = 64, GROUPS = 4 };
    struct target *target = *state;
    uint64_t channels[TABLES / 2], deleted, root = make_context(target, NULL);
    uint64_t directory = arena_make(&target->arena, TABLES * 8);
    for (unsigned i = 0; i < TABLES / 2; i++) {
        uint64_t first = make_groups(target, GROUPS);
        uint64_t group = first + i % GROUPS * UINT64_C(200);
        put_slot(target, group, i % 7, make_context(target, &channels[i]));
        uint64_t table = make_table(target, first, GROUPS - 1);
        arena_put(&target->arena, directory + i * UINT64_C(16), table); /* each is listed twice */
        arena_put(&target->arena, directory + i * UINT64_C(16) + 8, table);
        if (i == 0) {
            put_slot(target, group, 7, make_context(target, &deleted));
            arena_put_byte(&target->arena, group + 7, 0xfe);
        }
    }
    set_children(target, root, make_swiss(target, directory, TABLES));
    make_timer(target, ENDS, root);
    for (size_t i = 0; i < TABLES / 2; i++)
        assert_true(wakes(target, channels[i]));
    assert_false(wakes(target, deleted));
    assert_false(target->unknown);
}

/* ---- Lies ---- */

static void contexts__in_a_circle__end(void **state)
{
    struct target *target = *state;
    uint64_t channel, first = make_context(target, &channel), second = make_context(target, NULL);
    set_children(target, first, make_map(target, second));
    set_children(target, second, make_map(target, first));
    make_timer(target, ENDS, first);
    assert_true(wakes(target, channel));
    assert_false(target->unknown);
    assert_in_range(target->pieces, 1, 100);
}

/* Without a channel nothing tells that it was met before. */
static void contexts__in_a_circle_without_channels__end(void **state)
{
    struct target *target = *state;
    uint64_t channel, context = make_context(target, NULL);
    set_children(target, context, make_map(target, context));
    make_timer(target, ENDS, make_context(target, &channel));
    make_timer(target, ENDS, context);
    assert_true(wakes(target, channel));
    assert_true(target->unknown);
    assert_in_range(target->pieces, 1, 1 << 23);
}

static void map__that_says_it_is_huge__ends(void **state)
{
    struct target *target = *state;
    uint64_t context = make_context(target, NULL);
    if (target->scan.layout.map_buckets != GO_ABSENT)
        set_children(target, context, make_hmap(target, 24, arena_make(&target->arena, 144), 0, 0));
    else
        set_children(target, context, make_swiss(target, arena_make(&target->arena, 144), 1 << 24));
    make_timer(target, ENDS, context);
    assert_false(wakes(target, 0x1000));
    assert_true(target->unknown);
    assert_in_range(target->pieces, 1, 2 * ARENA_BYTES / 8);
}

static void context__that_cannot_be_read__is_said_to_be_unknown(void **state)
{
    struct target *target = *state;
    uint64_t channel;
    make_timer(target, ENDS, ARENA - 4096);
    make_timer(target, ENDS, 12345);
    make_timer(target, ENDS, make_context(target, &channel));
    assert_true(wakes(target, channel));
    assert_true(target->unknown);
}

static bool is_of_a_map(const struct go_layout_field *field)
{
    return strcmp(field->type, "runtime.hmap") == 0 ||
           strcmp(field->type, "internal/runtime/maps.Map") == 0 ||
           strcmp(field->type, "internal/runtime/maps.table") == 0;
}

/* A layout comes from a file that may say anything. */
static void map__whose_fields_are_elsewhere__is_survived(void **state)
{
    static const uint16_t places[] = {0, 1000, GO_ABSENT - 1, GO_ABSENT};
    struct target *target = *state;
    uint64_t channel, context = make_context(target, &channel);
    set_children(target, context, make_map(target, make_context(target, NULL)));
    make_timer(target, ENDS, context);
    for (size_t i = 0; i < go_layout_field_count; i++) {
        const struct go_layout_field *row = &go_layout_fields[i];
        uint16_t *field = (uint16_t *)(void *)((char *)&target->scan.layout + row->offset);
        uint16_t before = *field;
        for (size_t k = 0; is_of_a_map(row) && k < sizeof(places) / sizeof(*places); k++) {
            *field = places[k];
            scan_state(&target->scan)->scan_timers.read = false;
            assert_true(wakes(target, channel));
        }
        *field = before;
    }
}

static void timer__whose_fields_are_elsewhere__is_not_read(void **state)
{
    struct target *target = *state;
    struct go_layout *layout = &target->scan.layout;
    const struct go_layout real = *layout;
    uint16_t *const fields[] = {&layout->timer_when, &layout->timer_function, &layout->timer_arg,
                                &layout->timer_status};
    uint64_t channel;
    make_timer(target, ENDS, make_context(target, &channel));
    assert_true(wakes(target, channel));
    assert_false(target->unknown);
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        for (unsigned far = 0xfff0; far < GO_ABSENT; far++) {
            *layout = real;
            *fields[i] = (uint16_t)far;
            scan_state(&target->scan)->scan_timers.read = target->unknown = false;
            assert_false(wakes(target, channel));
            assert_true(target->unknown);
        }
    }
}

/* A heap that becomes longer, or is turned round, between two readings. */
static void grow(struct target *target)
{
    uint64_t words[4];
    memcpy(words, arena_at(&target->arena, target->timers), sizeof(words));
    arena_put(&target->arena, target->timers, words[2]);
    arena_put(&target->arena, target->timers + 16, words[0]);
    target->change = NULL;
}

static void timers__that_change_places_meanwhile__are_found(void **state)
{
    struct target *target = *state;
    uint64_t first, second;
    make_timer(target, ENDS, make_context(target, &first));
    make_timer(target, ENDS, make_context(target, &second));
    /* Between the slice and the rows there is but one of them. */
    arena_put(&target->arena, target->processor + target->scan.layout.p_timers + 8U, 1);
    target->change = grow;
    target->change_before = target->timers;
    assert_true(wakes(target, first));
    assert_true(wakes(target, second));
    assert_false(target->unknown);
}

/* The second timer's row, while it is on its way to another place: nowhere in the first reading. */
static uint64_t on_its_way;

static void put_down(struct target *target)
{
    arena_put(&target->arena, target->timers + 16, on_its_way);
    target->change = NULL;
}

static void take_up(struct target *target)
{
    memcpy(&on_its_way, arena_at(&target->arena, target->timers + 16), sizeof(on_its_way));
    arena_put(&target->arena, target->timers + 16, 0);
    target->change = put_down;
}

static void timer__that_the_first_reading_misses__is_found(void **state)
{
    struct target *target = *state;
    uint64_t first, second;
    make_timer(target, ENDS, make_context(target, &first));
    make_timer(target, ENDS, make_context(target, &second));
    target->change = take_up;
    target->change_before = target->timers;
    assert_true(wakes(target, first));
    assert_true(wakes(target, second));
    assert_true(target->change == NULL);
}

static void heap__that_is_nonsense__is_said_to_be_unknown(void **state)
{
    struct target *target = *state;
    uint64_t channel;
    make_timer(target, ENDS, make_context(target, &channel));
    arena_put(&target->arena, target->processor + target->scan.layout.p_timers + 8U,
              ALL_TIMERS + 1);
    assert_false(wakes(target, channel));
    assert_true(target->unknown);
}

static int asks_left;

static bool go_on(void)
{
    return asks_left-- > 0;
}

/* Each of the timers has a child in a table of its own, so that contexts take most of the reads. */
static void timers__of_a_scan_that_shall_end__are_not_read_on(void **state)
{
    enum { COUNT = 3000 };
    struct target *target = *state;
    uint64_t channel, pieces = 0;
    for (size_t i = 0; i < COUNT; i++) {
        uint64_t context = make_context(target, NULL);
        set_children(target, context, make_map(target, make_context(target, &channel)));
        make_timer(target, ENDS, context);
    }
    target->scan.go_on = go_on;
    for (int asks = 0; asks <= 8; asks += 4) {
        target->unknown = false;
        scan_state(&target->scan)->scan_timers.read = false;
        asks_left = asks;
        target->pieces = 0;
        wakes(target, channel);
        assert_true(target->unknown);
        assert_in_range(target->pieces, pieces, 16 + (uint64_t)asks * 128);
        pieces = target->pieces + 1;
    }
    asks_left = INT32_MAX;
    target->unknown = false;
    scan_state(&target->scan)->scan_timers.read = false;
    assert_true(wakes(target, channel));
    assert_false(target->unknown);
}

static void channels__more_than_a_table_holds__are_said_or_found(void **state)
{
    enum { COUNT = 120000 };
    static uint64_t channels[COUNT];
    (void)state;
    for (size_t at_once = 1; at_once <= 1024; at_once *= 1024) {
        struct target *target = set_up_with(SWISS, at_once);
        size_t found = 0;
        for (size_t i = 0; i < COUNT; i++)
            make_timer(target, ENDS, make_context(target, &channels[i]));
        for (size_t i = 0; i < COUNT; i++)
            found += wakes(target, channels[i]);
        assert_int_equal(target->unknown, at_once == 1);
        assert_in_range(found, at_once == 1 ? COUNT / 2 : COUNT, COUNT);
        tear_down((void **)&target);
    }
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, set_up_hmaps, tear_down),                                \
        cmocka_unit_test_setup_teardown(test, set_up_swiss, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(context__with_a_timer__has_its_channel_closed),
        BOTH(timer__that_is_stopped__closes_nothing),
        BOTH(timer__that_calls_something_else__closes_nothing),
        cmocka_unit_test(timer__until_1_22__is_set_by_its_status),
        BOTH(descendants__of_a_context__have_their_channels_closed),
        cmocka_unit_test_setup_teardown(hmap__that_grows__has_its_children_in_both, set_up_hmaps,
                                        tear_down),
        cmocka_unit_test_setup_teardown(hmap__that_grows_in_place__has_as_many_old_buckets,
                                        set_up_hmaps, tear_down),
        cmocka_unit_test_setup_teardown(swiss_map__with_tables__has_its_children_in_their_groups,
                                        set_up_swiss, tear_down),
        BOTH(contexts__in_a_circle__end),
        BOTH(contexts__in_a_circle_without_channels__end),
        BOTH(map__that_says_it_is_huge__ends),
        BOTH(map__whose_fields_are_elsewhere__is_survived),
        BOTH(timer__whose_fields_are_elsewhere__is_not_read),
        BOTH(context__that_cannot_be_read__is_said_to_be_unknown),
        BOTH(timers__that_change_places_meanwhile__are_found),
        BOTH(timer__that_the_first_reading_misses__is_found),
        BOTH(heap__that_is_nonsense__is_said_to_be_unknown),
        BOTH(timers__of_a_scan_that_shall_end__are_not_read_on),
        cmocka_unit_test(channels__more_than_a_table_holds__are_said_or_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
