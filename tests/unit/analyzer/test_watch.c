/* leakspy's own clock: since when tasks wait, by looks in a line each. */
#include "tests/unit/analyzer/watched.h"

static void see_one_that_stays(int second)
{
    /* Rows of the snapshots differ: other calls and sites come first. */
    for (int i = 0; i < second; i++)
        park(100 + (uint64_t)i, "other", 7, 50 + (uint64_t)i, NOBODY_KNOWS);
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
}

static void parked_at_every_look__is_parked_for_as_long(void **state)
{
    (void)state;
    look_each_second(5, see_one_that_stays);
    const struct snapshot_task *task = task_of(1);
    assert_int_equal(task->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task->flags,
                     SNAPSHOT_PARKED | SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED | SNAPSHOT_SETTLED);
    assert_int_equal(last_look.watched_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(last_look.looks, 6);
    done();
}

/* Who holds the lock that it waits for was read when the sampler looked, which may be rarely. */
static void wait_in_a_recording__that_the_sampler_saw_once__is_not_settled(void **state)
{
    (void)state;
    looked_at = SNAPSHOT_RECORDING;
    look_each_second(5, see_one_that_stays);
    looked_at = SNAPSHOT_PROCESS;
    assert_int_equal(task_of(1)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task_of(1)->flags, SNAPSHOT_PARKED | SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED);
    done();
}

/* A thread that has ended and is not joined, as by PID. */
static void end_thread(uint64_t id, uint64_t start)
{
    uint32_t site = builder_add_site(look_rows, (uint64_t[]){start}, 1, SNAPSHOT_SITE_START);
    struct snapshot_task *task = builder_add_task(look_rows);
    assert_non_null(task);
    task->id = task->handle = id;
    task->kind = REC_KIND_THREAD;
    task->flags = SNAPSHOT_FINISHED | SNAPSHOT_JOINABLE;
    task->spawn_site = site;
}

static void see_ends(int second)
{
    end_thread(0x1000, 0x10);
    end_thread(0x2000, second < 3 ? 0x10 : 0x20); /* from then on, another thread */
    if (second == 5)
        end_thread(0x3000, 0x10);
}

static void ended_at_every_look__has_ended_for_as_long(void **state)
{
    (void)state;
    look_each_second(5, see_ends);
    assert_int_equal(task_of(0x1000)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task_of(0x1000)->flags,
                     SNAPSHOT_FINISHED | SNAPSHOT_JOINABLE | SNAPSHOT_AT_LEAST);
    assert_int_equal(task_of(0x2000)->parked_ns, 2 * SECOND - MILLISECOND);
    assert_int_equal(task_of(0x3000)->parked_ns, 0);
    assert_int_equal(last_look.before_count, 0);
    done();
}

/* The recording says itself since when, or that nobody knows. */
static void ended_in_a_recording__is_as_old_as_that_says(void **state)
{
    (void)state;
    looked_at = SNAPSHOT_RECORDING;
    look_each_second(5, see_ends);
    looked_at = SNAPSHOT_PROCESS;
    assert_int_equal(task_of(0x1000)->parked_ns, NOBODY_KNOWS);
    done();
}

static void see_one_that_comes(int second)
{
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    if (second >= 2)
        park(2, "chan send", 0xc000, 10, NOBODY_KNOWS);
    if (second >= 5)
        park(3, "chan send", 0xc000, 10, NOBODY_KNOWS);
}

static void parked_since_a_later_look__is_no_lower_bound(void **state)
{
    (void)state;
    look_each_second(5, see_one_that_comes);
    assert_int_equal(task_of(2)->parked_ns, 3 * SECOND - MILLISECOND);
    assert_int_equal(task_of(2)->flags, SNAPSHOT_PARKED | SNAPSHOT_SETTLED);
    assert_int_equal(task_of(3)->parked_ns, 0);
    assert_int_equal(task_of(3)->flags, SNAPSHOT_PARKED);
    done();
}

static void see_one_on_another_object(int second)
{
    park(1, "chan send", second < 3 ? 0xc000 : 0xd000, 10, NOBODY_KNOWS);
    park(2, "chan send", 0xc000, second < 3 ? 10 : 20, NOBODY_KNOWS);
    park(3, second < 3 ? "chan send" : "chan receive", 0xc000, 10, NOBODY_KNOWS);
    if (second != 3)
        park(4, "chan send", 0xc000, 10, NOBODY_KNOWS);
}

static void parked_on_something_else__is_parked_since_then(void **state)
{
    (void)state;
    look_each_second(5, see_one_on_another_object);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_int_equal(task_of(id)->parked_ns, 2 * SECOND - MILLISECOND);
        assert_int_equal(task_of(id)->flags, SNAPSHOT_PARKED | SNAPSHOT_SETTLED);
    }
    assert_int_equal(task_of(4)->parked_ns, SECOND - MILLISECOND);
    done();
}

static void see_one_that_parks_again(int second)
{
    struct snapshot_task *task = park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    task->wait_number = second < 3 ? 7 : 8;
    /* Its stack was not read at first: the number says that it is the same wait. */
    task = park(2, "chan send", 0xc000, second ? 10 : 0, second ? 0 : NOBODY_KNOWS);
    task->wait_number = 7;
}

static void parked_again_on_the_same_thing__has_moved(void **state)
{
    (void)state;
    look_each_second(5, see_one_that_parks_again);
    assert_int_equal(task_of(1)->parked_ns, 2 * SECOND - MILLISECOND);
    assert_false(task_of(1)->flags & SNAPSHOT_STAYED);
    assert_int_equal(task_of(2)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_true(task_of(2)->flags & SNAPSHOT_STAYED);
    done();
}

static void see_short_numbers(int second)
{
    const uint16_t noted = SNAPSHOT_AT_LEAST | SNAPSHOT_NOTED;
    bool later = second >= 3;
    struct snapshot_task *tasks[] = {
        park(1, "chan send", 0xc000, 10, NOBODY_KNOWS),
        park(2, "chan send", 0xc000, later ? 20 : 10, NOBODY_KNOWS),
        /* The collector had seen it, and has not any more; has seen it, but later. */
        park(3, "chan send", 0xc000, 10, later ? NOBODY_KNOWS : (5 + second) * SECOND),
        park(4, "chan send", 0xc000, 10, later ? (second - 3) * SECOND : (5 + second) * SECOND),
        /* Nothing in the process ran for a while; then something did. */
        park(5, "chan send", 0xc000, 10, later ? NOBODY_KNOWS : (5 + second) * SECOND),
        park(6, "chan send", 0xc000, 10, later ? (second - 3) * SECOND : (5 + second) * SECOND),
        park(7, "chan send", 0xc000, 10, later ? (5 + second) * SECOND : NOBODY_KNOWS),
    };
    for (int i = 0; i < 7; i++)
        tasks[i]->wait_number = 0x142;
    tasks[2]->flags |= later ? 0 : noted;
    tasks[3]->flags |= noted;
    tasks[4]->flags |= later ? 0 : SNAPSHOT_AT_LEAST;
    tasks[5]->flags |= SNAPSHOT_AT_LEAST;
    tasks[6]->flags |= later ? noted : 0;
}

/* One busy worker of 256 has the number of the look before. */
static void number_of_8_bits__that_is_the_same__proves_nothing(void **state)
{
    (void)state;
    look_each_second(5, see_short_numbers);
    for (uint64_t id = 1; id <= 7; id++) {
        bool stays = id == 1 || id >= 5;
        assert_int_equal(task_of(id)->flags & SNAPSHOT_STAYED, stays ? SNAPSHOT_STAYED : 0);
    }
    done();
}

static void see_uncounted(int second)
{
    struct snapshot_task *tasks[] = {
        park(1, "coroutine", 0, 10, NOBODY_KNOWS),
        /* Nothing in the process ran since before the watch; since second 3. */
        park(2, "coroutine", 0, 10, (60 + second) * SECOND),
        park(3, "coroutine", 0, 10, second < 3 ? (60 + second) * SECOND : (second - 3) * SECOND),
    };
    for (int i = 0; i < 3; i++)
        tasks[i]->wait_number = SNAPSHOT_WAITS_UNCOUNTED;
}

static void uncounted_wait__is_another_one_unless_nothing_ran(void **state)
{
    (void)state;
    look_each_second(5, see_uncounted);
    assert_int_equal(task_of(1)->parked_ns, NOBODY_KNOWS);
    assert_int_equal(task_of(2)->parked_ns, 65 * SECOND);
    assert_int_equal(task_of(3)->parked_ns, 2 * SECOND);
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(task_of(id)->flags & SNAPSHOT_STAYED, id == 2 ? SNAPSHOT_STAYED : 0);
    done();
}

static void see_ages_of_the_source(int second)
{
    /* Known all along, and older than the watch. */
    park(1, "chan send", 0xc000, 10, (60 + second) * SECOND);
    /* The collector comes by at second 3. */
    struct snapshot_task *task =
        park(2, "chan send", 0xc000, 10, second < 3 ? NOBODY_KNOWS : (second - 3) * SECOND);
    if (second >= 3)
        task->flags |= SNAPSHOT_AT_LEAST;
    /* It ran after the second look: what the collector had seen is gone. */
    task = park(3, "chan send", 0xc000, 10, second < 2 ? (5 + second) * SECOND : NOBODY_KNOWS);
    if (second < 2)
        task->flags |= SNAPSHOT_AT_LEAST;
    /* It ran, and the source knows since when it is parked again. */
    park(4, "chan send", 0xc000, 10, second < 3 ? (5 + second) * SECOND : (second - 3) * SECOND);
}

static void ages_of_the_source__are_never_lowered_and_tell_who_moved(void **state)
{
    (void)state;
    look_each_second(5, see_ages_of_the_source);
    assert_int_equal(task_of(1)->parked_ns, 65 * SECOND);
    assert_int_equal(task_of(1)->flags & (SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED), SNAPSHOT_STAYED);
    assert_int_equal(task_of(2)->parked_ns, 5 * SECOND - MILLISECOND);
    assert_int_equal(task_of(2)->flags & (SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED),
                     SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED);
    assert_int_equal(task_of(3)->parked_ns, 3 * SECOND - MILLISECOND);
    assert_false(task_of(3)->flags & (SNAPSHOT_AT_LEAST | SNAPSHOT_STAYED));
    assert_int_equal(task_of(4)->parked_ns, 2 * SECOND);
    assert_false(task_of(4)->flags & SNAPSHOT_STAYED);
    done();
}

static void see_ids_that_are_not(int second)
{
    (void)second;
    park(1, "chan send", 0xc000, 10, NOBODY_KNOWS);
    park(1, "chan receive", 0xd000, 20, NOBODY_KNOWS);
    struct snapshot_task *thread = park(1, "chan send", 0xe000, 10, NOBODY_KNOWS);
    thread->kind = REC_KIND_THREAD;
}

static void ids__are_those_of_a_kind(void **state)
{
    (void)state;
    look_each_second(2, see_ids_that_are_not);
    assert_int_equal(last_look.tasks[0].parked_ns, 2 * SECOND - MILLISECOND);
    assert_int_equal(last_look.tasks[2].parked_ns, 2 * SECOND - MILLISECOND);
    done();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parked_at_every_look__is_parked_for_as_long),
        cmocka_unit_test(wait_in_a_recording__that_the_sampler_saw_once__is_not_settled),
        cmocka_unit_test(ended_at_every_look__has_ended_for_as_long),
        cmocka_unit_test(ended_in_a_recording__is_as_old_as_that_says),
        cmocka_unit_test(parked_since_a_later_look__is_no_lower_bound),
        cmocka_unit_test(parked_on_something_else__is_parked_since_then),
        cmocka_unit_test(parked_again_on_the_same_thing__has_moved),
        cmocka_unit_test(number_of_8_bits__that_is_the_same__proves_nothing),
        cmocka_unit_test(uncounted_wait__is_another_one_unless_nothing_ran),
        cmocka_unit_test(ages_of_the_source__are_never_lowered_and_tell_who_moved),
        cmocka_unit_test(ids__are_those_of_a_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
