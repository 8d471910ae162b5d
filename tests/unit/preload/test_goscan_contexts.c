/* Contexts with deadlines in memory that is made by hand: the channels that their timers close are
 * found, and no others. What a program of Go makes: test_goscan_program. */
#include "tests/unit/preload/made_contexts.h"

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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
