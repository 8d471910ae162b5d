/* The selects of goroutines, here made by hand, in the recording: with their cases. */
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

static void select__is_recorded_with_its_cases(void **state)
{
    const struct go_case cases[] = {
        {.channel = {.address = 0xa0, .capacity = 1, .known = true}, .send = true},
        {.channel = {.address = 0xb0}},
        {.channel = {.address = 0xc0, .known = true, .closed = true}},
    };
    (void)state;
    struct go_goroutine it = here_parked(42, SELECT);
    it.object = 0;
    it.cases = cases;
    it.case_count = it.cases_given = 3;
    here_look_at(&it, 1);
    const struct rec_task *task = here_only_task();
    const struct rec_case *rows = &recorder.cases[task->case_first];
    assert_int_equal(task->case_count, 3);
    assert_int_equal(task->arg, 1 << 16 | 2);
    assert_int_equal(task->wait_flags, REC_WAIT_CASES);
    assert_int_equal(rows[0].object, 0xa0);
    assert_int_equal(rows[0].op, REC_OP_CHAN_SEND);
    assert_int_equal(rows[0].capacity, 1);
    assert_int_equal(rows[0].detail_flags, REC_DETAIL_CHANNEL);
    assert_int_equal(rows[1].op, REC_OP_CHAN_RECEIVE);
    assert_int_equal(rows[1].detail_flags, 0);
    assert_int_equal(rows[2].detail_flags, REC_DETAIL_CHANNEL | REC_DETAIL_CLOSED);
}

static void selects__of_one_goroutine__use_the_same_rows(void **state)
{
    static const struct go_case cases[GO_MAX_CASES] = {{.send = true}};
    (void)state;
    for (uint32_t i = 0; i < 100; i++) {
        struct go_goroutine it = here_parked(42, SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = i % 2 ? 2 : 9;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->case_count, it.case_count);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + 9);
}

static void cases_of_a_select__are_not_those_of_the_next_wait(void **state)
{
    static const struct go_case cases[] = {{.send = true}, {.send = false}};
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct go_goroutine it = here_parked(42, i % 2 ? SEND : SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = i % 2 ? 0 : 2;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->case_count, it.case_count);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + 2);
}

static void select__of_as_many_cases_as_are_told__keeps_its_rows(void **state)
{
    static const struct go_case cases[GO_MAX_CASES] = {{.send = true}};
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct go_goroutine it = here_parked(42, SELECT);
        it.wait_number += i;
        it.cases = cases;
        it.case_count = it.cases_given = GO_MAX_CASES;
        here_look_at(&it, 1);
        assert_int_equal(here_only_task()->case_count, GO_MAX_CASES);
    }
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, 1 + GO_MAX_CASES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, here_open_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(select__is_recorded_with_its_cases),
        TEST(selects__of_one_goroutine__use_the_same_rows),
        TEST(select__of_as_many_cases_as_are_told__keeps_its_rows),
        TEST(cases_of_a_select__are_not_those_of_the_next_wait),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
