/* The slots of tasks in the recording: who gets which, and threads that nobody saw begin. */
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/preload/recording_here.h"

static void task__spawned__is_live_with_a_new_id(void **state)
{
    (void)state;
    struct rec_task *one = recorder_spawn(REC_KIND_THREAD, REC_TASK_JOINABLE, 7, 0x1234, "worker");
    struct rec_task *two = recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL);
    assert_ptr_equal(one, &recorder.tasks[1]);
    assert_ptr_equal(two, &recorder.tasks[2]);
    assert_int_equal(one->id, 1);
    assert_int_equal(two->id, 2);
    assert_int_equal(one->state, REC_TASK_LIVE);
    assert_int_equal(one->kind, REC_KIND_THREAD);
    assert_int_equal(one->flags, REC_TASK_JOINABLE);
    assert_int_equal(one->spawn_site, 7);
    assert_int_equal(one->handle, 0x1234);
    assert_string_equal(one->name, "worker");
    assert_string_equal(two->name, "");
    assert_int_equal(one->gen, 0);
    assert_int_equal(recorder.header->spawned, 2);
    assert_int_equal(recorder.header->finished, 0);
}

static void name__longer_than_its_field__is_cut(void **state)
{
    static const char zeros[16] = "";
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "0123456789abcdefgh");
    assert_string_equal(task->name, "0123456789abcde");
    recorder_rename(task, "x");
    assert_string_equal(task->name, "x");
    assert_memory_equal(task->name + 1, zeros, 15);
}

static void slot__released__is_used_again_under_a_new_id(void **state)
{
    (void)state;
    struct rec_task *one = recorder_spawn(REC_KIND_THREAD, 0, 1, 1, "one");
    struct rec_task *two = recorder_spawn(REC_KIND_THREAD, 0, 2, 2, "two");
    recorder_release(one);
    assert_int_equal(one->state, REC_TASK_FREE);
    struct rec_task *three = recorder_spawn(REC_KIND_TASK, 0, 3, 3, "three");
    assert_ptr_equal(three, one);
    assert_int_equal(three->id, 3);
    assert_int_equal(three->spawn_site, 3);
    assert_string_equal(three->name, "three");
    recorder_release(two);
    recorder_release(three);
    assert_int_equal(recorder.header->spawned, 3);
    assert_int_equal(recorder.header->finished, 3);
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].count, 3);
}

static void task__ended_and_released_many_times__counts_once(void **state)
{
    struct rec_task sink = {.state = REC_TASK_LIVE};
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "x");
    recorder_end(task);
    assert_int_equal(task->state, REC_TASK_ENDING);
    recorder_end(task);
    recorder_release(task);
    recorder_release(task);
    recorder_end(task);
    recorder_release(NULL);
    recorder_end(NULL);
    recorder_release(&sink);
    assert_int_equal(sink.state, REC_TASK_LIVE);
    assert_int_equal(recorder.header->finished, 1);
    /* The slot stands in the list of free ones once. */
    struct rec_task *again = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "y");
    struct rec_task *other = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "z");
    assert_ptr_equal(again, task);
    assert_ptr_not_equal(other, task);
}

static void full_task_table__spawned_into__counts_the_loss(void **state)
{
    struct rec_task *last = NULL;
    (void)state;
    for (int i = 0; i < HERE_TASKS; i++) {
        last = recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL);
        assert_non_null(last);
    }
    assert_null(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL));
    assert_null(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL));
    assert_int_equal(recorder.header->lost_tasks, 2);
    assert_int_equal(recorder.header->spawned, HERE_TASKS + 2);
    recorder_release(last);
    assert_ptr_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL), last);
    assert_int_equal(recorder.header->lost_tasks, 2);
}

static void kept_slot__spawned_again__is_a_new_task(void **state)
{
    static const char name[16] = "second";
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_GOROUTINE, 0, 1, 99, "first");
    assert_true(recorder_keep(task));
    assert_int_equal(task->state, REC_TASK_FREE);
    assert_ptr_not_equal(recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL), task);
    recorder_spawn_again(task, REC_TASK_SYSTEM, 5, name);
    assert_int_equal(task->state, REC_TASK_LIVE);
    assert_int_equal(task->id, 3);
    assert_int_equal(task->spawn_site, 5);
    assert_int_equal(task->handle, 99);
    assert_int_equal(task->flags, REC_TASK_SYSTEM);
    assert_string_equal(task->name, "second");
    assert_int_equal(recorder.header->spawned, 3);
    assert_int_equal(recorder.header->finished, 1);
}

static void slot__kept_where_slots_are_scarce__is_released(void **state)
{
    struct rec_task *task = NULL;
    (void)state;
    for (int i = 0; i < HERE_TASKS * 3 / 4; i++)
        task = recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL);
    assert_false(recorder_keep(task));
    assert_ptr_equal(recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL), task);
    assert_false(recorder_keep(NULL));
}

/* Slots go from thread to thread; nobody ever has one that another has, and every id is new. */
enum { CHURNERS = 6, CHURNS = 4000, HELD = 8 };
static uint8_t id_given[CHURNERS * CHURNS + 2];

static void *churn(void *arg)
{
    struct rec_task *held[HELD] = {NULL};
    uint64_t own = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < CHURNS; i++) {
        struct rec_task **place = &held[i % HELD];
        if (*place != NULL) {
            if ((*place)->handle != own)
                return here_complaint("a slot that two threads have");
            recorder_release(*place);
        }
        *place = recorder_spawn(REC_KIND_TASK, 0, 0, own, NULL);
        if (*place == NULL)
            return here_complaint("no slot");
        uint64_t id = (*place)->id;
        if (id == 0 || id >= sizeof(id_given) ||
            __atomic_exchange_n(&id_given[id], 1, __ATOMIC_RELAXED))
            return here_complaint("an id that was given twice");
    }
    for (int i = 0; i < HELD; i++)
        recorder_release(held[i]);
    return NULL;
}

static void *end_a_task(void *task)
{
    recorder_release(task);
    recorder_thread_ends();
    return NULL;
}

static void task_that_ends_on_a_thread_that_ends__leaves_its_slot_to_others(void **state)
{
    pthread_t thread;
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "one");
    assert_int_equal(pthread_create(&thread, NULL, end_a_task, task), 0);
    pthread_join(thread, NULL);
    assert_ptr_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, "two"), task);
    assert_int_equal(recorder.header->finished, 1);
}

static void task__ends_while_its_slot_is_held__is_free_when_let_go(void **state)
{
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "one");
    assert_true(recorder_hold(task, task->id));
    recorder_release(task);
    assert_ptr_not_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, "two"), task);
    recorder_let_go(task);
    assert_ptr_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, "three"), task);
    assert_int_equal(recorder.header->finished, 1);
}

static void slots__spawned_and_released_by_many_threads__are_theirs_alone(void **state)
{
    pthread_t threads[CHURNERS];
    (void)state;
    memset(id_given, 0, sizeof(id_given));
    for (uintptr_t i = 0; i < CHURNERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (int i = 0; i < CHURNERS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        here_assert_none(complaint);
    }
    assert_int_equal(recorder.header->spawned, CHURNERS * CHURNS);
    assert_int_equal(recorder.header->finished, CHURNERS * CHURNS);
    assert_int_equal(recorder.header->last_id, CHURNERS * CHURNS);
    assert_int_equal(recorder.header->lost_tasks, 0);
    assert_in_range(recorder.header->tables[REC_TABLE_TASKS - 1].count, 2, CHURNERS * HELD + 1);
}

/* --- threads that nobody saw begin ------------------------------------------------------------ */

static void *adopt_twice(void *arg)
{
    struct rec_task **ret = arg;
    pthread_setname_np(pthread_self(), "stray");
    *ret = recorder_self();
    if (*ret != recorder_self() || (*ret)->os_tid != (uint32_t)syscall(SYS_gettid))
        return here_complaint("another slot");
    return NULL;
}

static void unknown_thread__asks_for_its_slot__is_adopted_once(void **state)
{
    pthread_t thread;
    struct rec_task *task = NULL;
    void *complaint;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, adopt_twice, &task), 0);
    pthread_join(thread, &complaint);
    here_assert_none(complaint);
    assert_ptr_equal(task, &recorder.tasks[1]);
    assert_int_equal(task->flags, REC_TASK_ADOPTED);
    assert_int_equal(task->handle, thread);
    assert_string_equal(task->name, "stray");
    struct rec_task *own = recorder_self();
    assert_int_equal(own->flags, REC_TASK_MAIN | REC_TASK_ADOPTED);
    assert_int_equal(own->os_tid, getpid());
    assert_int_equal(recorder.header->spawned, 2);
}

static void thread_without_a_slot__publishes__to_a_sink(void **state)
{
    (void)state;
    for (int i = 0; i < HERE_TASKS; i++)
        recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL);
    struct rec_task *sink = recorder_self();
    assert_ptr_equal(sink, &recorder_thread.sink);
    assert_int_equal(recorder.header->lost_tasks, 1);
    assert_ptr_equal(recorder_self(), sink);
    assert_int_equal(recorder.header->lost_tasks, 1);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(task__spawned__is_live_with_a_new_id),
        WITH_RECORDING(name__longer_than_its_field__is_cut),
        WITH_RECORDING(slot__released__is_used_again_under_a_new_id),
        WITH_RECORDING(task__ended_and_released_many_times__counts_once),
        WITH_RECORDING(full_task_table__spawned_into__counts_the_loss),
        WITH_RECORDING(kept_slot__spawned_again__is_a_new_task),
        WITH_RECORDING(slot__kept_where_slots_are_scarce__is_released),
        WITH_RECORDING(task_that_ends_on_a_thread_that_ends__leaves_its_slot_to_others),
        WITH_RECORDING(task__ends_while_its_slot_is_held__is_free_when_let_go),
        WITH_RECORDING(slots__spawned_and_released_by_many_threads__are_theirs_alone),
        WITH_RECORDING(unknown_thread__asks_for_its_slot__is_adopted_once),
        WITH_RECORDING(thread_without_a_slot__publishes__to_a_sink),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
