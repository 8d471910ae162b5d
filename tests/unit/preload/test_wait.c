/* The hand-over of a wait from its task to whoever reads the slot: waits one after the other, one
 * in another, and those that are left by longjmp. */
#include "preload/waits.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/waiting_here.h"

static uint32_t seen_gen[3];

static void look_inner(void)
{
    here_assert_waits_on(12);
    seen_gen[1] = here_slot->gen;
}

static void nest(void)
{
    const struct rec_task before = *here_slot;
    seen_gen[0] = here_slot->gen;
    here_assert_waits_on(11);
    here_park(here_slot, 12, look_inner);
    here_assert_waits_on(11);
    assert_int_equal(here_slot->gen, before.gen);
    assert_int_equal(here_slot->cfa, before.cfa);
    assert_int_equal(here_slot->fp, before.fp);
    here_park(here_slot, 13, NULL);
    here_assert_waits_on(11);
    assert_int_equal(here_slot->gen, before.gen);
    assert_int_equal(here_slot->seq, before.seq + 2);
}

static void wait__over__leaves_gen_zero(void **state)
{
    (void)state;
    here_slot = recorder_self();
    here_park(here_slot, 10, NULL);
    assert_int_equal(here_slot->gen, 0);
    assert_int_equal(here_slot->seq, 1);
    here_park(here_slot, 11, NULL);
    assert_int_equal(here_slot->gen, 0);
    assert_int_equal(here_slot->seq, 2);
}

static void wait__inside_a_wait__restores_the_outer_one(void **state)
{
    (void)state;
    here_slot = recorder_self();
    here_park(here_slot, 11, nest);
    assert_int_equal(here_slot->gen, 0);
    assert_int_not_equal(seen_gen[0], seen_gen[1]);
}

/* A lock that was free: the task waits only once the sampler says so, and of that wait only. */
static void passing_wait__that_the_sampler_knows__is_one(void **state)
{
    (void)state;
    here_slot = recorder_self();
    here_park(here_slot, 10, NULL);
    here_slot->seen_gen = here_slot->seq;
    assert_int_equal(rec_task_wait(here_slot), 0);
    wait_publish_passing(here_slot, wait_passing(3, 14, 0x1000, 0x2000));
    assert_int_equal(here_slot->gen, 0);
    assert_int_equal(here_slot->seq, 1);
    here_slot->detail_b = rec_passing_key(here_slot);
    assert_int_equal(rec_task_wait(here_slot), 0); /* it is the wait before that it knows */
    here_slot->detail_flags = REC_DETAIL_PASSING;
    here_slot->seen_gen = 77;
    assert_int_equal(rec_task_wait(here_slot), 0); /* it was seen asleep once */
    here_slot->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    assert_int_equal(rec_task_wait(here_slot), 77);
    assert_true(rec_task_is_seen(here_slot));
    /* It got the lock, and wants it again. */
    wait_publish_passing(here_slot, wait_passing(3, 14, 0x1000, 0x2000));
    assert_int_equal(rec_task_wait(here_slot), 0);
    here_slot->detail_b = rec_passing_key(here_slot);
    assert_int_equal(rec_task_wait(here_slot), 77);
    here_slot->object = 15;
    assert_int_equal(rec_task_wait(here_slot), 0);
    here_slot->object = 14;
    here_park(here_slot, 11, nest);
    wait_publish_passing(here_slot, wait_passing(3, 14, 0x1000, 0x2000));
    assert_int_equal(rec_task_wait(here_slot), 0);
}

/* A lock that is taken over and over is published once, until something is told of it. */
static void passing_wait__that_is_published__need_not_be_again(void **state)
{
    (void)state;
    const struct passing passing = wait_passing(3, 14, 0x1000, 0x2000);
    const struct passing others[] = {
        wait_passing(4, 14, 0x1000, 0x2000), wait_passing(3, 15, 0x1000, 0x2000),
        wait_passing(3, 14, 0x1010, 0x2000), wait_passing(3, 14, 0x1000, 0x2010)};
    here_slot = recorder_self();
    wait_publish_passing(here_slot, passing);
    assert_true(wait_is_published(here_slot, passing));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(wait_is_published(here_slot, others[i]));
    here_slot->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    assert_false(wait_is_published(here_slot, passing));
    here_slot->detail_flags = 0;
    assert_true(wait_is_published(here_slot, passing));
    here_park(here_slot, 3, NULL); /* the same call, which had to wait */
    assert_false(wait_is_published(here_slot, passing));
}

/* The numbers of sleeps and of waits may be the same. */
static void wait__with_the_number_of_a_sleep__is_not_known(void **state)
{
    (void)state;
    here_slot = recorder_self();
    wait_publish_passing(here_slot, wait_passing(3, 14, 0x1000, 0x2000));
    here_slot->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    here_slot->detail_b = rec_passing_key(here_slot);
    here_slot->seen_gen = 1;
    struct wait wait;
    wait_begin(&wait, here_slot, 4, 0, 10, 0);
    assert_int_equal(rec_task_wait(here_slot), 1);
    assert_false(rec_task_is_seen(here_slot));
    here_slot->detail_flags = 0;
    assert_true(rec_task_is_seen(here_slot));
    wait_end(&wait);
}

static void generation__at_its_end__skips_zero(void **state)
{
    (void)state;
    here_slot = recorder_self();
    here_slot->seq = UINT32_MAX - 1;
    here_park(here_slot, 1, NULL);
    assert_int_equal(here_slot->seq, UINT32_MAX);
    here_park(here_slot, 12, look_inner);
    assert_int_equal(seen_gen[1], 1);
    here_slot->seq = UINT32_MAX;
    here_park(here_slot, 11, nest);
    assert_int_equal(here_slot->gen, 0);
}

/* --- handlers that leave by longjmp ----------------------------------------------------------- */

static sigjmp_buf way_out;

static void leave(void)
{
    siglongjmp(way_out, 1);
}

__attribute__((noinline)) static void park_and_leave(int depth)
{
    volatile char room[256];
    room[0] = (char)depth;
    if (depth > 0)
        park_and_leave(depth - 1);
    else
        here_park(here_slot, 50, leave);
    room[1] = room[0];
}

static void look_after_leaving(void)
{
    here_assert_waits_on(51);
}

static void wait__left_by_longjmp__is_not_restored_by_the_next(void **state)
{
    (void)state;
    here_slot = recorder_self();
    if (sigsetjmp(way_out, 1) == 0)
        park_and_leave(20);
    assert_int_not_equal(here_slot->gen, 0); /* nobody could take it back */
    here_park(here_slot, 51, look_after_leaving);
    assert_int_equal(here_slot->gen, 0);
}

/* The frame that the wait was in is there again, for another one. */
static void wait__left_by_longjmp__is_not_restored_by_the_next_at_its_place(void **state)
{
    (void)state;
    here_slot = recorder_self();
    if (sigsetjmp(way_out, 1) == 0)
        here_park(here_slot, 50, leave);
    assert_int_not_equal(here_slot->gen, 0);
    here_park(here_slot, 51, look_after_leaving);
    assert_int_equal(here_slot->gen, 0);
}

/* Where the frame was that the wait was in, there is one of the program's, which waits itself. */
__attribute__((noinline)) static void park_inside_a_frame(struct rec_task *task,
                                                          const struct parts_wait *what,
                                                          void (*meanwhile)(void *), void *arg)
{
    assert_int_equal(task->cfa, (uint64_t)__builtin_dwarf_cfa());
    parts_park(task, what, meanwhile, arg);
    assert_int_equal(task->gen, 0);
}

/* Both are called from one place, so that their frames begin at the same place. */
static void wait__left_by_longjmp__is_not_restored_inside_a_frame_at_its_place(void **state)
{
    static void (*const ways[])(struct rec_task *, const struct parts_wait *, void (*)(void *),
                                void *) = {parts_park, park_inside_a_frame};
    static void (*const meanwhile[])(void) = {leave, look_after_leaving};
    (void)state;
    here_slot = recorder_self();
    for (volatile uint64_t i = 0; i < 2; i++) {
        uint64_t object = 50 + i;
        const struct parts_wait what = here_what(object);
        if (sigsetjmp(way_out, 1) == 0)
            ways[i](here_slot, &what, here_call, (void *)(uintptr_t)&meanwhile[i]);
        assert_int_equal(here_slot->gen != 0, i == 0);
    }
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(wait__over__leaves_gen_zero),
        WITH_RECORDING(wait__inside_a_wait__restores_the_outer_one),
        WITH_RECORDING(passing_wait__that_the_sampler_knows__is_one),
        WITH_RECORDING(passing_wait__that_is_published__need_not_be_again),
        WITH_RECORDING(wait__with_the_number_of_a_sleep__is_not_known),
        WITH_RECORDING(generation__at_its_end__skips_zero),
        WITH_RECORDING(wait__left_by_longjmp__is_not_restored_by_the_next),
        WITH_RECORDING(wait__left_by_longjmp__is_not_restored_by_the_next_at_its_place),
        WITH_RECORDING(wait__left_by_longjmp__is_not_restored_inside_a_frame_at_its_place),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
