/* Slots, with somebody else coming in between at every instruction: the processor stops after each,
 * and a signal handler does what a handler of the program's, or another thread, would do there. */
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "preload/waits.h"
#include "tests/unit/preload/recording_here.h"

/* What a sanitizer adds makes minutes of it. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
#define CAN_STEP 1
#define TRAP_FLAG 0x100

static struct {
    uint32_t instructions; /* so far */
    volatile uint32_t stop;
    void (*at_each)(uint32_t instruction);
} stepping;

static void on_step(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    if (stepping.stop)
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    else
        stepping.at_each(++stepping.instructions);
}

static inline void step_on(void (*at_each)(uint32_t instruction))
{
    stepping.instructions = 0;
    stepping.at_each = at_each;
    stepping.stop = 0;
    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(TRAP_FLAG) : "memory", "cc");
}

static inline void step_off(void)
{
    stepping.stop = 1;
    __asm__ volatile("nop; nop" : : : "memory"); /* the next trap ends it */
}

static int start_stepping(void **state)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
    return here_open(state) || sigaction(SIGTRAP, &action, NULL);
}

/* --- adoption ------------------------------------------------------------------------------------
 */

static uint32_t wait_at;
static struct rec_task *slot_of_handler;

static void adopt_at(uint32_t instruction)
{
    if (instruction == wait_at)
        slot_of_handler = recorder_self();
}

static uint32_t live_slots(void)
{
    uint32_t live = 0;
    for (uint32_t row = 1; row < recorder.header->tables[REC_TABLE_TASKS - 1].count; row++)
        live += recorder.tasks[row].state != REC_TASK_FREE;
    return live;
}

static void thread__whose_handler_waits_while_it_is_adopted__has_one_slot(void **state)
{
    uint32_t instructions = 1;
    (void)state;
    recorder_self(); /* with all that is done once */
    recorder_release(recorder_thread.task);
    recorder_thread.task = NULL;
    for (wait_at = 1; wait_at <= instructions; wait_at++) {
        uint64_t spawned = recorder.header->spawned;
        slot_of_handler = NULL;
        step_on(adopt_at);
        struct rec_task *task = recorder_adopt();
        step_off();
        instructions = stepping.instructions;
        assert_ptr_equal(task, slot_of_handler != NULL ? slot_of_handler : task);
        assert_ptr_equal(task, recorder_thread.task);
        assert_int_equal(task->os_tid, getpid());
        assert_int_equal(task->state, REC_TASK_LIVE);
        assert_int_equal(live_slots(), 1);
        assert_int_equal(recorder.header->spawned, spawned + 1);
        recorder_release(task);
        assert_int_equal(recorder.header->finished, recorder.header->spawned);
        recorder_thread.task = NULL;
    }
    assert_in_range(instructions, 50, 5000);
}

/* The handler gets the last slot there is, or none. */
static void thread__adopted_by_its_handler_where_slots_run_out__is_lost_once(void **state)
{
    uint32_t instructions = 1;
    (void)state;
    for (int room = 0; room < 2; room++) {
        while (recorder_has_room())
            recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL);
        if (room == 1)
            recorder_release(&recorder.tasks[HERE_TASKS]);
        recorder_thread_ends(); /* not spare */
        for (wait_at = 1; wait_at <= instructions; wait_at++) {
            uint64_t spawned = recorder.header->spawned, lost = recorder.header->lost_tasks;
            step_on(adopt_at);
            struct rec_task *task = recorder_adopt();
            step_off();
            instructions = stepping.instructions;
            assert_int_equal(recorder.header->spawned, spawned + 1);
            assert_int_equal(recorder.header->lost_tasks, lost + (room == 0));
            assert_ptr_equal(task, room == 0 ? &recorder_thread.sink : &recorder.tasks[HERE_TASKS]);
            recorder_release(task);
            recorder_thread.task = NULL;
        }
    }
}

/* --- holding -------------------------------------------------------------------------------------
 */

static struct rec_task *held;
static uint64_t old_id, new_id;
static uint32_t reuse_at, live_at;

/* At one instruction the slot is released and popped by a spawn that has not come to the id; at a
 * later one that spawn has come to its end. */
static void reuse_slot_at(uint32_t instruction)
{
    if (instruction == reuse_at) {
        recorder_release(held);
        struct rec_task *next = recorder_prepare(REC_KIND_THREAD, 0, 0, 0, NULL);
        new_id = next == held ? next->id : 0;
        if (next != held)
            recorder_release(next);
        else
            next->id = old_id;
    }
    if (instruction == live_at && new_id != 0) {
        held->id = new_id;
        held->state = REC_TASK_LIVE;
    }
}

static void hold__of_a_slot_that_is_used_again__never_holds_the_next_task(void **state)
{
    uint32_t instructions = 1, reused = 0;
    (void)state;
    for (reuse_at = 1; reuse_at <= instructions; reuse_at++) {
        for (live_at = reuse_at; live_at <= instructions; live_at++) {
            held = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, NULL);
            old_id = held->id;
            new_id = 0;
            step_on(reuse_slot_at);
            bool holds = recorder_hold(held, old_id);
            step_off();
            instructions = stepping.instructions;
            if (holds)
                assert_int_equal(held->id, old_id);
            reused += new_id != 0;
            if (new_id != 0 && held->state == REC_TASK_FREE)
                held->state = REC_TASK_LIVE; /* after the last instruction */
            if (holds)
                recorder_let_go(held);
            recorder_release(held);
            recorder_release(held);
            assert_int_equal(live_slots(), 0);
        }
    }
    assert_in_range(reused, 20, 100000);
}

/* --- counters ------------------------------------------------------------------------------------
 */

static uint32_t wrong;

static void count_at(uint32_t instruction)
{
    (void)instruction;
    wrong += recorder.header->finished > recorder.header->spawned;
}

static void tasks__that_come_go_and_come_to_nothing__never_more_finished_than_spawned(void **state)
{
    static const char name[16] = "again";
    (void)state;
    wrong = 0;
    for (int round = 0; round < 3; round++) {
        step_on(count_at);
        struct rec_task *nothing =
            recorder_spawn(REC_KIND_THREAD, REC_TASK_HOLD | REC_TASK_JOINABLE, 0, 0, NULL);
        recorder_take_back(nothing);
        recorder_let_go(nothing);
        recorder_take_back(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL));
        recorder_release(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL));
        struct rec_task *thread = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, NULL);
        recorder_end(thread);
        recorder_release(thread);
        struct rec_task *kept = recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL);
        recorder_keep(kept);
        recorder_spawn_again(kept, 0, 0, name);
        recorder_release(kept);
        step_off();
        assert_int_equal(wrong, 0);
        assert_in_range(stepping.instructions, 300, 100000);
        assert_int_equal(recorder.header->finished, recorder.header->spawned);
        assert_int_equal(recorder.header->spawned, 4 * (round + 1));
    }
}
#endif

/* --- what a slot's last task leaves behind -------------------------------------------------------
 */

static void slot__of_a_task_that_waited_for_a_lock__says_nothing_of_it_to_the_next(void **state)
{
    (void)state;
    static const enum rec_kind kinds[] = {REC_KIND_THREAD, REC_KIND_TASK, REC_KIND_GOROUTINE};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct rec_task *task = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, NULL);
        wait_publish_passing(task, wait_passing(1, 0x1234, 0x1000, 0x2000));
        task->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
        task->detail_b = rec_passing_key(task);
        task->seen_gen = 1; /* as the sampler, when another thread was quicker */
        assert_int_equal(rec_task_wait(task), 1);
        recorder_release(task);
        assert_ptr_equal(recorder_spawn(kinds[i], 0, 0, 0, NULL), task);
        assert_int_equal(rec_task_wait(task), 0);
        wait_publish_passing(task, wait_passing(1, 0x1234, 0x1000, 0x2000));
        assert_int_equal(rec_task_wait(task), 0);
        recorder_release(task);
        recorder_thread_ends();
    }
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)
#define STEPPING(test) cmocka_unit_test_setup_teardown(test, start_stepping, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef CAN_STEP
        STEPPING(thread__whose_handler_waits_while_it_is_adopted__has_one_slot),
        STEPPING(thread__adopted_by_its_handler_where_slots_run_out__is_lost_once),
        STEPPING(hold__of_a_slot_that_is_used_again__never_holds_the_next_task),
        STEPPING(tasks__that_come_go_and_come_to_nothing__never_more_finished_than_spawned),
#endif
        WITH_RECORDING(slot__of_a_task_that_waited_for_a_lock__says_nothing_of_it_to_the_next),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
