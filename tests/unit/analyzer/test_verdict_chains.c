/* Verdicts on tasks that wait for others: holders of locks, and joins. */
#include "tests/unit/analyzer/judged.h"

static void mutex__evidence_says_who_holds_it(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *holder = builder_thread(b, "holder");
    builder_park(b, holder, "read", REC_OP_IO_WAIT, 5, 30 * SECOND, 0);
    wait_for(b, builder_thread(b, "a"), holder, 0x500);
    wait_for(b, builder_thread(b, "b"), holder, 0x500);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 2, "mutex lock");
    assert_evidence(&j, 0,
                    "mutex 0x500: held by thread 1 (holder), which is in io wait for 30s; "
                    "2 waiting for it");
    done(&j);
}

static void mutex_of_an_unknown_holder__evidence_says_so(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "a");
    wait_for(b, task, task, 0x500);
    task->detail_a = 4711;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 1, "mutex lock");
    assert_evidence(&j, 0,
                    "held by the thread with the system's id 4711, which is none of this process: "
                    "it has ended, was not recorded, or another process has locked it");
    done(&j);
}

/* The mark of a robust mutex whose owner died, and memory that was overwritten. */
static void mutex_whose_owner_is_no_thread__evidence_names_none(void **state)
{
    (void)state;
    static const uint32_t owners[] = {4194305, 732670891, 0x7fffffff};
    for (size_t i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_thread(b, "a");
        wait_for(b, task, task, 0x500);
        task->detail_a = owners[i];
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, VERDICT_STUCK, 1, "mutex lock");
        assert_evidence(&j, 0, "mutex 0x500: who holds it is not known; 1 waiting for it");
        done(&j);
    }
}

/* A holder whose stack is not known (it runs, or waits for a moment): who started it tells. */
static void holder_without_a_stack__is_told_by_who_started_it(void **state)
{
    (void)state;
    for (int by_runtime = 0; by_runtime < 2; by_runtime++) {
        struct builder *b = recording_builder_create();
        builder_header(b)->runtimes |= REC_RUNTIME_TASKRT;
        builder_module(b, "/nowhere/app", 0x10000, 0x20000);
        builder_module(b, "/nowhere/libtaskrt.so.1", 0x30000, 0x40000);
        struct rec_task *holder = builder_thread(b, "holder");
        holder->spawn_site =
            builder_site(b, (uint64_t[]){by_runtime ? 0x30010 : 0x10010, 0x30020}, 2);
        wait_for(b, builder_thread(b, "a"), holder, 0x500);
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_evidence(&j, 0,
                        by_runtime ? "locked on thread 1 (holder), on which a runtime"
                                   : "held by thread 1 (holder)");
        done(&j);
    }
}

static void mutex_locked_on_a_thread_of_a_runtime__evidence_names_no_holder(void **state)
{
    (void)state;
    for (int waits = 0; waits < 2; waits++) {
        struct builder *b = recording_builder_create();
        struct rec_task *worker = builder_thread(b, "worker");
        worker->flags |= REC_TASK_WORKER;
        if (waits) /* else it is not told */
            builder_park(b, worker, "nanosleep", REC_OP_SLEEP, 0, 12 * SECOND, 0);
        wait_for(b, builder_thread(b, "a"), worker, 0x500);
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, VERDICT_STUCK, 1, "mutex lock");
        assert_evidence(&j, 0,
                        waits ? "mutex 0x500: locked on thread 1 (worker), on which a runtime "
                                "runs its tasks: one of them holds it, which may be elsewhere by "
                                "now; 1 waiting for it"
                              : "mutex 0x500: locked on the thread with the system's id 1001, on "
                                "which a runtime runs its tasks: one of them holds it");
        done(&j);
    }
}

static void task_mutex__held_by_a_row_that_is_not_there__has_no_holder(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *gone = builder_task(b, REC_KIND_TASK, "gone");
    struct rec_task *one = builder_task(b, REC_KIND_TASK, "one");
    builder_park(b, one, "taskrt_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 20 * SECOND, 0);
    gone->state = REC_TASK_FREE;
    one->detail_flags |= REC_DETAIL_OWNER_ROW;
    one->detail_a = 1; /* its own place among those that are there */
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 1, "mutex lock");
    assert_int_equal(waitgraph_next(&j.verdicts.graph, 0), WAITGRAPH_NONE);
    done(&j);
}

static void join_of_a_thread_that_runs__waiting(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *main_thread = builder_thread(b, "main");
    struct rec_task *worker = builder_thread(b, "worker");
    builder_park(b, main_thread, "pthread_join", REC_OP_THREAD_JOIN, worker->handle, 60 * SECOND,
                 0);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 1);
    assert_group(&j, 0, VERDICT_WAITING, 1, "thread join");
    assert_evidence(&j, 0, "joins thread 2 (worker), which was not parked");
    done(&j);
}

static void make_live(struct snapshot *snapshot)
{
    snapshot->end = SNAPSHOT_RUNNING;
}

static void make_live_process(struct snapshot *snapshot)
{
    make_live(snapshot);
    snapshot->source = SNAPSHOT_PROCESS;
    for (size_t i = 1; i < snapshot->site_count; i++)
        snapshot->sites[i].flags |= SNAPSHOT_SITE_START;
}

/* It may hang where nobody recorded it. */
static void join_of_a_thread_that_is_not_parked__says_what_is_known(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct snapshot *snapshot);
        const char *says;
    } rows[] = {
        {make_live, "joins thread 2 (worker), which is in no call that is recorded"},
        {make_live_process, "joins thread 2 (worker), which runs"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct builder *b = recording_builder_create();
        struct rec_task *main_thread = builder_thread(b, "main");
        struct rec_task *worker = builder_thread(b, "worker");
        builder_park(b, main_thread, "pthread_join", REC_OP_THREAD_JOIN, worker->handle,
                     60 * SECOND, 0);
        struct judged j;
        judge_changed(&j, b, 10 * SECOND, rows[i].change);
        assert_group(&j, 0, VERDICT_WAITING, 1, "thread join");
        assert_evidence(&j, 0, rows[i].says);
        done(&j);
    }
}

/* By PID, where a thread was started is not known, but in which function it began. */
static void ended_thread_beside_a_joined_one__evidence_says_what_they_share(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct snapshot *snapshot);
        const char *says;
    } rows[] = {
        {make_live, "while a thread that was started at the same place is being joined"},
        {make_live_process, "while a thread that began in the same function is being joined"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct builder *b = recording_builder_create();
        uint32_t site = builder_site(b, (uint64_t[]){0x1010}, 1);
        struct rec_task *main_thread = builder_thread(b, "main");
        struct rec_task *joined = builder_thread(b, "joined");
        struct rec_task *early = builder_thread(b, "early");
        joined->spawn_site = early->spawn_site = site;
        builder_park(b, main_thread, "pthread_join", REC_OP_THREAD_JOIN, joined->handle,
                     60 * SECOND, 0);
        builder_finish(early, 30 * SECOND);
        struct judged j;
        judge_changed(&j, b, 10 * SECOND, rows[i].change);
        assert_int_equal(j.verdicts.count, 2);
        assert_group(&j, 1, VERDICT_WAITING, 1, "exited");
        assert_evidence(&j, 1, rows[i].says);
        done(&j);
    }
}

static void join_chain__follows_its_end(void **state)
{
    (void)state;
    for (int stuck = 0; stuck < 2; stuck++) {
        struct builder *b = recording_builder_create();
        struct rec_task *one = builder_thread(b, "one");
        struct rec_task *two = builder_thread(b, "two");
        struct rec_task *end = builder_thread(b, "end");
        builder_park(b, one, "pthread_join", REC_OP_THREAD_JOIN, two->handle, 60 * SECOND, 0);
        builder_park(b, two, "pthread_join", REC_OP_THREAD_JOIN, end->handle, 60 * SECOND, 0);
        if (stuck)
            builder_park(b, end, "sem_wait", REC_OP_SEM_WAIT, 0x500, 60 * SECOND, 0);
        else
            builder_park(b, end, "epoll_wait", REC_OP_IO_WAIT, 4, 60 * SECOND, 0);
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_STUCK], stuck ? 3 : 0);
        assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_WAITING], stuck ? 0 : 3);
        done(&j);
    }
}

static void join_of_an_unknown_thread__stuck(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "main"), "pthread_join", REC_OP_THREAD_JOIN, 0xabc,
                 60 * SECOND, 0);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 1, "thread join");
    assert_evidence(&j, 0, "joins a thread (0xabc) that is not among those recorded");
    done(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutex__evidence_says_who_holds_it),
        cmocka_unit_test(mutex_of_an_unknown_holder__evidence_says_so),
        cmocka_unit_test(mutex_whose_owner_is_no_thread__evidence_names_none),
        cmocka_unit_test(holder_without_a_stack__is_told_by_who_started_it),
        cmocka_unit_test(mutex_locked_on_a_thread_of_a_runtime__evidence_names_no_holder),
        cmocka_unit_test(task_mutex__held_by_a_row_that_is_not_there__has_no_holder),
        cmocka_unit_test(join_of_a_thread_that_runs__waiting),
        cmocka_unit_test(join_of_a_thread_that_is_not_parked__says_what_is_known),
        cmocka_unit_test(ended_thread_beside_a_joined_one__evidence_says_what_they_share),
        cmocka_unit_test(join_chain__follows_its_end),
        cmocka_unit_test(join_of_an_unknown_thread__stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
