/* What the sampler makes of locks that were free when they were asked for, and were not got at
 * once: the waits that are no waits to their owner. */
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/blocked.h"
#include "preload/clock.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/sampler_here.h"

enum { LIMIT_S = 60 };

static pthread_mutex_t locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static struct rec_task *slot;  /* of the thread that asks for them */
static uint64_t places[2];     /* return addresses: where it asks for which */
static uint32_t second_number; /* the number of its second wait; 0: the next one */
static uint32_t asked;         /* for so many */

/* As the hook of pthread_mutex_lock, where the lock is free. */
__attribute__((noinline)) static void lock(int which)
{
    places[which] = (uint64_t)__builtin_return_address(0);
    wait_publish_passing(slot, 1, (uint64_t)&locks[which], (uint64_t)__builtin_dwarf_cfa(),
                         *(const uint64_t *)__builtin_frame_address(0));
    __atomic_store_n(&asked, (uint32_t)which + 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&locks[which]);
    pthread_mutex_unlock(&locks[which]);
}

static void *ask_for_both(void *unused)
{
    slot = recorder_self();
    lock(0);
    if (second_number != 0)
        slot->seq = second_number - 1;
    lock(1);
    return unused;
}

static void wait_until_blocked(uint32_t which)
{
    uint64_t until_ns = clock_now_ns() + LIMIT_S * NS_PER_S;
    while (__atomic_load_n(&asked, __ATOMIC_ACQUIRE) != which + 1 ||
           blocked_in_lock(slot->os_tid, slot->object, sizeof(locks[0]), slot->cfa) !=
               BLOCKED_THERE) {
        assert_true(clock_now_ns() < until_ns);
        sched_yield();
    }
}

static uint64_t stack_top(void)
{
    return slot->wait_site == 0 ? 0 : recorder.pcs[recorder.sites[slot->wait_site].first_pc];
}

static pthread_t asker;

/* A thread waits for the second lock; the sampler knows that it waited for the first one. */
static void wait_for_second_lock(void)
{
    recorder_thread.task = &recorder_thread.sink; /* the test itself is no part of it */
    pthread_mutex_lock(&locks[0]);
    pthread_mutex_lock(&locks[1]);
    here_sampler_start(false);
    asked = 0;
    assert_int_equal(pthread_create(&asker, NULL, ask_for_both, NULL), 0);
    wait_until_blocked(0);
    here_sampler_walk();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(slot), slot->seq);
    assert_int_equal(stack_top(), places[0]);
    pthread_mutex_unlock(&locks[0]);
    wait_until_blocked(1);
}

static void end_waits(void)
{
    pthread_mutex_unlock(&locks[1]);
    pthread_join(asker, NULL);
}

/* What the recording says of the second wait. */
struct said {
    uint32_t wait;
    uint64_t stack_top;
    uint64_t since_ns;
};

static struct said say(void)
{
    return (struct said){rec_task_wait(slot), stack_top(), slot->since_ns};
}

static void lock_of_another__at_the_last_look__is_told_with_its_own_stack(void **state)
{
    (void)state;
    second_number = 0;
    wait_for_second_lock();
    here_sampler_stop(true);
    struct said said = say();
    end_waits();
    assert_int_equal(said.wait, slot->seq);
    assert_int_equal(said.stack_top, places[1]);
}

static void lock_of_another__with_the_number_of_a_lock_s_owner__is_seen_twice_first(void **state)
{
    (void)state;
    second_number = (uint32_t)syscall(SYS_gettid);
    wait_for_second_lock();
    uint32_t owner = slot->detail_a;
    uint64_t before_ns = clock_now_ns();
    here_sampler_walk();
    struct said first = say();
    here_sampler_walk();
    struct said second = say();
    here_sampler_stop(false);
    end_waits();
    assert_int_equal(owner, second_number);
    assert_int_equal(slot->seq, second_number);
    assert_int_equal(first.wait, 0);
    assert_true(first.since_ns >= before_ns);
    assert_int_equal(second.wait, second_number);
    assert_int_equal(second.stack_top, places[1]);
    assert_true(second.since_ns == first.since_ns);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(lock_of_another__at_the_last_look__is_told_with_its_own_stack),
        WITH_RECORDING(lock_of_another__with_the_number_of_a_lock_s_owner__is_seen_twice_first),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
