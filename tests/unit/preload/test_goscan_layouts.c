/* The scanner with layouts that a file tells, which may say anything. */
#include "tests/unit/preload/made_target.h"
#include "tests/unit/random.h"

#define ROUNDS 400 /* of each kind of number; more may be tried by hand */

static uint16_t *field_of(struct made_target *target, size_t index)
{
    return (uint16_t *)(void *)((char *)&target->scan.layout + go_layout_fields[index].offset);
}

static bool is_of(size_t index, const char *type)
{
    return strcmp(go_layout_fields[index].type, type) == 0;
}

/* Nothing else of these three is read as far as its farthest field. */
static bool is_read(size_t index)
{
    return is_of(index, "runtime.g") || is_of(index, "runtime.sudog") ||
           is_of(index, "runtime.hchan");
}

static void layout__with_a_field_far_away_or_nowhere__is_refused(void **state)
{
    struct made_target *target = *state;
    for (size_t i = 0; i < go_layout_field_count; i++) {
        uint16_t *field = field_of(target, i), before = *field;
        *field = GO_ABSENT - 1;
        assert_int_equal(scan_state_take_layout(&target->scan), !is_read(i));
        *field = GO_ABSENT;
        assert_int_equal(scan_state_take_layout(&target->scan), go_layout_fields[i].optional);
        *field = before;
    }
    assert_true(scan_state_take_layout(&target->scan));
}

/* A parked goroutine on whose stack is the address of a pollDesc. Returns that. */
static uint64_t make_polled(struct made_target *target)
{
    const struct go_layout *layout = &target->scan.layout;
    uint64_t poll = arena_make(&target->arena, 448), g = made_g(target, 3, REASON_POLL);
    arena_put(&target->arena, poll + layout->poll_fd, 17);
    arena_put(&target->arena, poll + layout->poll_reader, g);
    arena_put(&target->arena, poll + layout->poll_self, poll);
    arena_put(&target->arena, word_at(arena_at(&target->arena, g + layout->g_sched_sp), 0) + 32,
              poll + layout->poll_reader);
    return poll;
}

static void poll_descriptor__whose_fields_are_far_away__is_not_looked_for(void **state)
{
    struct made_target *target = *state;
    struct made_visits visits;
    make_polled(target);
    made_scan(target, &visits);
    assert_true(visits.last.object_known);
    assert_int_equal(visits.last.object, 17);
    for (size_t i = 0; i < go_layout_field_count; i++) {
        uint16_t *field = field_of(target, i), before = *field;
        if (!is_of(i, "runtime.pollDesc"))
            continue;
        *field = 400;
        assert_true(scan_state_take_layout(&target->scan));
        made_scan(target, &visits);
        assert_false(visits.last.object_known);
        *field = before;
    }
    target->scan.layout.poll_fd = GO_ABSENT;
    assert_true(scan_state_take_layout(&target->scan));
    made_scan(target, &visits);
    assert_false(visits.last.object_known);
}

static void layout__of_any_numbers__is_refused_or_survived(void **state)
{
    static const uint16_t ends[] = {0,   1,    8,    375,           376,      503,
                                    504, 1016, 1023, GO_ABSENT - 1, GO_ABSENT};
    struct made_target *target = *state;
    struct go_layout before = target->scan.layout;
    struct made_visits visits;
    uint64_t seed = 0x1a7, taken = 0;
    make_polled(target);
    for (uint64_t id = 4; id < 40; id++) {
        uint64_t g = made_g(target, id, (enum made_reason)(id % REASON_COUNT));
        made_sudog(target, g, made_sudog(target, g, 0, made_channel(target, 1)), 0);
    }
    for (unsigned round = 0; round < 20 * ROUNDS; round++) {
        target->scan.layout = before;
        for (uint64_t changes = 1 + next_random(&seed) % 4; changes > 0; changes--) {
            uint64_t random = next_random(&seed);
            *field_of(target, random % go_layout_field_count) =
                random >> 32 & 1 ? ends[(random >> 16) % (sizeof(ends) / sizeof(*ends))]
                                 : (uint16_t)((random >> 16) % 512);
        }
        if (!scan_state_take_layout(&target->scan))
            continue;
        taken++;
        made_scan(target, &visits);
    }
    assert_in_range(taken, ROUNDS, 20 * ROUNDS - 1);
}

#define HAND(test) cmocka_unit_test_setup_teardown(test, made_set_up, made_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HAND(layout__with_a_field_far_away_or_nowhere__is_refused),
        HAND(poll_descriptor__whose_fields_are_far_away__is_not_looked_for),
        HAND(layout__of_any_numbers__is_refused_or_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
