/* The scanner over memory that lies, breaks off or has more than there is room for: each run ends,
 * inside its bounds, and tells of what can be told. */
#include "tests/unit/preload/made_target.h"

/* ---- Lies ---- */

static void sudogs__in_a_circle__end(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_SELECT), channel = made_channel(target, 1);
    uint64_t first = made_sudog(target, g, 0, channel);
    uint64_t second = made_sudog(target, g, first, channel);
    arena_put(&target->arena, second + target->scan.layout.sudog_wait_link, first);
    made_scan(target, &visits);
    assert_int_equal(visits.count, 1);
    assert_int_equal(visits.last.case_count, GO_MAX_CASES);
    assert_in_range(visits.last.cases_given, GO_MAX_CASES + 1, UINT32_MAX);
}

static void queues_of_a_channel__in_a_circle__end(void **state)
{
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_SELECT), channel = made_channel(target, 0);
    uint64_t receiver = made_sudog(target, g, 0, channel);
    uint64_t sender = made_sudog(target, g, receiver, channel);
    uint64_t other = made_sudog(target, g, sender, channel);
    arena_put(&target->arena, channel + layout->channel_senders, sender);
    arena_put(&target->arena, channel + layout->channel_receivers, receiver);
    arena_put(&target->arena, sender + layout->sudog_next, other);
    arena_put(&target->arena, other + layout->sudog_next, sender);
    made_scan(target, &visits);
    assert_int_equal(visits.last.case_count, 3);
    assert_false(visits.cases[0].send);
    assert_true(visits.cases[1].send);
    assert_true(visits.cases[2].send);
}

static void sudogs_of_others__behind_that_of_a_lock__are_not_its_own(void **state)
{
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_MUTEX), other = made_g(target, 2, REASON_MUTEX);
    uint64_t first = made_sudog(target, g, 0, 0), second = made_sudog(target, other, 0, 0);
    arena_put_byte(&target->arena, first + layout->sudog_is_select, 0);
    arena_put_byte(&target->arena, second + layout->sudog_is_select, 0);
    arena_put(&target->arena, first + layout->sudog_wait_link, second);
    arena_put(&target->arena, first + layout->sudog_elem, 0x1234);
    arena_put(&target->arena, second + layout->sudog_elem, 0x5678);
    made_scan(target, &visits);
    assert_int_equal(visits.count, 2);
    assert_int_equal(visits.last.op, REC_OP_MUTEX_LOCK);
    assert_int_equal(visits.last.object, 0x5678 - 4);
}

static void garbage__in_the_list__is_counted(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    made_g(target, 5, REASON_NONE);
    made_list_g(target, 0);
    made_list_g(target, 3);
    made_list_g(target, UINT64_MAX - 7);
    made_list_g(target, ARENA + MADE_BYTES - 8); /* it ends before the g does */
    made_list_g(target, target->list);           /* no g, but readable: addresses */
    made_g(target, 6, REASON_NONE);
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(visits.count, 2);
    assert_int_equal(visits.ids, 11);
    assert_int_equal(totals.unreadable, 5);
}

static void list__that_says_too_much__is_unreadable(void **state)
{
    static const uint64_t counts[][2] = {
        {UINT64_MAX, UINT64_MAX}, {1 << 27, 1 << 27}, {5, 4}, {UINT64_C(1) << 60, 8}};
    struct made_target *target = *state;
    struct made_visits visits = {.count = 0};
    struct go_totals totals;
    made_g(target, 1, REASON_NONE);
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        arena_put(&target->arena, target->slice + 8, counts[i][0]);
        arena_put(&target->arena, target->slice + 16, counts[i][1]);
        target->pieces = 0;
        enum go_result result = goscan_run(&target->scan, made_note, &visits, &totals);
        assert_int_equal(result, GO_UNREADABLE);
        assert_in_range(target->pieces, 1, 3 * MADE_BYTES); /* it stops where the memory does */
    }
}

static void list__longer_than_there_can_be__is_unreadable(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    struct go_totals totals;
    for (uint64_t id = 1; id <= 5; id++)
        made_g(target, id, REASON_NONE);
    target->scan.most_goroutines = 4;
    assert_int_equal(goscan_run(&target->scan, made_note, &visits, &totals), GO_UNREADABLE);
    target->scan.most_goroutines = 5;
    made_scan(target, &visits);
    assert_int_equal(visits.count, 5);
}

static void long_list_of_nothing__is_given_up(void **state)
{
    const uint64_t rows = 100000, tolerated = 1 << 16;
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t list = arena_make(&target->arena, rows * 8);
    arena_put(&target->arena, list, made_g(target, 5, REASON_NONE));
    arena_put(&target->arena, target->slice, list);
    arena_put(&target->arena, target->slice + 8, rows);
    arena_put(&target->arena, target->slice + 16, rows);
    target->pieces = 0;
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(visits.count, 1);
    assert_int_equal(totals.unreadable, rows - 1);
    assert_in_range(target->pieces, tolerated, 5 * tolerated);
}

/* Every processor has the same long list of timers that are none. */
static void timers__of_many_processors__share_one_budget(void **state)
{
    const uint64_t processors = 4096, timers = 50000, most = 1 << 24;
    struct made_target *target = *state;
    struct goscan *scan = &target->scan;
    struct scan_state *own = scan_state(scan);
    bool unknown = false;
    assert_true(go_layout_of(22, &scan->layout));
    assert_true(scan_state_take_layout(scan));
    uint64_t all = arena_make(&target->arena, 24),
             list = arena_make(&target->arena, processors * 8);
    uint64_t processor = arena_make(&target->arena, scan->layout.p_timers + 24U);
    uint64_t heap = arena_make(&target->arena, timers * 8);
    for (uint64_t i = 0; i < timers; i++)
        arena_put(&target->arena, heap + i * 8, 8);
    arena_put(&target->arena, processor + scan->layout.p_timers, heap);
    arena_put(&target->arena, processor + scan->layout.p_timers + 8, timers);
    arena_put(&target->arena, processor + scan->layout.p_timers + 16, timers);
    for (uint64_t i = 0; i < processors; i++)
        arena_put(&target->arena, list + i * 8, processor);
    arena_put(&target->arena, all, list);
    arena_put(&target->arena, all + 8, processors);
    scan->found.all_ps = all;
    own->scan_timers.unknown = &unknown;
    own->scan_timers.read = false;
    assert_false(scan_timer_wakes(scan, 0x1000));
    assert_true(unknown);
    assert_in_range(target->pieces, most / 2, most + most / 8);
}

/* Which channels may be a context's; of the others nobody looks for a timer. */
static void timers__are_read_for_channels_that_hold_nothing(void **state)
{
    static const struct {
        uint64_t capacity;
        uint8_t element;
        bool asks;
    } rows[] = {{0, 8, false}, {1, 0, false}, {4, 16, false}, {1, 24, false}, {0, 0, true}};
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    target->scan.found.all_ps = ARENA - 4096; /* that they cannot be read is told */
    uint64_t g = made_g(target, 1, REASON_SELECT);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t channel = made_channel(target, rows[i].capacity);
        arena_put_byte(&target->arena, channel + layout->channel_element, rows[i].element);
        made_sudog(target, g, 0, channel);
        assert_int_equal(made_scan(target, &visits).timers_unknown, rows[i].asks);
        assert_int_equal(visits.count, 1);
        assert_false(visits.last.deadline);
    }
}

static void list__at_a_bad_address__is_unreadable(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits = {.count = 0};
    struct go_totals totals;
    made_g(target, 1, REASON_NONE);
    arena_put(&target->arena, target->slice, 0xdead0000);
    assert_int_equal(goscan_run(&target->scan, made_note, &visits, &totals), GO_UNREADABLE);
    target->scan.found.all_gs = 0x10;
    assert_int_equal(goscan_run(&target->scan, made_note, &visits, &totals), GO_UNREADABLE);
    assert_int_equal(visits.count, 0);
}

static void goroutine__whose_stack_pointer_lies__is_not_believed(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_NONE);
    arena_put(&target->arena, g + target->scan.layout.g_sched_sp, 0x7fffffff0000);
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(visits.count, 0);
    assert_int_equal(totals.unreadable, 1);
}

/* ---- Holes ---- */

static void stack__that_cannot_be_read__is_left_out(void **state)
{
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_SEND), channel = made_channel(target, 3);
    arena_put_byte(&target->arena, made_sudog(target, g, 0, channel) + layout->sudog_is_select, 0);
    arena_put(&target->arena, g + layout->g_stack_lo, 0x70000000);
    arena_put(&target->arena, g + layout->g_stack_hi, 0x70010000);
    arena_put(&target->arena, g + layout->g_sched_sp, 0x70008000);
    made_g(target, 2, REASON_NONE);
    made_scan(target, &visits);
    assert_int_equal(visits.count, 2);
    target->list_count = 0;
    made_list_g(target, g);
    made_scan(target, &visits);
    assert_true(visits.last.parked);
    assert_null(visits.last.stack);
    assert_true(visits.last.channel.known);
    assert_int_equal(visits.last.object, channel);
}

static void channel__that_cannot_be_read__is_told_by_its_address(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_RECEIVE);
    made_sudog(target, g, 0, 0x66660);
    made_scan(target, &visits);
    assert_int_equal(visits.last.object, 0x66660);
    assert_false(visits.last.channel.known);
    assert_false(visits.last.deadline);
}

static void sudog__that_cannot_be_read__leaves_the_object_unknown(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_RECEIVE);
    arena_put(&target->arena, g + target->scan.layout.g_waiting, 0x66660);
    made_scan(target, &visits);
    assert_true(visits.last.parked);
    assert_int_equal(visits.last.op, REC_OP_CHAN_RECEIVE);
    assert_int_equal(visits.last.object, 0);
    assert_false(visits.last.object_known);
}

static void neighbours__of_which_one_lies_in_a_hole__are_told(void **state)
{
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    uint64_t last = 0;
    /* Sudogs one after the other: read in one piece, but for the last one's address. */
    for (uint64_t id = 1; id <= 5; id++) {
        uint64_t g = made_g(target, id, REASON_RECEIVE);
        arena_put_byte(&target->arena, g + layout->g_tracking, (uint8_t)id);
        last = g;
    }
    uint64_t channel = made_channel(target, 2);
    for (uint64_t i = 0; i < 4; i++)
        made_sudog(target, word_at(arena_at(&target->arena, target->list + i * 8), 0), 0, channel);
    arena_put(&target->arena, last + layout->g_waiting, ARENA + MADE_BYTES - 16);
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(visits.count, 5);
    assert_int_equal(totals.parked, 5);
    assert_int_equal(totals.unreadable, 0);
}

static void goroutine__that_was_preempted__has_not_the_reason_of_its_last_wait(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 1, REASON_MUTEX);
    arena_put_byte(&target->arena, g + target->scan.layout.g_status, G_PREEMPTED);
    made_scan(target, &visits);
    assert_int_equal(visits.last.reason, 0);
    assert_int_equal(visits.last.op, REC_OP_NONE);
}

/* ---- Many ---- */

static void selects__more_than_there_is_room_for__are_all_told(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t channel = made_channel(target, 1), cases = 0, sum = 0;
    for (uint64_t id = 1; id <= 100; id++) {
        uint64_t g = made_g(target, id, REASON_SELECT), sudog = 0;
        for (uint64_t i = 0; i < id % 37; i++)
            sudog = made_sudog(target, g, sudog, i % 2 ? channel : made_channel(target, i));
        cases += id % 37;
        sum += id;
    }
    for (uint64_t first = 0; first < 3; first++) {
        target->scan.wants_stack = NULL;
        struct go_totals totals = made_scan(target, &visits);
        assert_int_equal(visits.count, 100);
        assert_int_equal(visits.ids, sum);
        assert_int_equal(totals.parked, 100);
        assert_int_equal(visits.last.cases_given, 100 % 37);
    }
    assert_int_not_equal(cases, 0);
}

static void labels__of_endless_lists__end(void **state)
{
    struct made_target *target = *state;
    struct go_text pairs[2 * GO_MAX_LABELS];
    uint64_t list = arena_make(&target->arena, 24);
    arena_put(&target->arena, list, ARENA);
    arena_put(&target->arena, list + 8, UINT64_MAX);
    assert_int_equal(goscan_labels(&target->scan, list, pairs), GO_MAX_LABELS + 1);
    arena_put(&target->arena, list + 8, GO_MAX_LABELS);
    assert_int_equal(goscan_labels(&target->scan, list, pairs), GO_MAX_LABELS);
    arena_put(&target->arena, list, 0x6660);
    assert_int_equal(goscan_labels(&target->scan, list, pairs), 0);
    assert_int_equal(goscan_labels(&target->scan, 1, pairs), 0);
    /* A map's bucket that overflows into itself. */
    assert_true(go_layout_of(19, &target->scan.layout));
    target->scan.minor = 19;
    uint64_t map = arena_make(&target->arena, 48), bucket = arena_make(&target->arena, 272),
             to_map = arena_make(&target->arena, 8);
    arena_put(&target->arena, to_map, map);
    arena_put_byte(&target->arena, map + target->scan.layout.map_bits, 3);
    arena_put(&target->arena, map + target->scan.layout.map_buckets, bucket);
    arena_put(&target->arena, bucket + 264, bucket);
    target->pieces = 0;
    assert_int_equal(goscan_labels(&target->scan, to_map, pairs), 0);
    assert_in_range(target->pieces, 1, 4096);
    /* The same with rows in it. */
    for (uint64_t i = 0; i < 8; i++)
        arena_put_byte(&target->arena, bucket + i, 5);
    assert_int_equal(goscan_labels(&target->scan, to_map, pairs), GO_MAX_LABELS + 1);
}

#define HAND(test) cmocka_unit_test_setup_teardown(test, made_set_up, made_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HAND(sudogs__in_a_circle__end),
        HAND(queues_of_a_channel__in_a_circle__end),
        HAND(sudogs_of_others__behind_that_of_a_lock__are_not_its_own),
        HAND(garbage__in_the_list__is_counted),
        HAND(list__that_says_too_much__is_unreadable),
        HAND(list__longer_than_there_can_be__is_unreadable),
        HAND(long_list_of_nothing__is_given_up),
        HAND(timers__of_many_processors__share_one_budget),
        HAND(timers__are_read_for_channels_that_hold_nothing),
        HAND(list__at_a_bad_address__is_unreadable),
        HAND(goroutine__whose_stack_pointer_lies__is_not_believed),
        HAND(stack__that_cannot_be_read__is_left_out),
        HAND(channel__that_cannot_be_read__is_told_by_its_address),
        HAND(sudog__that_cannot_be_read__leaves_the_object_unknown),
        HAND(neighbours__of_which_one_lies_in_a_hole__are_told),
        HAND(goroutine__that_was_preempted__has_not_the_reason_of_its_last_wait),
        HAND(selects__more_than_there_is_room_for__are_all_told),
        HAND(labels__of_endless_lists__end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
