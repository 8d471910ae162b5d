/* From goroutines, here made by hand, to rows of the recording: which tasks there are, and what is
 * said of them beside their waits. */
#include "preload/go_record.h"
#include "tests/unit/preload/goroutines_here.h"
#include "tests/unit/preload/recording_here.h"

static uint32_t live_tasks(void)
{
    uint32_t live = 0;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++)
        live += recorder.tasks[row].state == REC_TASK_LIVE;
    return live;
}

static void recording__of_go__says_so(void **state)
{
    (void)state;
    assert_true(recorder.header->runtimes & REC_RUNTIME_GO);
    assert_string_equal(recorder.strings + recorder.header->go_version, "go1.24.3");
}

static void parked_goroutine__seen__is_a_task_with_its_wait(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    const struct rec_task *task = here_only_task();
    assert_int_equal(task->kind, REC_KIND_GOROUTINE);
    assert_int_equal(task->flags, REC_TASK_SCANNED);
    assert_int_equal(task->handle, it.g);
    assert_int_equal(task->runtime_id, 42);
    assert_int_equal(task->spawner, 1);
    assert_int_not_equal(task->gen, 0);
    assert_int_equal(task->gen, task->seq);
    assert_int_equal(task->seen_gen, task->gen);
    assert_int_equal(task->since_ns, here_now_ns);
    assert_int_equal(task->object, 0xc000700000);
    assert_int_equal(task->wait_flags, 0);
    assert_int_equal(task->detail_flags, REC_DETAIL_CHANNEL);
    assert_int_equal(task->detail_a, 7);
    assert_int_equal(task->detail_b, 3);
    const struct rec_call *call = &recorder.calls[task->call];
    assert_string_equal(recorder.strings + call->name, "chan send");
    assert_int_equal(call->op, REC_OP_CHAN_SEND);
    assert_int_equal(call->flags, REC_CALL_REASON);
    here_assert_site(task->wait_site, here_stack.pcs, 3);
    here_assert_site(task->spawn_site, &it.created_pc, 1);
    assert_int_equal(recorder.sites[task->spawn_site].flags, REC_SITE_CUT);
}

static void creators_stack__kept_by_the_runtime__is_the_spawn_stack(void **state)
{
    const uint64_t kept[] = {0x4004, 0x5005, 0x6006, 0x7007};
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.ancestor_pcs = kept;
    it.ancestor_count = 4;
    here_look_at(&it, 1);
    here_assert_site(here_only_task()->spawn_site, kept + 1, 3);
    assert_int_equal(recorder.sites[here_only_task()->spawn_site].flags, 0);
}

static void goroutine__that_runs__has_no_wait(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    it.parked = false;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, 0);
    it.parked = it.moved = true; /* it never stood still: what was read of it means nothing */
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, 0);
}

static void goroutine__not_found_any_more__has_ended(void **state)
{
    (void)state;
    struct go_goroutine all[] = {here_parked(1, SEND), here_parked(2, SEND), here_parked(3, SEND)};
    here_look_at(all, 3);
    assert_int_equal(live_tasks(), 3);
    here_look_at(all, 2);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->spawned, 3);
    assert_int_equal(recorder.header->finished, 1);
    all[2] = here_parked(4, SEND);
    here_look_at(all, 3); /* takes the slot of the one that ended */
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].count, 4);
    assert_int_equal(recorder.tasks[3].runtime_id, 4);
}

static void look__that_was_not_whole__ends_nobody(void **state)
{
    (void)state;
    struct go_goroutine all[] = {here_parked(1, SEND), here_parked(2, SEND)};
    here_look_at(all, 2);
    here_totals.unreadable = 1;
    here_look_at(all, 1);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->unreadable_tasks, 1);
    here_totals.unreadable = 0;
    go_record_begin(here_now_ns);
    go_record_end(&here_scan, GO_UNREADABLE, &here_totals);
    assert_int_equal(live_tasks(), 2);
    assert_int_equal(recorder.header->unreadable_tasks, 0);
}

/* While a runtime starts, something else may be taken for its list. */
static void list__without_one_goroutine__is_to_be_looked_for_again(void **state)
{
    (void)state;
    go_record_begin(here_now_ns += 1000000);
    here_totals.unreadable = 6;
    assert_int_equal(go_record_end(&here_scan, GO_OK, &here_totals), GO_NOT_FOUND);
    here_totals.seen = 1;
    assert_int_equal(go_record_end(&here_scan, GO_OK, &here_totals), GO_OK);
    assert_int_equal(recorder.header->unreadable_tasks, 6);
    here_totals.seen = here_totals.unreadable = 0;
    assert_int_equal(go_record_end(&here_scan, GO_UNREADABLE, &here_totals), GO_UNREADABLE);
}

static void g__given_to_another_goroutine__is_another_task(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    uint64_t id = here_only_task()->id;
    it.id = 77; /* in the same g, waiting at the same place */
    here_look_at(&it, 1);
    assert_int_not_equal(here_only_task()->id, id);
    assert_int_equal(here_only_task()->runtime_id, 77);
    assert_int_equal(recorder.header->spawned, 2);
    assert_int_equal(recorder.header->finished, 1);
}

static void table__that_is_full__loses_each_goroutine_once(void **state)
{
    static struct go_goroutine all[HERE_TASKS + 10];
    (void)state;
    for (uint64_t i = 0; i < HERE_TASKS + 10; i++)
        all[i] = here_parked(i + 1, SEND);
    for (int i = 0; i < 3; i++)
        here_look_at(all, HERE_TASKS + 10);
    assert_int_equal(live_tasks(), HERE_TASKS);
    assert_int_equal(recorder.header->lost_tasks, 10);
    assert_int_equal(recorder.header->spawned, HERE_TASKS + 10);
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].lost, 10);
    here_look_at(all + 4, HERE_TASKS + 6); /* four are gone; what was lost is tried again */
    here_look_at(all + 4, HERE_TASKS + 6);
    assert_int_equal(live_tasks(), HERE_TASKS);
    assert_int_equal(recorder.header->lost_tasks, 6);
}

static void operations__that_are_not_asked_for__are_not_recorded(void **state)
{
    (void)state;
    recorder.classes = REC_CLASS_LOCK;
    struct go_goroutine it = here_parked(42, SEND);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->gen, 0);
    it = here_parked(42, MUTEX);
    here_look_at(&it, 1);
    assert_int_not_equal(here_only_task()->gen, 0);
}

static void runtimes_own_goroutine__is_marked_while_it_is_that(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, IDLE);
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->flags, REC_TASK_SCANNED | REC_TASK_SYSTEM);
    it = here_parked(42, SEND); /* a finalizer of the program's */
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->flags, REC_TASK_SCANNED);
    it.system = true;
    here_look_at(&it, 1);
    assert_int_equal(here_only_task()->flags, REC_TASK_SCANNED | REC_TASK_SYSTEM);
}

static void reason__that_the_table_lacks__is_said_to_be_unknown(void **state)
{
    (void)state;
    struct go_goroutine it = here_parked(42, SEND);
    it.reason = GO_MAX_REASONS + 5;
    it.op = REC_OP_NONE;
    here_look_at(&it, 1);
    const struct rec_call *call = &recorder.calls[here_only_task()->call];
    assert_string_equal(recorder.strings + call->name, "unknown wait reason");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, here_open_go, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(recording__of_go__says_so),
        TEST(parked_goroutine__seen__is_a_task_with_its_wait),
        TEST(creators_stack__kept_by_the_runtime__is_the_spawn_stack),
        TEST(goroutine__that_runs__has_no_wait),
        TEST(goroutine__not_found_any_more__has_ended),
        TEST(look__that_was_not_whole__ends_nobody),
        TEST(list__without_one_goroutine__is_to_be_looked_for_again),
        TEST(g__given_to_another_goroutine__is_another_task),
        TEST(table__that_is_full__loses_each_goroutine_once),
        TEST(operations__that_are_not_asked_for__are_not_recorded),
        TEST(runtimes_own_goroutine__is_marked_while_it_is_that),
        TEST(reason__that_the_table_lacks__is_said_to_be_unknown),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
