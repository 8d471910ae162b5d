/* What locks for which goroutines wait, here made by hand, say of themselves: when that is asked,
 * and for which wait it is recorded. */
#include "preload/go_locks.h"
#include "preload/go_record.h"
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

static struct go_goroutine in_lock(uint64_t id, int32_t state, int32_t leaving)
{
    struct go_goroutine it = here_parked(id, MUTEX);
    it.lock = GO_LOCK_RWLOCK_READ;
    it.words =
        (struct go_lock_words){.known = true, .state = state, .leaving = leaving, .asked = true};
    return it;
}

static void assert_words(bool known, int32_t state, int32_t leaving)
{
    const struct rec_task *task = here_only_task();
    assert_int_equal(task->detail_flags, known ? REC_DETAIL_LOCK_WORDS : 0);
    assert_int_equal((int32_t)task->detail_a, known ? state : 0);
    assert_int_equal((int32_t)task->detail_b, known ? leaving : 0);
}

static void words_of_a_lock__are_recorded_and_refreshed(void **state)
{
    (void)state;
    struct go_goroutine it = in_lock(42, -7, 3);
    here_look_at(&it, 1);
    assert_words(true, -7, 3);
    uint32_t gen = here_only_task()->gen;
    it.stack = NULL;
    it.words = (struct go_lock_words){0}; /* it was not its turn */
    here_look_at(&it, 1);
    assert_words(true, -7, 3);
    it.words = (struct go_lock_words){.known = true, .state = -8, .leaving = 2, .asked = true};
    here_look_at(&it, 1);
    assert_words(true, -8, 2);
    it.words = (struct go_lock_words){.asked = true}; /* the lock is being handed over */
    here_look_at(&it, 1);
    assert_words(false, 0, 0);
    it.words = (struct go_lock_words){0};
    here_look_at(&it, 1);
    assert_words(false, 0, 0);
    it.words = (struct go_lock_words){.known = true, .state = -9, .asked = true};
    here_look_at(&it, 1);
    assert_words(true, -9, 0);
    assert_int_equal(here_only_task()->gen, gen);
}

/* Also where they were read in the hope that the wait was the same. */
static void words_of_a_lock__are_not_those_of_the_next_wait(void **state)
{
    static const struct go_lock_words next[] = {
        {.known = false, .asked = false},
        {.known = false, .asked = true},
        {.known = true, .state = -8, .leaving = 2, .asked = true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        for (int stack = 0; stack < 2; stack++) {
            struct go_goroutine it = in_lock(42, -7, 3);
            here_look_at(&it, 1);
            assert_words(true, -7, 3);
            uint32_t gen = here_only_task()->gen;
            here_run_again(&it);
            it.stack = stack ? &here_stack : NULL;
            it.words = next[i];
            here_look_at(&it, 1);
            assert_int_equal(here_only_task()->gen, gen + 1);
            assert_words(stack && next[i].known, -8, 2);
            it = here_parked(42, SLEEP);
            here_look_at(&it, 1);
            assert_words(false, 0, 0);
        }
    }
}

static void lock__whose_words_are_wanted__is_that_of_the_wait(void **state)
{
    (void)state;
    struct go_lock_place place;
    struct go_goroutine it = in_lock(42, -7, 3);
    here_look_at(&it, 1);
    assert_false(here_scan.wants_stack(&it, NULL));
    assert_true(here_scan.wants_lock(&it, &place, NULL));
    assert_int_equal(place.address, it.object);
    assert_int_equal(place.lock, GO_LOCK_RWLOCK_READ);
    static const enum go_lock none[] = {GO_LOCK_UNKNOWN, GO_LOCK_NONE};
    for (size_t i = 0; i < 2; i++) { /* a semaphore by itself, or of nobody knows what */
        it.lock = (uint8_t)none[i];
        here_run_again(&it);
        it.wait_number += (uint32_t)i;
        here_look_at(&it, 1);
        assert_false(here_scan.wants_lock(&it, &place, NULL));
    }
    it.lock = GO_LOCK_MUTEX;
    it.object = 0;
    it.wait_number++;
    here_look_at(&it, 1);
    assert_false(here_scan.wants_lock(&it, &place, NULL));
    it.lock = GO_LOCK_MUTEX;
    it.stack = NULL; /* which lock that is, nobody knows without it */
    it.object = 0x500;
    it.wait_number++;
    here_look_at(&it, 1);
    assert_false(here_scan.wants_lock(&it, &place, NULL));
}

#define MANY_LOCKS (2 * GO_LOCKS_A_LOOK + 100)

static int open_for_many_locks(void **state)
{
    (void)state;
    return here_open_go_for(MANY_LOCKS);
}

/* So many in a look; the next one goes on with the others. */
static void words_of_many_locks__are_wanted_in_turns(void **state)
{
    static struct go_goroutine all[MANY_LOCKS];
    static uint8_t wanted[MANY_LOCKS];
    (void)state;
    for (uint64_t i = 0; i < MANY_LOCKS; i++)
        all[i] = in_lock(i + 1, 1, 0);
    here_look_at(all, MANY_LOCKS);
    static const uint32_t told[] = {GO_LOCKS_A_LOOK, GO_LOCKS_A_LOOK, 100, GO_LOCKS_A_LOOK};
    for (size_t look = 0; look < sizeof(told) / sizeof(told[0]); look++) {
        uint32_t count = 0;
        go_record_begin(here_now_ns += 1000000);
        for (size_t i = 0; i < MANY_LOCKS; i++) {
            struct go_lock_place place;
            bool wants = here_scan.wants_lock(&all[i], &place, NULL);
            count += wants;
            wanted[i] += wants;
        }
        assert_int_equal(count, told[look]);
    }
    for (size_t i = 0; i < MANY_LOCKS; i++)
        assert_int_equal(wanted[i], i < GO_LOCKS_A_LOOK ? 2 : 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, here_open_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* First, since the table of goroutines is made once: it has room for as many then. */
        cmocka_unit_test_setup_teardown(words_of_many_locks__are_wanted_in_turns,
                                        open_for_many_locks, here_close),
        TEST(words_of_a_lock__are_recorded_and_refreshed),
        TEST(words_of_a_lock__are_not_those_of_the_next_wait),
        TEST(lock__whose_words_are_wanted__is_that_of_the_wait),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
