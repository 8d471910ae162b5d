/* What is said of goroutines, as the scanner tells of them. */
#include "tests/unit/analyzer/goroutines_added.h"

#define LEAKED 10 /* status of a g */

static void goroutines_of_one_place__share_a_group(void **state)
{
    struct added *f = *state;
    for (uint64_t id = 10; id < 60; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.channel = (struct go_channel){.address = 0xc000000000 + id, .known = true};
        add(f, &it);
    }
    const struct group *group = judge(f, 0);
    assert_int_equal(group->count, 50);
    assert_int_equal(group->verdict, VERDICT_STUCK);
    assert_evidence(group, "different channels: all unbuffered, no receiver waiting on any");
}

static void wait_of_unknown_age__is_past_no_threshold_but_zero(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.channel.address = 0xc000076120;
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_WAITING);
    assert_int_equal(group->oldest_ns, SNAPSHOT_AGE_UNKNOWN);
    assert_int_equal(f->verdicts.totals.undecided, 1);
    assert_evidence(group, "no deadline; nobody knows since when it is parked");
}

static void ages_known_in_part__are_told_apart(void **state)
{
    struct added *f = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.channel.address = 0xc000076120;
        it.waiting_since = id == 1 ? 900 * SECOND : 0;
        add(f, &it);
    }
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_STUCK);
    assert_int_equal(group->unknown_age, 2);
    assert_int_equal(f->verdicts.totals.undecided, 2);
    assert_evidence(group,
                    "no deadline; 1 of 3 are parked for 10s or longer, of 2 that is not known");
}

static void known_age__is_a_lower_bound_and_no_growth(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.waiting_since = 999 * SECOND;
    add(f, &it);
    assert_int_equal(judge(f, 0)->grown, 0);
}

static void beginning_after_the_picture__is_no_age(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.waiting_since = 1001 * SECOND;
    add(f, &it);
    assert_int_equal(judge(f, 0)->oldest_ns, 0);
}

static void lower_bound_below_the_threshold__decides_nothing(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SEND);
    it.waiting_since = 995 * SECOND;
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_WAITING);
    assert_int_equal(f->verdicts.totals.undecided, 1);
    assert_evidence(group, "no deadline; whether parked for 10s or longer is not known");
}

static void nil_channel__is_leaked(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, NIL_SEND);
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_string_equal(group->op, "chan send (nil chan)");
}

/* Also one that the collector saw only just now, whose age nobody knows. */
static void goroutine_that_nothing_can_reach__is_leaked(void **state)
{
    struct added *f = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        struct go_goroutine it = parked(f, id, SEND);
        it.channel = (struct go_channel){.address = 0xc000076120, .known = true};
        it.status = LEAKED;
        add(f, &it);
    }
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_int_equal(group->count, 3);
    assert_evidence(group, "Go's collector found that nothing that runs can reach what they wait "
                           "on: nothing can wake them");
}

/* The better sentence is the one that says why. */
static void nil_channel__found_by_the_collector__is_told_as_that(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, NIL_SEND);
    it.status = LEAKED;
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_evidence(group, "the channel is nil: no other task can ever use it, nothing can wake "
                           "it");
}

/* Cases of nil channels are not told: nothing in the runtime points to them. */
static void select_over_nil_channels__is_leaked(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SELECT);
    add(f, &it);
    const struct group *group = judge(f, 10 * SECOND);
    assert_int_equal(group->verdict, VERDICT_LEAKED);
    assert_evidence(group, "the select has no case that could ever be ready: nothing can wake it");
}

static void select_whose_cases_were_not_read__is_not_leaked(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, SELECT);
    it.cases_given = 2;
    add(f, &it);
    assert_int_equal(judge(f, 0)->verdict, VERDICT_STUCK);
}

static void select_with_cases_untold__is_not_leaked(void **state)
{
    struct added *f = *state;
    const struct go_case cases[] = {{.send = true}, {.send = false}};
    struct go_goroutine it = parked(f, 7, SELECT);
    it.cases = cases;
    it.case_count = 2;
    it.cases_given = 3;
    add(f, &it);
    assert_int_equal(judge(f, 0)->verdict, VERDICT_STUCK);
}

static void select__is_told_with_every_case(void **state)
{
    struct added *f = *state;
    const struct go_case cases[] = {
        {.channel = {.address = 0x500, .capacity = 4, .length = 4, .known = true}, .send = true},
        {.channel = {.address = 0x600, .known = true, .closed = true}},
        {.channel = {.address = 0x700}},
    };
    struct go_goroutine it = parked(f, 7, SELECT);
    it.cases = cases;
    it.case_count = it.cases_given = 3;
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(snapshot_extra(&f->snapshot, task)->arg, 1 << 16 | 2);
    assert_int_equal(snapshot_extra(&f->snapshot, task)->case_count, 3);
    const struct snapshot_case *rows =
        &f->snapshot.cases[snapshot_extra(&f->snapshot, task)->case_first];
    assert_int_equal(rows[0].op, REC_OP_CHAN_SEND);
    assert_int_equal(rows[0].capacity, 4);
    assert_int_equal(rows[1].op, REC_OP_CHAN_RECEIVE);
    assert_int_equal(rows[1].detail_flags, REC_DETAIL_CHANNEL | REC_DETAIL_CLOSED);
    assert_int_equal(rows[2].detail_flags, 0);
    const struct group *group = judge(f, 0);
    assert_evidence(group, "3 cases, no task waiting on the other side of any");
    assert_evidence(group, "cases: chan send 0x500, chan receive 0x600, chan receive 0x700");
}

#define WRITER (-(1 << 30)) /* that an RWMutex's count of readers has while there is one */

/* Only what its words prove. */
static void lock__what_it_says_of_itself__is_evidence(void **state)
{
    static const struct {
        enum reason reason;
        int32_t state, leaving;
        const char *said;
    } rows[] = {
        {MUTEX, 9, 0, "mutex 0x500: who holds it is not known; 1 waiting for it"},
        {MUTEX, 13, 0,
         "mutex 0x500: in starvation mode; who holds it is not known; 1 waiting for it"},
        {MUTEX, 10, 0, "mutex 0x500: unlocked: the next one is about to take it; 1 waiting for it"},
        {MUTEX, 2, 0, "mutex 0x500: unlocked: the next one is about to take it; 1 waiting for it"},
        {MUTEX, 0, 0,
         "mutex 0x500: unlocked, and it counts no waiter: it was overwritten; 1 waiting for it"},
        {LOCK, WRITER + 2, 2,
         "rwlock 0x500: held for reading 2 times (by whom is not known); 1 waiting for it"},
        {LOCK, WRITER + 1, 1,
         "rwlock 0x500: held for reading once (by whom is not known); 1 waiting for it"},
        {RLOCK, WRITER + 3, 2,
         "rwlock 0x500: held for reading 2 times (by whom is not known), and a writer waits ahead; "
         "1 waiting for it"},
        {RLOCK, WRITER + 1, 0,
         "rwlock 0x500: held for writing (by whom is not known); 1 waiting for it"},
        /* A writer has just let it go; one is about to wait; the words of no RWMutex. */
        {RLOCK, 1, 0, "rwlock 0x500: who holds it is not known; 1 waiting for it"},
        {RLOCK, WRITER + 3, -1, "rwlock 0x500: who holds it is not known; 1 waiting for it"},
        {LOCK, 2, 2, "rwlock 0x500: who holds it is not known; 1 waiting for it"},
        {WAITGROUP, 3, 0, "waitgroup 0x500: 1 task waiting; counter 3: Done is missing 3 times"},
        {WAITGROUP, 1, 0, "waitgroup 0x500: 1 task waiting; counter 1: Done is missing once"},
        {WAITGROUP, 0, 0, "waitgroup 0x500: 1 task waiting; counter 0"},
        {WAITGROUP, -1, 0,
         "waitgroup 0x500: 1 task waiting; counter -1: Done was called too often"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct added *f = *state;
        struct go_goroutine it = parked(f, 7, rows[i].reason);
        it.object = 0x500;
        it.words = (struct go_lock_words){
            .known = true, .state = rows[i].state, .leaving = rows[i].leaving};
        add(f, &it);
        const struct group *group = judge(f, 0);
        assert_int_equal(group->verdict, VERDICT_STUCK);
        assert_string_equal(group->evidence[0], rows[i].said);
        added_tear_down(state);
        added_set_up(state);
    }
}

static void lock__whose_words_were_not_read__says_nothing(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, WAITGROUP);
    it.object = 0x500;
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(task->detail_flags & REC_DETAIL_LOCK_WORDS, 0);
    assert_string_equal(judge(f, 0)->evidence[0], "waitgroup 0x500: 1 task waiting");
}

static void waitgroups__of_several__tell_their_counters(void **state)
{
    static const struct {
        int32_t counters[3];
        bool known; /* that of the last one */
        const char *said;
    } rows[] = {
        {{1, 1, 1}, true, "on different objects (waitgroup), each with the counter 1"},
        {{2, 7, 1}, true, "on different objects (waitgroup), with counters of 1 to 7"},
        {{1, 1, 1}, false, "on different objects (waitgroup)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct added *f = *state;
        for (uint64_t id = 1; id <= 3; id++) {
            struct go_goroutine it = parked(f, id, WAITGROUP);
            it.object = 0x500 * id;
            it.words = (struct go_lock_words){.known = id < 3 || rows[i].known,
                                              .state = rows[i].counters[id - 1]};
            add(f, &it);
        }
        assert_string_equal(judge(f, 0)->evidence[0], rows[i].said);
        added_tear_down(state);
        added_set_up(state);
    }
}

static void locked_to_a_thread__is_said(void **state)
{
    struct added *f = *state;
    for (uint64_t id = 1; id <= 3; id++) {
        struct go_goroutine it = parked(f, id, MUTEX);
        it.locked = id != 2;
        add(f, &it);
    }
    assert_evidence(judge(f, 0), "2 of 3 are locked to their threads");
}

static void locked_to_its_thread__is_said(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, MUTEX);
    it.locked = true;
    add(f, &it);
    assert_evidence(judge(f, 0), "locked to its thread");
}

static void timer__is_a_deadline(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, RECEIVE);
    it.deadline = true;
    add(f, &it);
    const struct group *group = judge(f, 0);
    assert_int_equal(group->verdict, VERDICT_WAITING);
    assert_true(f->snapshot.tasks[group->members[0]].flags & SNAPSHOT_DEADLINE);
}

static void goroutine_of_the_runtime__waits_as_expected(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, GC_WORKER);
    add(f, &it);
    assert_int_equal(judge(f, 0)->verdict, VERDICT_WAITING);
}

static void coroutine__may_have_run_at_any_time(void **state)
{
    struct added *f = *state;
    struct go_goroutine it = parked(f, 7, COROUTINE);
    const struct snapshot_task *task = add(f, &it);
    assert_int_equal(task->wait_number, SNAPSHOT_WAITS_UNCOUNTED);
    assert_int_equal(judge(f, 10 * SECOND)->verdict, VERDICT_WAITING);
    assert_int_equal(f->verdicts.totals.undecided, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, added_set_up, added_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(goroutines_of_one_place__share_a_group),
        TEST(wait_of_unknown_age__is_past_no_threshold_but_zero),
        TEST(ages_known_in_part__are_told_apart),
        TEST(known_age__is_a_lower_bound_and_no_growth),
        TEST(beginning_after_the_picture__is_no_age),
        TEST(lower_bound_below_the_threshold__decides_nothing),
        TEST(nil_channel__is_leaked),
        TEST(goroutine_that_nothing_can_reach__is_leaked),
        TEST(nil_channel__found_by_the_collector__is_told_as_that),
        TEST(select_over_nil_channels__is_leaked),
        TEST(select_whose_cases_were_not_read__is_not_leaked),
        TEST(select_with_cases_untold__is_not_leaked),
        TEST(select__is_told_with_every_case),
        TEST(lock__what_it_says_of_itself__is_evidence),
        TEST(lock__whose_words_were_not_read__says_nothing),
        TEST(waitgroups__of_several__tell_their_counters),
        TEST(locked_to_a_thread__is_said),
        TEST(locked_to_its_thread__is_said),
        TEST(timer__is_a_deadline),
        TEST(goroutine_of_the_runtime__waits_as_expected),
        TEST(coroutine__may_have_run_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
