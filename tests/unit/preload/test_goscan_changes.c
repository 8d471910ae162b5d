/* The scanner over memory that changes while it is read: nothing is told of two moments. */
#include "tests/unit/preload/made_target.h"

static void count_up(struct made_target *target)
{
    ++*(uint8_t *)arena_at(&target->arena, target->changing);
}

static void goroutine__that_never_stands_still__is_moved(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_tracking;
    target->change = count_up;
    target->changes_left = UINT64_MAX;
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(totals.moved, 1);
    assert_int_equal(totals.parked, 0);
    assert_true(visits.last.moved);
    assert_false(visits.last.parked);
    assert_null(visits.last.stack);
    assert_int_equal(visits.last.id, 7);
}

static void goroutine__between_two_stacks__is_moved_or_dead(void **state)
{
    static const struct {
        uint32_t status;
        uint64_t low, high; /* of the stack */
        uint64_t moved, unreadable;
    } rows[] = {
        {G_COPYSTACK, 0xc000b70000, 0xc00016e000, 1, 0},
        {G_RUNNING, 0xc000b70000, 0xc00016e000, 1, 0}, /* it makes its own smaller */
        {G_RUNNING, 0, 0xc00016e000, 0, 1},
        {G_RUNNING, 0xc000b70010, 0xc00016e000, 0, 1}, /* no stack begins there */
        {G_WAITING | G_SCAN, 0xc000b70000, 0xc00016e000, 1, 0},
        {G_RUNNABLE | G_SCAN, 0xc000b70000, 0xc00016e000, 1, 0},
        {G_WAITING | G_SCAN, 0xc00016e000, 0xc000b70000, 1, 0}, /* sp is still in the old one */
        {G_DEAD, 0xc00016e000, 0, 0, 0},
        {G_DEAD, 0, 0xc00016e000, 0, 0},
        {G_DEAD, 0, 0, 0, 0},
        {G_DEAD, 0xc000b70000, 0xc00016e000, 0, 1},
        {G_WAITING, 0xc000b70000, 0xc00016e000, 0, 1},
        {G_RUNNABLE, 0, 0xc00016e000, 0, 1},
    };
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    uint64_t g = made_g(target, 7, REASON_SEND);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        memcpy(arena_at(&target->arena, g + layout->g_status), &rows[i].status,
               sizeof(rows[i].status));
        arena_put(&target->arena, g + layout->g_stack_lo, rows[i].low);
        arena_put(&target->arena, g + layout->g_stack_hi, rows[i].high);
        struct go_totals totals = made_scan(target, &visits);
        assert_int_equal(totals.moved, rows[i].moved);
        assert_int_equal(totals.seen, rows[i].moved);
        assert_int_equal(totals.unreadable, rows[i].unreadable);
    }
}

/* One that collects is so for a moment. */
static void goroutine__that_waits_before_it_leaves_its_stack__is_moved(void **state)
{
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    uint64_t g = made_g(target, 7, REASON_SEND);
    arena_put(&target->arena, g + layout->g_sched_sp, 0);
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(totals.moved, 1);
    assert_int_equal(totals.unreadable, 0);
    arena_put(&target->arena, g + layout->g_stack_lo, 0);
    totals = made_scan(target, &visits);
    assert_int_equal(totals.moved, 0);
    assert_int_equal(totals.unreadable, 1);
}

static void goroutine__that_moves_once__is_read_again(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_tracking;
    target->change = count_up;
    /* So many pieces as it takes to read it once, and some. */
    for (uint64_t left = 1; left < 16; left++) {
        target->changes_left = left;
        struct go_totals totals = made_scan(target, &visits);
        assert_int_equal(visits.count, 1);
        assert_int_equal(totals.moved + totals.parked, 1);
        if (left < 8)
            assert_true(visits.last.parked);
    }
}

static void end_it(struct made_target *target)
{
    if (target->changes_left == 0)
        arena_put_byte(&target->arena, target->changing, G_DEAD);
}

static void goroutine__that_ends_meanwhile__is_not_told(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_status;
    target->change = end_it;
    target->changes_left = 5; /* its stack is being read */
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(visits.count, 0);
    assert_int_equal(totals.seen, 0);
}

static void replace_it(struct made_target *target)
{
    if (target->changes_left == 0)
        memcpy(arena_at(&target->arena, target->changing),
               arena_at(&target->arena, target->becomes), MADE_G_BYTES);
}

static void set_spawn(struct made_target *target, uint64_t g, uint64_t id)
{
    const struct go_layout *layout = &target->scan.layout;
    arena_put(&target->arena, g + layout->g_parent_id, 100 + id);
    arena_put(&target->arena, g + layout->g_created_pc, MADE_TEXT + 0x100 * id);
    arena_put(&target->arena, g + layout->g_start_pc, MADE_TEXT + 0x100 * id + 8);
}

/* What becomes of number 7, which runs, when its g has been read once. */
static void
goroutine__whose_place_is_taken_meanwhile__is_not_told_with_what_another_has(void **state)
{
    static const struct {
        uint64_t id, spawn_of; /* then */
        uint8_t status;
        uint64_t told; /* id; 0: none */
    } rows[] = {
        {7, 7, G_RUNNING, 7},  {7, 7, G_RUNNABLE, 7}, {7, 7, G_WAITING, 7},
        {7, 8, G_DEAD, 0}, /* the next one that it becomes was not given its number yet */
        {8, 8, G_RUNNABLE, 8}, {8, 8, G_WAITING, 8},
    };
    struct made_target *target = *state;
    const struct go_layout *layout = &target->scan.layout;
    struct made_visits visits;
    uint64_t g = made_g(target, 7, REASON_SEND), before = arena_make(&target->arena, MADE_G_BYTES);
    set_spawn(target, g, 7);
    arena_put_byte(&target->arena, g + layout->g_status, G_RUNNING);
    memcpy(arena_at(&target->arena, before), arena_at(&target->arena, g), MADE_G_BYTES);
    target->changing = g;
    target->becomes = arena_make(&target->arena, MADE_G_BYTES);
    target->change = replace_it;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        uint64_t then = target->becomes;
        memcpy(arena_at(&target->arena, g), arena_at(&target->arena, before), MADE_G_BYTES);
        memcpy(arena_at(&target->arena, then), arena_at(&target->arena, before), MADE_G_BYTES);
        set_spawn(target, then, rows[i].spawn_of);
        arena_put(&target->arena, then + layout->g_id, rows[i].id);
        arena_put_byte(&target->arena, then + layout->g_status, rows[i].status);
        target->changes_left = 5; /* the list is three pieces, its g one */
        struct go_totals totals = made_scan(target, &visits);
        assert_int_equal(totals.moved, 0);
        assert_int_equal(visits.count, rows[i].told != 0);
        if (!rows[i].told)
            continue;
        assert_int_equal(visits.last.id, rows[i].told);
        assert_int_equal(visits.last.parent_id, 100 + rows[i].told);
        assert_int_equal(visits.last.created_pc, MADE_TEXT + 0x100 * rows[i].told);
        assert_int_equal(visits.last.start_pc, MADE_TEXT + 0x100 * rows[i].told + 8);
    }
}

static void run_or_not(struct made_target *target)
{
    *(uint8_t *)arena_at(&target->arena, target->changing) ^= G_RUNNABLE ^ G_RUNNING;
}

static void goroutine__that_runs_now_and_then__is_not_read_again(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t g = made_g(target, 7, REASON_SEND);
    target->changing = g + target->scan.layout.g_status;
    arena_put_byte(&target->arena, target->changing, G_RUNNING);
    made_scan(target, &visits);
    uint64_t pieces = target->pieces;
    target->change = run_or_not;
    target->changes_left = UINT64_MAX;
    target->pieces = 0;
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(target->pieces, pieces);
    assert_int_equal(totals.moved, 0);
    assert_int_equal(visits.last.id, 7);
}

static void break_off(struct made_target *target)
{
    if (target->changes_left == 0)
        target->arena.size = target->changing - ARENA;
}

static void goroutine__that_cannot_be_read_twice__is_unreadable(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    target->changing = made_g(target, 7, REASON_SEND);
    arena_put_byte(&target->arena, target->changing + target->scan.layout.g_status, G_RUNNING);
    target->change = break_off;
    target->changes_left = 5;
    struct go_totals totals = made_scan(target, &visits);
    assert_int_equal(visits.count, 0);
    assert_int_equal(totals.unreadable, 1);
}

static void move_list(struct made_target *target)
{
    if (target->changes_left != 0)
        return;
    memcpy(arena_at(&target->arena, target->changing), arena_at(&target->arena, target->list),
           target->list_count * 8);
    memset(arena_at(&target->arena, target->list), 0xee, target->list_count * 8);
    arena_put(&target->arena, target->slice, target->changing);
}

static void list__that_is_moved_meanwhile__is_followed(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    uint64_t sum = 0;
    for (uint64_t id = 1; id <= 50; id++) {
        made_g(target, id, REASON_NONE);
        sum += id;
    }
    uint64_t old = target->list;
    uint64_t places[2] = {arena_make(&target->arena, 1024 * 8),
                          arena_make(&target->arena, 1024 * 8)};
    target->change = move_list;
    for (uint64_t left = 1; left <= 40; left++) {
        target->changing = places[left % 2];
        target->changes_left = left;
        struct go_totals totals = made_scan(target, &visits);
        assert_int_equal(visits.count, 50);
        assert_int_equal(visits.ids, sum);
        assert_int_equal(totals.unreadable, 0);
        target->list = word_at(arena_at(&target->arena, target->slice), 0);
        assert_int_not_equal(target->list, old);
    }
}

#define HAND(test) cmocka_unit_test_setup_teardown(test, made_set_up, made_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HAND(goroutine__that_never_stands_still__is_moved),
        HAND(goroutine__between_two_stacks__is_moved_or_dead),
        HAND(goroutine__that_waits_before_it_leaves_its_stack__is_moved),
        HAND(goroutine__that_moves_once__is_read_again),
        HAND(goroutine__that_ends_meanwhile__is_not_told),
        HAND(goroutine__whose_place_is_taken_meanwhile__is_not_told_with_what_another_has),
        HAND(goroutine__that_runs_now_and_then__is_not_read_again),
        HAND(goroutine__that_cannot_be_read_twice__is_unreadable),
        HAND(list__that_is_moved_meanwhile__is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
