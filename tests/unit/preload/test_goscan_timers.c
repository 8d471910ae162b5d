/* Contexts and timers in memory that is made by hand, with lies in it, or that changes while it is
 * read: what cannot be known is said to be unknown, and looking for them ends. */
#include "tests/unit/preload/made_contexts.h"

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
