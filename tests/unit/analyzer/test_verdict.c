/* Verdicts: one test a rule, over snapshots built in a line or two; and the groups that share them.
 */
#include "tests/unit/analyzer/judged.h"

static void no_tasks__no_groups(void **state)
{
    (void)state;
    struct judged j;
    judge(&j, recording_builder_create(), 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 0);
    assert_int_equal(j.verdicts.totals.tasks, 0);
    done(&j);
}

static void running_tasks__no_groups(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_thread(b, "main");
    builder_thread(b, "worker");
    struct judged j;
    judge(&j, b, 0, NULL);
    assert_int_equal(j.verdicts.count, 0);
    assert_int_equal(j.verdicts.totals.tasks, 2);
    assert_int_equal(j.verdicts.totals.running, 2);
    done(&j);
}

static void parked_past_the_threshold__stuck(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 10 * SECOND, 0);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 1);
    assert_group(&j, 0, VERDICT_STUCK, 1, "sem wait");
    assert_evidence(&j, 0, "semaphore 0x500: 1 task waiting");
    assert_evidence(&j, 0, "no deadline, and parked for 10s or longer");
    assert_int_equal(j.verdicts.totals.past_threshold, 1);
    done(&j);
}

static void parked_below_the_threshold__waiting(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 10 * SECOND - 1, 0);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_WAITING, 1, "sem wait");
    assert_int_equal(j.verdicts.totals.past_threshold, 0);
    done(&j);
}

static void threshold_of_0__everything_parked_is_past_it(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, SECOND, 0);
    task->seen_gen = 0;
    struct judged j;
    judge(&j, b, 0, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 1, "sem wait");
    assert_int_equal(j.verdicts.groups[0].oldest_ns, 0);
    done(&j);
}

static void same_sites__one_group_with_the_worst_verdict(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    uint32_t wait = builder_site(b, (uint64_t[]){0x10}, 1);
    uint32_t other = builder_site(b, (uint64_t[]){0x20}, 1);
    for (int i = 0; i < 5; i++) {
        struct rec_task *task = builder_thread(b, "w");
        task->spawn_site = wait;
        builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, (8 + i) * SECOND,
                     i == 4 ? other : wait);
    }
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 2);
    assert_group(&j, 0, VERDICT_STUCK, 4, "sem wait");
    assert_int_equal(j.verdicts.groups[0].oldest_ns, 11 * SECOND);
    assert_int_equal(j.verdicts.groups[0].newest_ns, 8 * SECOND);
    assert_int_equal(j.verdicts.groups[0].past_threshold, 2);
    assert_int_equal(j.verdicts.groups[0].grown, 4);
    assert_evidence(&j, 0, "2 of 4 are parked for 10s or longer");
    assert_group(&j, 1, VERDICT_STUCK, 1, "sem wait");
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_STUCK], 3);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_WAITING], 2);
    done(&j);
}

static void listed_tasks__are_the_oldest(void **state)
{
    (void)state;
    static const int ages[] = {3, 9, 1, 7, 5, 8, 9, 2};
    struct builder *b = recording_builder_create();
    for (size_t i = 0; i < sizeof(ages) / sizeof(ages[0]); i++)
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500,
                     ages[i] * SECOND, 0);
    struct judged j;
    judge(&j, b, SECOND, NULL);
    const struct group *group = &j.verdicts.groups[0];
    assert_int_equal(group->listed_count, 3);
    assert_int_equal(j.snapshot.tasks[group->listed[0]].id, 2);
    assert_int_equal(j.snapshot.tasks[group->listed[1]].id, 7);
    assert_int_equal(j.snapshot.tasks[group->listed[2]].id, 6);
    done(&j);
}

static void groups__worst_then_largest_first(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "young"), "read", REC_OP_IO_WAIT, 4, SECOND, 0);
    builder_finish(builder_thread(b, "early"), 30 * SECOND);
    builder_park(b, builder_thread(b, "one"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 90 * SECOND, 0);
    for (int i = 0; i < 2; i++)
        builder_park(b, builder_thread(b, "two"), "read", REC_OP_IO_WAIT, 5, 20 * SECOND,
                     builder_site(b, (uint64_t[]){0x10}, 1) * 0);
    struct rec_task *self = builder_thread(b, "self");
    wait_for(b, self, self, 0x600);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 4);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 1, "mutex lock");
    assert_group(&j, 1, VERDICT_STUCK, 3, "io wait");
    assert_group(&j, 2, VERDICT_STUCK, 1, "sem wait");
    assert_group(&j, 3, VERDICT_UNJOINED, 1, "exited");
    done(&j);
}

static void deadline__waiting(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "sem_timedwait", REC_OP_SEM_WAIT, 0x500, 99 * SECOND, 0);
    task->wait_flags = REC_WAIT_DEADLINE;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_WAITING, 1, "sem wait");
    assert_true(j.snapshot.tasks[j.verdicts.groups[0].members[0]].flags & SNAPSHOT_DEADLINE);
    assert_evidence(&j, 0, "it has a deadline");
    done(&j);
}

static void deadline__of_a_runtime_that_stopped__ends_by_nobody(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (int i = 0; i < 2; i++) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "late");
        builder_park(b, task, "taskrt_sleep", REC_OP_SLEEP, 0, 99 * SECOND, 0);
        task->flags |= REC_TASK_ABANDONED;
    }
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_WAITING, 2, "sleep");
    assert_evidence(&j, 0,
                    "they have a deadline; but their runtime has stopped while they were "
                    "parked: they will not run again");
    done(&j);
}

static void pollers_and_sleepers__waiting(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        enum rec_op op;
    } rows[] = {
        {"accept4", REC_OP_IO_WAIT},
        {"epoll_wait", REC_OP_IO_WAIT},
        {"io_uring_enter", REC_OP_IO_WAIT},
        {"io_getevents", REC_OP_IO_WAIT},
        {"poll", REC_OP_IO_WAIT},
        {"__poll_chk", REC_OP_IO_WAIT},
        {"__select", REC_OP_IO_WAIT},
        {"pselect6", REC_OP_IO_WAIT},
        {"sigwaitinfo", REC_OP_SIGNAL_WAIT},
        {"pause", REC_OP_SIGNAL_WAIT},
        {"nanosleep", REC_OP_SLEEP},
        {"taskrt idle", REC_OP_IDLE},
    };
    struct builder *b = recording_builder_create();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        builder_park(b, builder_thread(b, "w"), rows[i].call, rows[i].op, 0, 60 * SECOND, 0);
    struct rec_task *listener = builder_task(b, REC_KIND_TASK, "listener");
    builder_park(b, listener, "taskrt_wait_fd", REC_OP_IO_WAIT, 3, 60 * SECOND, 0);
    listener->detail_flags = REC_DETAIL_LISTENING;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_WAITING], 13);
    assert_int_equal(j.verdicts.totals.past_threshold, 13);
    done(&j);
}

static void system_task__waiting(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, task, "force gc (idle)", REC_OP_IDLE, 0, 60 * SECOND, 0);
    struct rec_task *other = builder_thread(b, "worker");
    builder_park(b, other, "syscall", REC_OP_FUTEX_WAIT, 0x500, 60 * SECOND, 0);
    other->flags |= REC_TASK_SYSTEM;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_WAITING], 2);
    done(&j);
}

static void idle_by_its_stack__waiting(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "syscall", REC_OP_FUTEX_WAIT, 0x500, 60 * SECOND, 0);
    struct judged j;
    judge(&j, b, 10 * SECOND, "a worker of libtest without work");
    assert_group(&j, 0, VERDICT_WAITING, 1, "futex wait");
    assert_evidence(&j, 0, "a worker of libtest without work");
    done(&j);
}

static void goroutine__found_by_its_collector__leaked_below_the_threshold(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *goroutine = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, goroutine, "chan receive", REC_OP_CHAN_RECEIVE, 0x500, SECOND, 0);
    goroutine->detail_flags |= REC_DETAIL_LEAKED;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_LEAKED, 1, "chan receive");
    assert_evidence(&j, 0, "nothing that runs can reach what it waits on: nothing can wake it");
    done(&j);
}

static void ended_thread__unjoined(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_finish(builder_thread(b, "early"), 20 * SECOND);
    builder_finish(builder_thread(b, "late"), 5 * SECOND);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 1);
    assert_group(&j, 0, VERDICT_UNJOINED, 2, "exited");
    assert_evidence(&j, 0, "nobody joined or detached them before the process ended");
    assert_int_equal(j.verdicts.totals.tasks, 0);
    assert_int_equal(j.verdicts.totals.unjoined, 2);
    assert_int_equal(j.verdicts.groups[0].oldest_ns, 20 * SECOND);
    done(&j);
}

static void ended_thread_of_unknown_age__unjoined(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "early");
    task->state = REC_TASK_FINISHED;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_UNJOINED, 1, "exited");
    assert_int_equal(j.verdicts.groups[0].oldest_ns, SNAPSHOT_AGE_UNKNOWN);
    done(&j);
}

static void lost_tasks__weaken_the_evidence(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *sender = builder_task(b, REC_KIND_TASK, "s");
    builder_park(b, sender, "taskrt_send", REC_OP_CHAN_SEND, 0x500, 20 * SECOND, 0);
    builder_channel(sender, 0, 0);
    builder_header(b)->lost_tasks = 3;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.lost, 3);
    assert_evidence(&j, 0, "no receiver that was recorded waiting");
    assert_evidence(&j, 0, "3 tasks were lost to the recording");
    assert_evidence(&j, 0, "be the ones to wake it");
    assert_no_evidence(&j, 0, "can wake");
    done(&j);
}

static void lost_tasks__change_nothing_of_a_proof(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_task(b, REC_KIND_TASK, "s"), "taskrt_send", REC_OP_CHAN_SEND, 0,
                 20 * SECOND, 0);
    builder_header(b)->lost_tasks = 3;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_LEAKED, 1, "chan send");
    assert_evidence(&j, 0, "3 tasks were lost to the recording: others may wait here too");
    assert_no_evidence(&j, 0, "be the ones to wake");
    done(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_tasks__no_groups),
        cmocka_unit_test(running_tasks__no_groups),
        cmocka_unit_test(parked_past_the_threshold__stuck),
        cmocka_unit_test(parked_below_the_threshold__waiting),
        cmocka_unit_test(threshold_of_0__everything_parked_is_past_it),
        cmocka_unit_test(same_sites__one_group_with_the_worst_verdict),
        cmocka_unit_test(listed_tasks__are_the_oldest),
        cmocka_unit_test(groups__worst_then_largest_first),
        cmocka_unit_test(deadline__waiting),
        cmocka_unit_test(deadline__of_a_runtime_that_stopped__ends_by_nobody),
        cmocka_unit_test(pollers_and_sleepers__waiting),
        cmocka_unit_test(system_task__waiting),
        cmocka_unit_test(idle_by_its_stack__waiting),
        cmocka_unit_test(goroutine__found_by_its_collector__leaked_below_the_threshold),
        cmocka_unit_test(ended_thread__unjoined),
        cmocka_unit_test(ended_thread_of_unknown_age__unjoined),
        cmocka_unit_test(lost_tasks__weaken_the_evidence),
        cmocka_unit_test(lost_tasks__change_nothing_of_a_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
