/* What the sampler tells of the waits of tasks, in their turns where they are many. */
#include "preload/clock.h"
#include "preload/waits.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/sampler_here.h"

static void describe_two_cases(const struct rec_task *task, enum rec_op op,
                               struct wait_detail *detail)
{
    (void)task;
    if (op != REC_OP_SELECT)
        return;
    detail->case_count = 2;
    detail->cases[0].object = 0xa0;
    detail->cases[1].object = 0xb0;
}

/* The task waits while the sampler looks so many times. Returns how many cases it was told with. */
__attribute__((noinline)) static uint16_t wait_for_looks(struct rec_task *task, uint32_t call,
                                                         int looks)
{
    struct wait wait;
    wait_begin(&wait, task, (uint16_t)call, 0, 0x500, 0);
    for (int i = 0; i < looks; i++)
        here_sampler_walk();
    wait_end(&wait);
    return task->case_count;
}

static void cases_of_a_select__are_not_those_of_the_next_wait(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_two_cases;
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    uint32_t select = recorder_add_call("select", REC_OP_SELECT, 0);
    uint32_t send = recorder_add_call("send", REC_OP_CHAN_SEND, 0);
    here_sampler_start(false);
    uint16_t of_select = wait_for_looks(task, select, 2);
    uint16_t of_send = wait_for_looks(task, send, 2);
    uint16_t of_one_look = wait_for_looks(task, select, 1);
    uint16_t of_another = wait_for_looks(task, select, 2);
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_int_equal(of_select, 2);
    assert_int_equal(of_send, 0);
    assert_int_equal(of_one_look, 0);
    assert_int_equal(of_another, 2);
    assert_int_equal(recorder.cases[task->case_first + 1].object, 0xb0);
    assert_int_equal(recorder_rows(REC_TABLE_CASES), 1 + 2); /* used again */
    recorder_release(task);
}

enum { MANY_TASKS = 25000 }; /* more than two walks look at again */

static int open_for_many(void **state)
{
    (void)state;
    here_options(here_path("recording"));
    recorder_options.max_tasks = MANY_TASKS + 10;
    return !recorder_open(false);
}

static uint32_t holder; /* row of who has the lock that `waiter` asked for */
static bool breaks_off; /* the next look at somebody else, soon after that */

static void describe_lock(const struct rec_task *task, enum rec_op op, struct wait_detail *detail)
{
    (void)task;
    if (breaks_off)
        here_sampler_break_off();
    breaks_off = false;
    if (op == REC_OP_MUTEX_LOCK) {
        detail->flags = REC_DETAIL_OWNER_ROW;
        detail->a = holder;
    } else {
        detail->flags = REC_DETAIL_CHANNEL;
        detail->b = here_sampler_walks(); /* what its channel holds */
    }
}

static void park(struct rec_task *task, uint32_t call)
{
    task->call = (uint16_t)call;
    task->object = 0x500;
    task->seq++;
    __atomic_store_n(&task->gen, task->seq, __ATOMIC_RELEASE);
}

/* A task that waits, as its first look has told. */
static struct rec_task *spawn_parked(uint32_t call)
{
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    park(task, call);
    task->since_ns = clock_now_ns();
    task->detail_flags = REC_DETAIL_NO_STACK; /* it has no stack of its own */
    task->seen_gen = task->gen;
    return task;
}

static bool said_yes(const struct rec_task *task)
{
    (void)task;
    return true;
}

static bool said_no(const struct rec_task *task)
{
    (void)task;
    return false;
}

/* Its wait is over, but no thread of the runtime's has taken it yet. */
static void task__that_was_woken_and_does_not_run__is_not_parked(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    struct rec_task *task = spawn_parked(recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0));
    here_sampler_start(false);
    here_sampler_walk();
    bool seen_parked = rec_task_is_seen(task);
    here_tasks.is_parked = said_no; /* as where its runtime has stopped */
    here_sampler_walk();
    bool seen_gone = rec_task_is_seen(task);
    here_tasks.is_awake = said_yes;
    here_sampler_walk();
    bool seen_awake = rec_task_is_seen(task);
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_true(seen_parked);
    assert_true(seen_gone);
    assert_false(seen_awake);
}

/* Walks until one looks at it again, since it is its turn. */
static void walk_until_turn_of(const struct rec_task *task)
{
    for (int i = 0; i < 10 && (i == 0 || task->detail_b != here_sampler_walks()); i++)
        here_sampler_walk();
}

/* A walk that somebody who waits for the sampler's end breaks off at some row, and the sampler that
 * comes after it. */
static void break_off_a_walk(void)
{
    breaks_off = true;
    here_sampler_walk();
    here_sampler_stop(false);
    here_sampler_start(false);
}

static void waits__of_more_tasks_than_a_walk_looks_at_again__have_their_turns(void **state)
{
    struct rec_task *tasks[MANY_TASKS];
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock;
    uint32_t receive = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    for (int i = 0; i < MANY_TASKS; i++)
        tasks[i] = spawn_parked(receive);
    here_sampler_start(false);
    for (int i = 0; i < 3; i++)
        here_sampler_walk();
    uint32_t first = tasks[0]->detail_b, last = tasks[MANY_TASKS - 1]->detail_b;
    here_sampler_walk();
    uint32_t first_again = tasks[0]->detail_b;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_int_equal(first, 1);
    assert_int_equal(last, 3);
    assert_int_equal(first_again, 4);
}

/* It let the lock go before it began to wait. */
static void lock__whose_holder_begins_to_wait__is_asked_again_whose_it_is(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock;
    uint32_t receive = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    uint32_t lock = recorder_add_call("lock", REC_OP_MUTEX_LOCK, 0);
    for (int i = 1; i < MANY_TASKS; i++)
        spawn_parked(receive);
    struct rec_task *last = spawn_parked(receive);
    struct rec_task *waiter = spawn_parked(lock);
    struct rec_task *before = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    holder = (uint32_t)(before - recorder.tasks);
    here_sampler_start(false);
    walk_until_turn_of(last); /* and of the waiter */
    uint32_t told_before = waiter->detail_a;
    holder = (uint32_t)(waiter - recorder.tasks) - 1;
    here_sampler_walk(); /* it is not the turn of any of the two, nor in the next */
    uint32_t told_meanwhile = waiter->detail_a;
    park(before, receive);
    here_sampler_walk();
    uint32_t told = waiter->detail_a;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_int_equal(told_before, before - recorder.tasks);
    assert_int_equal(told_meanwhile, told_before);
    assert_int_equal(told, holder);
}

static void waits__of_a_walk_that_was_broken_off__have_their_turns(void **state)
{
    struct rec_task *tasks[MANY_TASKS];
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock;
    uint32_t receive = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    for (int i = 0; i < MANY_TASKS; i++)
        tasks[i] = spawn_parked(receive);
    here_sampler_start(false);
    walk_until_turn_of(tasks[0]); /* the next walk comes to less than the second half */
    break_off_a_walk();
    tasks[MANY_TASKS - 1]->detail_b = 0;
    here_sampler_walk();
    here_sampler_walk();
    uint32_t last = tasks[MANY_TASKS - 1]->detail_b;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_false(breaks_off);
    assert_int_equal(last, 2);
}

static struct rec_task *lets_go; /* of its lock, where a task with a select is looked at, */
static uint32_t goes_to;         /* which goes to the task in this row, */
static uint32_t waits_by;        /* and waits by such a call */

static void describe_lock_that_is_let_go(const struct rec_task *task, enum rec_op op,
                                         struct wait_detail *detail)
{
    describe_lock(task, op, detail);
    if (op != REC_OP_SELECT || lets_go->gen != 0)
        return;
    holder = goes_to;
    park(lets_go, waits_by);
}

/* A walk has asked whose the lock is, but has not come to the holder yet. */
static void lock__let_go_in_the_walk_before_one_that_was_broken_off__is_asked_again(void **state)
{
    struct rec_task *tasks[MANY_TASKS];
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_tasks.describe = describe_lock_that_is_let_go;
    waits_by = recorder_add_call("receive", REC_OP_CHAN_RECEIVE, 0);
    for (int i = 0; i < MANY_TASKS; i++)
        tasks[i] = spawn_parked(waits_by);
    struct rec_task *waiter = spawn_parked(recorder_add_call("lock", REC_OP_MUTEX_LOCK, 0));
    struct rec_task *selects = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    goes_to = (uint32_t)(selects - recorder.tasks);
    lets_go = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "");
    holder = (uint32_t)(lets_go - recorder.tasks);
    here_sampler_start(false);
    walk_until_turn_of(tasks[MANY_TASKS / 2]);
    park(selects, recorder_add_call("select", REC_OP_SELECT, 0));
    here_sampler_walk(); /* it is the turn of the waiter; the task with the select is only noted */
    uint32_t told_before = waiter->detail_a;
    here_sampler_walk();
    uint32_t told_meanwhile = waiter->detail_a;
    break_off_a_walk();
    here_sampler_walk(); /* it is not the turn of the waiter */
    uint32_t told = waiter->detail_a;
    here_sampler_stop(false);
    here_tasks = (struct adapter){0};
    assert_false(breaks_off);
    assert_int_not_equal(lets_go->gen, 0);
    assert_int_equal(told_before, lets_go - recorder.tasks);
    assert_int_equal(told_meanwhile, told_before);
    assert_int_equal(told, goes_to);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)
#define WITH_MANY(test) cmocka_unit_test_setup_teardown(test, open_for_many, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(cases_of_a_select__are_not_those_of_the_next_wait),
        WITH_RECORDING(task__that_was_woken_and_does_not_run__is_not_parked),
        WITH_MANY(waits__of_more_tasks_than_a_walk_looks_at_again__have_their_turns),
        WITH_MANY(waits__of_a_walk_that_was_broken_off__have_their_turns),
        WITH_MANY(lock__whose_holder_begins_to_wait__is_asked_again_whose_it_is),
        WITH_MANY(lock__let_go_in_the_walk_before_one_that_was_broken_off__is_asked_again),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
