/* The waits of goroutines, here made by hand, in the recording: which are the same as at the look
 * before, since when they last, and which have a deadline. */
#include <sys/mman.h>
#include <unistd.h>

#include "preload/goscan/g.h"
#include "preload/goscan/scan.h"
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

static void wait__that_lasts__keeps_its_number_and_its_age(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    struct rec_task *task = here_only_task();
    uint32_t gen = task->gen;
    uint64_t since_ns = task->since_ns;
    it.waiting_since = (int64_t)here_now_ns + 1; /* the collector has seen it, later than we */
    it.channel.length = 4;
    it.channel.closed = true;
    here_look_at(&it, 1);
    assert_int_equal(task->gen, gen);
    assert_int_equal(task->seen_gen, gen);
    assert_int_equal(task->since_ns, since_ns);
    assert_int_equal(task->detail_b, 4);
    assert_int_equal(task->detail_flags, REC_DETAIL_CHANNEL | REC_DETAIL_CLOSED);
    assert_int_equal(recorder.header->spawned, 1);
}

/* What differs between two looks at a goroutine that has run in between. */
static void wait_for_another_object(struct go_goroutine *it)
{
    it->object = it->channel.address = 0xc000800000;
}
static void wait_elsewhere(struct go_goroutine *it)
{
    static struct go_stack other;
    other = here_stack;
    other.pcs[1]++;
    it->stack = &other;
}
static void wait_for_something_else(struct go_goroutine *it)
{
    it->reason = SLEEP;
    it->op = REC_OP_SLEEP;
}
static void wait_since_later(struct go_goroutine *it)
{
    it->waiting_since += 10;
}

static void wait__of_one_that_ran_meanwhile__is_a_new_one(void **state)
{
    static void (*const changes[])(struct go_goroutine *) = {
        here_run_again,          wait_for_another_object, wait_elsewhere,
        wait_for_something_else, wait_since_later,
    };
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        struct go_goroutine it = here_parked(42, SEND);
        it.waiting_since = 5;
        it.wait_number += (uint32_t)i << 16;
        here_look_at(&it, 1);
        struct rec_task *task = here_only_task();
        uint32_t gen = task->gen;
        changes[i](&it);
        here_look_at(&it, 1);
        assert_ptr_equal(here_only_task(), task);
        assert_int_not_equal(task->gen, gen);
        assert_int_equal(task->seen_gen, task->gen);
    }
    assert_int_equal(recorder.header->spawned, 1);
}

/* One of 256 that ran has the number that it had. */
static void wait__with_the_number_of_another__is_told_by_its_channels(void **state)
{
    struct go_case cases[] = {{.channel = {.address = 0xa0}}, {.channel = {.address = 0xb0}}};
    (void)state;
    for (int reason = SEND; reason <= SELECT; reason++) {
        struct go_goroutine it = here_parked(42 + (uint64_t)reason, (uint16_t)reason);
        it.cases = cases;
        it.case_count = it.cases_given = reason == SELECT ? 2 : 0;
        if (reason == SELECT)
            it.object = 0;
        here_look_at(&it, 1);
        uint32_t seq = here_only_task()->seq;
        it.stack = NULL; /* nobody wanted it again */
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->seq, seq);
        it.channel.address = 0xc000800000;
        cases[1].channel.address++;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->seq, seq + 1);
        it.stack = &here_stack;
        assert_true(here_scan.wants_stack(&it, NULL));
    }
}

/* Between two looks it may have run, and nothing would tell. */
static void wait__of_a_coroutine__has_no_age(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, COROUTINE);
    it.wait_number = 0;
    here_look_at(&it, 1);
    uint32_t gen = here_only_task()->gen;
    assert_int_not_equal(gen, 0);
    assert_int_equal(here_only_task()->since_ns, 0);
    assert_true(here_scan.wants_stack(&it, NULL));
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen + 1);
    assert_int_equal(here_only_task()->since_ns, 0);
}

static void stack__is_wanted_only_of_waits_that_are_new(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, MUTEX);
    assert_true(here_scan.wants_stack(&it, NULL));
    here_look_at(&it, 1);
    assert_false(here_scan.wants_stack(&it, NULL));
    uint32_t gen = here_only_task()->gen;
    it.stack = NULL; /* and what it tells: which lock that is */
    it.object = 0;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, gen);
    assert_int_equal(here_only_task()->object, 0xc000700000);
    here_run_again(&it);
    assert_true(here_scan.wants_stack(&it, NULL));
    it.id = 43;
    assert_true(here_scan.wants_stack(&it, NULL));
}

static void collectors_clock__earlier_than_our_look__is_the_beginning(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.waiting_since = (int64_t)here_now_ns - 5;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->since_ns, it.waiting_since);
}

static void stack__that_cannot_be_read__is_counted_once(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.stack = NULL;
    here_look_at(&it, 1);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_site, 0);
    assert_true(here_only_task()->detail_flags & REC_DETAIL_NO_STACK);
    assert_int_equal(recorder.header->lost_stacks, 1);
}

static void deadline_and_thread__of_a_wait__are_recorded(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SLEEP);
    it.deadline = true;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_DEADLINE);
    it = here_parked(42, SEND);
    it.locked = true;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_LOCKED);
}

/* What is not found once may have been missed. */
static void deadline__set_or_stopped_meanwhile__is_recorded(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    uint32_t gen = here_only_task()->gen;
    assert_int_equal(here_only_task()->wait_flags, 0);
    it.stack = NULL;
    const struct {
        bool found, told;
    } looks[] = {{true, true},   {false, true},  {true, true}, {false, true},
                 {false, false}, {false, false}, {true, true}, {false, true}};
    for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
        it.deadline = looks[i].found;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->wait_flags, looks[i].told ? REC_WAIT_DEADLINE : 0);
    }
    assert_int_equal(here_only_task()->gen, gen);
}

/* Without the stack nobody looks at what a descriptor's deadline is. */
static void deadline__that_was_not_looked_for__stays(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, IO);
    it.object_known = true;
    it.deadline = true;
    here_look_at(&it, 1);
    it.object_known = it.deadline = false;
    it.stack = NULL;
    for (int i = 0; i < 3; i++)
        here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_DEADLINE);
}

/* Not all timers could be read. */
static void deadline__that_may_have_been_missed__stays(void **state)
{
    (void)state;
    static struct scan_state scanned;
    bool unknown = true;
    scanned.scan_timers.unknown = &unknown;
    here_scan.scratch = &scanned;
    struct go_goroutine it = here_parked(42, SEND);
    it.deadline = true;
    here_look_at(&it, 1);
    it.deadline = false;
    it.stack = NULL;
    for (int i = 0; i < 3; i++)
        here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, REC_WAIT_DEADLINE);
    unknown = false;
    for (int i = 0; i < 2; i++)
        here_look_at(&it, 1);
    assert_int_equal(here_only_task()->wait_flags, 0);
    here_scan.scratch = NULL;
}

/* The collector says so by the status, which its next run takes back. */
static void finding_of_the_collector__is_recorded_while_it_stands(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, MUTEX);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->detail_flags, 0);
    uint32_t gen = here_only_task()->gen;
    it.stack = NULL;
    for (int i = 0; i < 2; i++) {
        it.status = G_LEAKED;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->detail_flags, REC_DETAIL_LEAKED);
        it.status = G_WAITING;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->detail_flags, 0);
    }
    assert_int_equal(here_only_task()->gen, gen);
}

static uint32_t sites_at_touch, descriptor_at_touch;

static void look_beside_task(void)
{
    sites_at_touch = recorder_rows(REC_TABLE_SITES);
    descriptor_at_touch = recorder.descriptors[here_only_task() - recorder.tasks].wait;
}

/* Who reads meanwhile would be told that it runs: all that takes long was written before. */
static void wait__of_one_that_waited_before__takes_its_place_at_once(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct go_goroutine it = here_parked(42, IO);
    it.object = (uint64_t)ends[0];
    it.object_known = true;
    here_look_at(&it, 1);
    uint32_t seq = here_only_task()->seq, sites = recorder_rows(REC_TABLE_SITES);
    here_run_again(&it);
    here_stack.pcs[0]++;
    here_watch_page(recorder.tasks, PROT_READ, look_beside_task);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, seq + 1);
    assert_int_equal(sites_at_touch, sites + 1);
    assert_int_equal(descriptor_at_touch, seq + 1);
    here_assert_site(here_only_task()->wait_site, here_stack.pcs, 3);
    close(ends[0]);
    close(ends[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, here_open_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wait__that_lasts__keeps_its_number_and_its_age),
        TEST(wait__of_one_that_ran_meanwhile__is_a_new_one),
        TEST(wait__with_the_number_of_another__is_told_by_its_channels),
        TEST(wait__of_a_coroutine__has_no_age),
        TEST(stack__is_wanted_only_of_waits_that_are_new),
        TEST(collectors_clock__earlier_than_our_look__is_the_beginning),
        TEST(stack__that_cannot_be_read__is_counted_once),
        TEST(deadline_and_thread__of_a_wait__are_recorded),
        TEST(deadline__set_or_stopped_meanwhile__is_recorded),
        TEST(finding_of_the_collector__is_recorded_while_it_stands),
        TEST(deadline__that_was_not_looked_for__stays),
        TEST(deadline__that_may_have_been_missed__stays),
        TEST(wait__of_one_that_waited_before__takes_its_place_at_once),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
