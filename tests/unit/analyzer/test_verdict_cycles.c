/* Verdicts on tasks that wait for each other in a circle: what is proved to be one, and what not.
 */
#include "tests/unit/analyzer/judged.h"

static void cycle_of_1__deadlocked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "self");
    wait_for(b, task, task, 0x500);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 1, "mutex lock");
    assert_evidence(&j, 0, "a cycle: thread 1 (self) waits for mutex 0x500, held by itself");
    done(&j);
}

/* Which all threads have that were given none of their own. */
static void name_of_the_program__is_not_told_with_a_thread(void **state)
{
    static const struct {
        const char *exe, *name, *says;
    } rows[] = {
        {"/opt/app/server", "server", "a cycle: thread 1 waits for"},
        {"/opt/app/server-of-much-more", "server-of-much-", "a cycle: thread 1 waits for"},
        {"/opt/app/server", "serve", "a cycle: thread 1 (serve) waits for"},
        {"/opt/app/serve", "server", "a cycle: thread 1 (server) waits for"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct builder *b = recording_builder_create();
        builder_header(b)->exe = builder_string(b, rows[i].exe);
        struct rec_task *task = builder_thread(b, rows[i].name);
        wait_for(b, task, task, 0x500);
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_evidence(&j, 0, rows[i].says);
        done(&j);
    }
}

static void more_cycles_than_are_told__counted(void **state)
{
    static const struct {
        unsigned cycles;
        const char *says;
    } rows[] = {{3, NULL}, {4, "and 1 more such cycle"}, {9, "and 6 more such cycles"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct builder *b = recording_builder_create();
        struct rec_task *tasks[18];
        for (unsigned k = 0; k < 2 * rows[i].cycles; k++)
            tasks[k] = builder_thread(b, "t");
        for (unsigned k = 0; k < 2 * rows[i].cycles; k++)
            wait_for(b, tasks[k], tasks[k ^ 1], 0x500 + 16 * k);
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, VERDICT_DEADLOCKED, 2 * rows[i].cycles, "mutex lock");
        assert_evidence(&j, 0, "a cycle: thread 1 (t) waits for mutex 0x500, held by thread 2");
        assert_evidence(&j, 0, "a cycle: thread 5 (t) waits for");
        assert_no_evidence(&j, 0, "a cycle: thread 7");
        if (rows[i].says)
            assert_evidence(&j, 0, rows[i].says);
        else
            assert_no_evidence(&j, 0, "more such");
        done(&j);
    }
}

static void cycle_of_2__deadlocked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *one = builder_thread(b, "one");
    struct rec_task *two = builder_thread(b, "two");
    wait_for(b, one, two, 0x500);
    wait_for(b, two, one, 0x600);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 1);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 2, "mutex lock");
    assert_evidence(&j, 0,
                    "a cycle: thread 1 (one) waits for mutex 0x500, held by thread 2 (two); "
                    "thread 2 (two) waits for mutex 0x600, held by thread 1 (one)");
    done(&j);
}

/* A goroutine has the id of the thread that it runs on, and a thread that nobody joined one that
 * the kernel has given away since: wherever they stand, the thread that lives is meant. */
static void cycle__through_ids_that_others_have_too__deadlocked(void **state)
{
    (void)state;
    for (int order = 0; order < 2; order++) {
        struct builder *b = recording_builder_create();
        struct rec_task *others[2], *a = NULL, *c = NULL;
        if (order) {
            a = builder_thread(b, "a");
            c = builder_thread(b, "c");
        }
        others[0] = builder_task(b, REC_KIND_GOROUTINE, "");
        builder_park(b, others[0], "syscall", REC_OP_IO_WAIT, 0, 15 * SECOND, 0);
        others[1] = builder_thread(b, "old");
        builder_finish(others[1], 99 * SECOND);
        if (!order) {
            a = builder_thread(b, "a");
            c = builder_thread(b, "c");
        }
        wait_for(b, a, c, 0x600);
        wait_for(b, c, a, 0x700);
        others[0]->os_tid = a->os_tid;
        others[1]->os_tid = c->os_tid;
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_DEADLOCKED], 2);
        done(&j);
    }
}

/* Goroutines and tasks change threads, and the C library names the thread that took a lock. */
static void cycle__through_a_thread_of_a_runtime__is_not_proved(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *one = builder_thread(b, "one");
    struct rec_task *self = builder_thread(b, "self");
    struct rec_task *two = builder_thread(b, "two");
    wait_for(b, one, two, 0x500);
    wait_for(b, two, one, 0x600);
    wait_for(b, self, self, 0x700);
    two->flags |= REC_TASK_WORKER;
    self->flags |= REC_TASK_WORKER;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_DEADLOCKED], 0);
    assert_group(&j, 0, VERDICT_STUCK, 3, "mutex lock");
    done(&j);
}

/* A task of libtaskrt waits for a lock of C's on its worker's thread: only the stack tells it from
 * a thread that does. */
static void cycle__of_stacks_that_begin_in_a_runtime__is_not_proved(void **state)
{
    (void)state;
    for (int part = 0; part < 3; part++) {
        struct builder *b = recording_builder_create();
        builder_header(b)->runtimes |= REC_RUNTIME_TASKRT;
        builder_module(b, "/nowhere/app", 0x10000, 0x20000);
        builder_module(b, "/nowhere/libtaskrt.so.1", 0x30000, 0x40000);
        uint32_t site = builder_site(b, (uint64_t[]){0x10010, part == 0 ? 0x30010 : 0x10020}, 2);
        if (part == 1)
            builder_cut_site(b, site);
        struct rec_task *task = builder_thread(b, "self");
        wait_for(b, task, task, 0x500);
        task->wait_site = site;
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, part < 2 ? VERDICT_STUCK : VERDICT_DEADLOCKED, 1, "mutex lock");
        assert_evidence(&j, 0,
                        part < 2 ? "mutex 0x500: locked on thread 1 (self), on which a runtime"
                                 : "held by itself");
        done(&j);
    }
}

/* Of a program that ended before the second look; a thread of its own may wait so for anything. */
static void futex_of_unknown_place__of_a_thread_that_its_runtime_started__idle(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_header(b)->runtimes |= REC_RUNTIME_LIBGO;
    builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    builder_module(b, "/nowhere/libgo.so.21", 0x30000, 0x40000);
    const uint64_t starts[][2] = {{0x30010, 0x10020}, {0x10010, 0x30010}};
    for (int i = 0; i < 2; i++) {
        struct rec_task *task = builder_thread(b, i == 0 ? "worker" : "own");
        task->spawn_site = builder_site(b, starts[i], 2);
        builder_park(b, task, "syscall", REC_OP_FUTEX_WAIT, 0x500, 12 * SECOND, 0);
    }
    struct judged j;
    judge(&j, b, 0, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_STUCK], 1);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_WAITING], 1);
    done(&j);
}

static void cycle__of_goroutines_that_are_locked_to_their_threads__deadlocked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *threads[] = {builder_thread(b, "one"), builder_thread(b, "two")};
    for (int i = 0; i < 2; i++) {
        struct rec_task *goroutine = builder_task(b, REC_KIND_GOROUTINE, "");
        builder_park(b, goroutine, "futex", REC_OP_FUTEX_WAIT, 0x500, 15 * SECOND, 0);
        goroutine->os_tid = threads[i]->os_tid;
        goroutine->wait_flags = REC_WAIT_LOCKED;
        threads[i]->flags |= REC_TASK_WORKER;
        wait_for(b, threads[i], threads[!i], 0x500 + 0x100 * (uint64_t)i);
    }
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 2, "mutex lock");
    assert_evidence(&j, 0, "waits for mutex 0x500, held by thread 2 (two)");
    done(&j);
}

/* A deadlock is one before the threshold, too. */
static void cycle_below_the_threshold__deadlocked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "self");
    wait_for(b, task, task, 0x500);
    struct judged j;
    judge(&j, b, 3600 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 1, "mutex lock");
    done(&j);
}

static void cycle_of_3_over_a_join__deadlocked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *one = builder_thread(b, "one");
    struct rec_task *two = builder_thread(b, "two");
    struct rec_task *three = builder_thread(b, "three");
    wait_for(b, one, two, 0x500);
    builder_park(b, two, "pthread_join", REC_OP_THREAD_JOIN, three->handle, 20 * SECOND, 0);
    builder_park(b, three, "pthread_rwlock_wrlock", REC_OP_RWLOCK_WRLOCK, 0x600, 20 * SECOND, 0);
    builder_owner(three, one);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_DEADLOCKED], 3);
    assert_evidence(&j, 0,
                    "thread 2 (two) joins thread 3 (three); thread 3 (three) waits for "
                    "rwlock 0x600, held by thread 1 (one)");
    done(&j);
}

static void task_mutexes__owner_by_row__deadlocked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *gone = builder_task(b, REC_KIND_TASK, "gone");
    struct rec_task *one = builder_task(b, REC_KIND_TASK, "one");
    struct rec_task *two = builder_task(b, REC_KIND_TASK, "two");
    builder_park(b, one, "taskrt_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 20 * SECOND, 0);
    builder_park(b, two, "taskrt_mutex_lock", REC_OP_MUTEX_LOCK, 0x600, 20 * SECOND, 0);
    gone->state = REC_TASK_FREE; /* from here on, rows are not places in the snapshot */
    one->detail_flags |= REC_DETAIL_OWNER_ROW;
    two->detail_flags |= REC_DETAIL_OWNER_ROW;
    one->detail_a = 3;
    two->detail_a = 2;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 2, "mutex lock");
    done(&j);
}

static void behind_a_cycle__stuck_and_said(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *one = builder_thread(b, "one");
    struct rec_task *two = builder_thread(b, "two");
    struct rec_task *behind = builder_thread(b, "behind");
    struct rec_task *last = builder_thread(b, "last");
    wait_for(b, one, two, 0x500);
    wait_for(b, two, one, 0x600);
    wait_for(b, behind, two, 0x600);
    builder_park(b, last, "pthread_join", REC_OP_THREAD_JOIN, behind->handle, 20 * SECOND, 0);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 3);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 2, "mutex lock");
    assert_group(&j, 1, VERDICT_STUCK, 1, "thread join");
    assert_evidence(&j, 1, "waiting behind it: behind thread 2 (two)");
    assert_group(&j, 2, VERDICT_STUCK, 1, "mutex lock");
    assert_evidence(&j, 2, "waiting behind it: behind thread 2 (two)");
    done(&j);
}

static void cycle_with_a_deadline__not_deadlocked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *one = builder_thread(b, "one");
    struct rec_task *two = builder_thread(b, "two");
    wait_for(b, one, two, 0x500);
    wait_for(b, two, one, 0x600);
    two->wait_flags = REC_WAIT_DEADLINE;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 1, "mutex lock");
    assert_group(&j, 1, VERDICT_WAITING, 1, "mutex lock");
    done(&j);
}

/* Owners that were read at different moments do not make a cycle. */
static void cycle_seen_once__not_deadlocked_yet(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *one = builder_thread(b, "one");
    struct rec_task *two = builder_thread(b, "two");
    wait_for(b, one, two, 0x500);
    wait_for(b, two, one, 0x600);
    two->since_ns = BUILDER_NOW_NS;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_DEADLOCKED], 0);
    done(&j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cycle_of_1__deadlocked),
        cmocka_unit_test(name_of_the_program__is_not_told_with_a_thread),
        cmocka_unit_test(more_cycles_than_are_told__counted),
        cmocka_unit_test(cycle_of_2__deadlocked),
        cmocka_unit_test(cycle__through_ids_that_others_have_too__deadlocked),
        cmocka_unit_test(cycle__through_a_thread_of_a_runtime__is_not_proved),
        cmocka_unit_test(cycle__of_stacks_that_begin_in_a_runtime__is_not_proved),
        cmocka_unit_test(futex_of_unknown_place__of_a_thread_that_its_runtime_started__idle),
        cmocka_unit_test(cycle__of_goroutines_that_are_locked_to_their_threads__deadlocked),
        cmocka_unit_test(cycle_below_the_threshold__deadlocked),
        cmocka_unit_test(cycle_of_3_over_a_join__deadlocked),
        cmocka_unit_test(task_mutexes__owner_by_row__deadlocked),
        cmocka_unit_test(behind_a_cycle__stuck_and_said),
        cmocka_unit_test(cycle_with_a_deadline__not_deadlocked),
        cmocka_unit_test(cycle_seen_once__not_deadlocked_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
