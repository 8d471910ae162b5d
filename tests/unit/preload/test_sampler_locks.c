/* What the sampler makes of locks that were free when they were asked for, and were not got at
 * once: the waits that are no waits to their owner. */
#include <pthread.h>
#include <sched.h>

#include "preload/blocked.h"
#include "preload/clock.h"
#include "preload/waits.h"
#include "tests/unit/preload/locking_here.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/sampler_here.h"

static bool second_is_held; /* the thread knows that it has to wait for the second lock */

/* As the hook, where it is held. */
__attribute__((noinline)) static void lock_held(int which)
{
    struct wait wait;
    here_places[which] = (uint64_t)__builtin_return_address(0);
    wait_begin(&wait, here_slot, 1, 0, (uint64_t)&here_locks[which], 0);
    __atomic_store_n(&here_asked, (uint32_t)which + 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&here_locks[which]);
    pthread_mutex_unlock(&here_locks[which]);
    wait_end(&wait);
}

static void *ask_for_both(void *unused)
{
    here_slot = recorder_self();
    here_lock(0);
    if (second_is_held)
        lock_held(1);
    else
        here_lock(1);
    return unused;
}

static void wait_until_blocked(uint32_t which)
{
    struct blocked_call call;
    uint64_t until_ns = clock_now_ns() + HERE_LIMIT_S * NS_PER_S;
    while (__atomic_load_n(&here_asked, __ATOMIC_ACQUIRE) != which + 1 ||
           !blocked_call(OWN_PROCESS, here_slot->os_tid, &call) ||
           !blocked_is_in_lock(&call, here_slot->object, here_slot->cfa)) {
        assert_true(clock_now_ns() < until_ns);
        sched_yield();
    }
}

static uint64_t stack_top(void)
{
    return here_slot->wait_site == 0 ? 0
                                     : recorder.pcs[recorder.sites[here_slot->wait_site].first_pc];
}

static pthread_t asker;

/* A thread waits for the first lock, and the sampler knows it. */
static void wait_for_first_lock(void)
{
    recorder_thread.task = &recorder_thread.sink; /* the test itself is no part of it */
    pthread_mutex_lock(&here_locks[0]);
    pthread_mutex_lock(&here_locks[1]);
    here_sampler_start(false);
    here_asked = 0;
    assert_int_equal(pthread_create(&asker, NULL, ask_for_both, NULL), 0);
    wait_until_blocked(0);
    here_sampler_walk();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(here_slot), blocked_sleeps(OWN_PROCESS, here_slot->os_tid));
    assert_true(rec_task_is_seen(here_slot));
    assert_int_equal(stack_top(), here_places[0]);
    assert_true(here_slot->detail_flags & REC_DETAIL_BEGAN);
}

/* It has got that, and waits for the second one. */
static void wait_for_second_lock(void)
{
    pthread_mutex_unlock(&here_locks[0]);
    wait_until_blocked(1);
}

static void end_waits(void)
{
    pthread_mutex_unlock(&here_locks[1]);
    pthread_join(asker, NULL);
}

/* What the recording says of the second wait. */
struct said {
    bool is_seen;
    uint64_t stack_top;
    uint64_t since_ns;
};

static struct said say(void)
{
    return (struct said){rec_task_wait(here_slot) != 0 && rec_task_is_seen(here_slot), stack_top(),
                         here_slot->since_ns};
}

/* After the first look, and after the second one. */
static void look_twice(struct said *ret_first, struct said *ret_second)
{
    here_sampler_walk();
    *ret_first = say();
    here_sampler_walk();
    *ret_second = say();
    here_sampler_stop(false);
    end_waits();
}

static void lock_of_another__at_the_last_look__is_told_with_its_own_stack(void **state)
{
    (void)state;
    second_is_held = false;
    wait_for_first_lock();
    wait_for_second_lock();
    assert_int_equal(rec_task_wait(here_slot), 0);
    here_sampler_stop(true);
    struct said said = say();
    end_waits();
    assert_true(said.is_seen);
    assert_int_equal(said.stack_top, here_places[1]);
}

static void lock_of_another__is_seen_twice_before_its_stack_is_told(void **state)
{
    (void)state;
    second_is_held = false;
    wait_for_first_lock();
    uint64_t before_ns = clock_now_ns();
    wait_for_second_lock();
    struct said first, second;
    look_twice(&first, &second);
    assert_false(first.is_seen); /* by its first look, it may be about to get the lock */
    assert_int_equal(first.stack_top, 0);
    assert_true(first.since_ns >= before_ns);
    assert_true(second.is_seen);
    assert_int_equal(second.stack_top, here_places[1]);
    assert_true(second.since_ns == first.since_ns);
}

/* The sampler knows waits for locks that were free by another number than the rest. */
static void wait__with_the_number_of_the_sleep_before__is_another(void **state)
{
    (void)state;
    second_is_held = true;
    wait_for_first_lock();
    uint32_t sleep = here_slot->seen_gen;
    uint64_t before_ns = clock_now_ns();
    here_slot->seq = sleep - 1; /* the thread sleeps */
    wait_for_second_lock();
    assert_int_equal(here_slot->gen, sleep);
    struct said unseen = say();
    struct said first, second;
    look_twice(&first, &second);
    assert_false(unseen.is_seen);
    assert_true(first.is_seen);
    assert_int_equal(first.stack_top, 0);
    assert_true(first.since_ns >= before_ns);
    assert_int_equal(second.stack_top, here_places[1]);
}

static void lock__that_its_thread_has_got__is_not_waited_for(void **state)
{
    (void)state;
    second_is_held = false;
    wait_for_first_lock();
    wait_for_second_lock();
    here_sampler_walk();
    here_sampler_walk();
    bool was_seen = rec_task_wait(here_slot) != 0;
    end_waits();
    here_sampler_walk();
    here_sampler_stop(false);
    assert_true(was_seen);
    assert_int_equal(rec_task_wait(here_slot), 0);
    assert_int_equal(here_slot->detail_flags, 0);
}

/* It is looked at again and again, for its owner. */
static void wait__whose_stack_cannot_be_read__is_one_loss(void **state)
{
    (void)state;
    second_is_held = true;
    wait_for_first_lock();
    wait_for_second_lock();
    here_slot->fp = sizeof(uint64_t); /* where nothing is mapped */
    for (int i = 0; i < 6; i++)
        here_sampler_walk();
    uint16_t flags = here_slot->detail_flags;
    here_sampler_stop(false);
    end_waits();
    assert_true(flags & REC_DETAIL_OWNER);
    assert_true(flags & REC_DETAIL_NO_STACK);
    assert_int_equal(recorder.header->lost_stacks, 1);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(lock_of_another__at_the_last_look__is_told_with_its_own_stack),
        WITH_RECORDING(lock_of_another__is_seen_twice_before_its_stack_is_told),
        WITH_RECORDING(wait__with_the_number_of_the_sleep_before__is_another),
        WITH_RECORDING(lock__that_its_thread_has_got__is_not_waited_for),
        WITH_RECORDING(wait__whose_stack_cannot_be_read__is_one_loss),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
