/* Verdicts: one test a rule, over snapshots built in a line or two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/source/recording.h"
#include "analyzer/verdict/evidence.h"
#include "analyzer/verdict/verdict.h"
#include "tests/unit/analyzer/recording_builder.h"

struct judged {
    struct snapshot snapshot;
    struct waits waits;
    struct verdicts verdicts;
};

/* Reads what was built and judges it; the builder goes. `idle`, when not NULL, is why the waits
 * in the first call's stack are expected, as the rules over stacks would say. */
static void judge(struct judged *j, struct builder *b, int64_t threshold_ns, const char *idle)
{
    const struct verdict_options options = {threshold_ns, 3};
    const char *path = builder_path("verdict.rec");
    struct err err = {0};
    builder_write(b, path);
    recording_builder_destroy(b);
    snapshot_init(&j->snapshot);
    if (!source_recording_read(path, &j->snapshot, &err))
        fail_msg("%s", err.why);
    assert_true(waits_init(&j->waits, &j->snapshot));
    if (idle)
        j->waits.rows[1].idle_because = idle;
    assert_true(verdicts_init(&j->verdicts, &j->snapshot, &j->waits, &options));
}

static void done(struct judged *j)
{
    verdicts_deinit(&j->verdicts);
    waits_deinit(&j->waits);
    snapshot_deinit(&j->snapshot);
}

static void assert_group(const struct judged *j, size_t number, enum verdict verdict, size_t count,
                         const char *op)
{
    if (number >= j->verdicts.count)
        fail_msg("there are %zu groups", j->verdicts.count);
    const struct group *group = &j->verdicts.groups[number];
    assert_string_equal(verdict_name(group->verdict), verdict_name(verdict));
    assert_int_equal(group->count, count);
    assert_string_equal(group->op, op);
}

static void assert_evidence(const struct judged *j, size_t number, const char *expected)
{
    const struct group *group = &j->verdicts.groups[number];
    for (size_t i = 0; i < group->evidence_count; i++) {
        if (strstr(group->evidence[i], expected))
            return;
    }
    for (size_t i = 0; i < group->evidence_count; i++)
        print_message("evidence: %s\n", group->evidence[i]);
    fail_msg("no evidence says: %s", expected);
}

static void assert_no_evidence(const struct judged *j, size_t number, const char *unexpected)
{
    const struct group *group = &j->verdicts.groups[number];
    for (size_t i = 0; i < group->evidence_count; i++) {
        if (strstr(group->evidence[i], unexpected))
            fail_msg("evidence says: %s", group->evidence[i]);
    }
}

/* A thread that waits for a mutex held by another one. */
static void wait_for(struct builder *b, struct rec_task *task, const struct rec_task *owner,
                     uint64_t mutex)
{
    builder_park(b, task, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, mutex, 15 * SECOND, 0);
    builder_owner(task, owner);
}

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
    assert_true(j.verdicts.groups[0].deadline);
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
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_WAITING], 11);
    assert_int_equal(j.verdicts.totals.past_threshold, 11);
    done(&j);
}

static void read_on_a_descriptor__stuck(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "read", REC_OP_IO_WAIT, 0, 60 * SECOND, 0);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 1, "io wait");
    assert_evidence(&j, 0, "descriptor 0, in read");
    done(&j);
}

static void first_queue_of_a_system__is_told_by_its_number(void **state)
{
    static const struct {
        const char *call;
        enum rec_op op;
        enum rec_object kind;
        const char *says;
    } rows[] = {{"msgrcv", REC_OP_MESSAGE_WAIT, REC_OBJECT_QUEUE, "queue 0: 1 task waiting"},
                {"semop", REC_OP_SEMOP_WAIT, REC_OBJECT_SEMSET, "semaphore set 0: 1 task waiting"},
                {"sem_wait", REC_OP_SEM_WAIT, REC_OBJECT_NONE, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct builder *b = recording_builder_create();
        builder_park(b, builder_thread(b, "w"), rows[i].call, rows[i].op, 0, 60 * SECOND, 0);
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_int_equal(evidence_look_at(&j.snapshot, NULL, 0).kind, rows[i].kind);
        if (rows[i].says)
            assert_evidence(&j, 0, rows[i].says);
        done(&j);
    }
}

static void system_task__waiting(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, task, "force gc (idle)", REC_OP_IDLE, 0, 60 * SECOND, 0);
    struct rec_task *other = builder_thread(b, "carrier");
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

/* A select over two nil channels and one more, of which so many were recorded. */
static void judge_select(struct judged *j, enum rec_kind kind, uint64_t third, uint16_t recorded,
                         int64_t parked_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, kind, "f");
    builder_park(b, task, "select", REC_OP_SELECT, 0xc000010000, parked_ns, 0);
    uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0);
    builder_case(b, REC_OP_CHAN_RECEIVE, 0);
    builder_case(b, REC_OP_CHAN_RECEIVE, third);
    builder_select(task, first, recorded);
    task->arg = kind == REC_KIND_GOROUTINE ? 1U << 16 | 2 : 3;
    judge(j, b, 10 * SECOND, NULL);
}

static void select__of_a_task_without_cases__is_leaked(void **state)
{
    struct judged j;
    struct builder *b = recording_builder_create();
    (void)state;
    builder_park(b, builder_task(b, REC_KIND_TASK, "f"), "taskrt_select", REC_OP_SELECT, 0x7ffe10,
                 20 * SECOND, 0);
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_LEAKED, 1, "select");
    done(&j);
}

static void select__of_a_goroutine_without_cases__is_leaked_only_when_they_were_read(void **state)
{
    (void)state;
    for (int known = 0; known <= 1; known++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "f");
        builder_park(b, task, "select", REC_OP_SELECT, 0, 20 * SECOND, 0);
        if (known)
            task->wait_flags |= REC_WAIT_CASES;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, known ? VERDICT_LEAKED : VERDICT_STUCK, 1, "select");
        if (!known)
            assert_no_evidence(&j, 0, "nothing can wake it");
        done(&j);
    }
}

static void poll__of_no_descriptor__is_told_without_one(void **state)
{
    static const struct {
        uint64_t object;
        uint32_t count;
        const char *said;
    } rows[] = {{0, 0, NULL}, {UINT64_MAX, 2, NULL}, {0, 1, "descriptor 0, in poll"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_thread(b, "w");
        builder_park(b, task, "poll", REC_OP_IO_WAIT, rows[i].object, 20 * SECOND, 0);
        task->wait_flags |= REC_WAIT_FDS;
        task->arg = rows[i].count;
        judge(&j, b, 10 * SECOND, NULL);
        if (rows[i].said)
            assert_evidence(&j, 0, rows[i].said);
        else
            assert_no_evidence(&j, 0, "descriptor");
        done(&j);
    }
}

static void select__leaked_only_when_all_cases_are_nil(void **state)
{
    (void)state;
    struct judged j;
    for (enum rec_kind kind = REC_KIND_TASK; kind <= REC_KIND_GOROUTINE; kind++) {
        judge_select(&j, kind, 0, 3, 20 * SECOND);
        assert_group(&j, 0, VERDICT_LEAKED, 1, "select");
        assert_evidence(&j, 0, "it has no case that could ever be ready: nothing can wake it");
        done(&j);
        judge_select(&j, kind, 0x600, 3, 20 * SECOND);
        assert_group(&j, 0, VERDICT_STUCK, 1, "select");
        done(&j);
        judge_select(&j, kind, 0x600, 2, 20 * SECOND); /* the third is not in the recording */
        assert_group(&j, 0, VERDICT_STUCK, 1, "select");
        done(&j);
        judge_select(&j, kind, 0, 3, 0); /* the cases may be those of an earlier wait */
        assert_group(&j, 0, VERDICT_WAITING, 1, "select");
        done(&j);
    }
}

static void select__of_which_not_all_cases_were_recorded__says_more(void **state)
{
    (void)state;
    struct judged j;
    for (enum rec_kind kind = REC_KIND_TASK; kind <= REC_KIND_GOROUTINE; kind++) {
        judge_select(&j, kind, 0x600, 2, 20 * SECOND);
        assert_evidence(
            &j, 0, "more than 2 cases, no task waiting on the other side of any that is known");
        done(&j);
        judge_select(&j, kind, 0x600, 3, 20 * SECOND);
        assert_evidence(&j, 0, "3 cases, no task waiting on the other side of any");
        assert_no_evidence(&j, 0, "known");
        done(&j);
    }
}

/* Both on the same channel: a task does not wake itself. */
static void select__that_sends_and_receives__is_no_partner_of_its_own(void **state)
{
    (void)state;
    for (int others = 0; others <= 1; others++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "t");
        builder_park(b, task, "taskrt_select", REC_OP_SELECT, 0x700, 20 * SECOND, 0);
        uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0x600);
        builder_case(b, REC_OP_CHAN_RECEIVE, 0x600);
        builder_select(task, first, 2);
        task->arg = 2;
        if (others)
            builder_park(b, builder_task(b, REC_KIND_TASK, "s"), "taskrt_send", REC_OP_CHAN_SEND,
                         0x600, 0, 0);
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, VERDICT_STUCK, 1, "select");
        assert_evidence(&j, 0,
                        others ? "2 cases, another task waiting on the other side of one"
                               : "2 cases, no task waiting on the other side of any");
        done(&j);
    }
}

static void process__is_told_as_waitpid_is_given_it(void **state)
{
    static const struct {
        int64_t object;
        const char *said;
    } rows[] = {{77, "process 77: 1 task waiting"},
                {-1, "any child process: 1 task waiting"},
                {-5, "any child process of group 5: 1 task waiting"},
                {0, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        builder_park(b, builder_thread(b, "w"), "waitpid", REC_OP_PROCESS_WAIT,
                     (uint64_t)rows[i].object, 20 * SECOND, 0);
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, VERDICT_STUCK, 1, "process wait");
        if (rows[i].said)
            assert_evidence(&j, 0, rows[i].said);
        else
            assert_no_evidence(&j, 0, "process");
        done(&j);
    }
}

/* A goroutine that is in a call, and the thread that is in it for the goroutine: one waits. */
static void goroutine_and_its_thread__are_counted_once(void **state)
{
    (void)state;
    struct judged j;
    struct builder *b = recording_builder_create();
    struct rec_task *threads[2] = {builder_thread(b, "a"), builder_thread(b, "b")};
    for (size_t i = 0; i < 2; i++)
        builder_park(b, threads[i], "futex", REC_OP_FUTEX_WAIT, 0x500, 20 * SECOND, 0);
    struct rec_task *goroutine = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, goroutine, "futex", REC_OP_FUTEX_WAIT, 0x500, 20 * SECOND, 0);
    goroutine->os_tid = threads[0]->os_tid;
    struct rec_task *alone = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, alone, "futex", REC_OP_FUTEX_WAIT, 0x600, 20 * SECOND, 0);
    alone->os_tid = threads[1]->os_tid; /* which waits for another one */
    judge(&j, b, 10 * SECOND, NULL);
    for (size_t i = 0; i < j.verdicts.count; i++)
        if (j.verdicts.groups[i].kind == REC_KIND_THREAD)
            assert_evidence(&j, i, "futex 0x500: 2 tasks waiting");
    done(&j);
}

static void nil_channel__leaked(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_TASK, "t");
    builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0, 20 * SECOND, 0);
    struct rec_task *goroutine = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, goroutine, "chan receive (nil chan)", REC_OP_CHAN_RECEIVE, 0, 20 * SECOND, 0);
    struct rec_task *chooser = builder_task(b, REC_KIND_TASK, "c");
    builder_park(b, chooser, "taskrt_select", REC_OP_SELECT, 0, 20 * SECOND, 0);
    builder_select(chooser, builder_case(b, REC_OP_CHAN_SEND, 0), 1);
    chooser->arg = 1;
    chooser->arg = 1;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.totals.by_verdict[VERDICT_LEAKED], 3);
    assert_evidence(&j, 0, "nothing can wake it");
    done(&j);
}

static void channel__evidence_says_who_else_waits(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *sender = builder_task(b, REC_KIND_TASK, "s");
    builder_park(b, sender, "taskrt_send", REC_OP_CHAN_SEND, 0x500, 20 * SECOND, 0);
    builder_channel(sender, 0, 0);
    struct rec_task *full = builder_task(b, REC_KIND_TASK, "f");
    builder_park(b, full, "taskrt_send", REC_OP_CHAN_SEND, 0x600, 20 * SECOND,
                 builder_site(b, (uint64_t[]){0x10}, 1));
    builder_channel(full, 4, 4);
    struct rec_task *chooser = builder_task(b, REC_KIND_TASK, "c");
    builder_park(b, chooser, "taskrt_select", REC_OP_SELECT, 0, 20 * SECOND, 0);
    builder_select(chooser, builder_case(b, REC_OP_CHAN_RECEIVE, 0x600), 1);
    chooser->arg = 1;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_int_equal(j.verdicts.count, 3);
    assert_evidence(&j, 0, "channel 0x500: unbuffered, 1 sender waiting, no receiver waiting");
    assert_evidence(&j, 1, "channel 0x600: 4 of 4 buffered, 1 sender waiting, 1 receiver waiting");
    done(&j);
}

static void many_channels__evidence_says_what_they_share(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (unsigned i = 0; i < 3; i++) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "s");
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0x500 + i, 20 * SECOND, 0);
        builder_channel(task, 0, 0);
    }
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 3, "chan send");
    assert_false(j.verdicts.groups[0].same_object);
    assert_evidence(&j, 0, "different channels: all unbuffered, no receiver waiting on any");
    done(&j);
}

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
    one->detail_flags = two->detail_flags = REC_DETAIL_OWNER_ROW;
    one->detail_a = 3;
    two->detail_a = 2;
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_DEADLOCKED, 2, "mutex lock");
    done(&j);
}

static void task_mutex__held_by_a_row_that_is_not_there__has_no_holder(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *gone = builder_task(b, REC_KIND_TASK, "gone");
    struct rec_task *one = builder_task(b, REC_KIND_TASK, "one");
    builder_park(b, one, "taskrt_mutex_lock", REC_OP_MUTEX_LOCK, 0x500, 20 * SECOND, 0);
    gone->state = REC_TASK_FREE;
    one->detail_flags = REC_DETAIL_OWNER_ROW;
    one->detail_a = 1; /* its own place among those that are there */
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_group(&j, 0, VERDICT_STUCK, 1, "mutex lock");
    assert_int_equal(waitgraph_next(&j.verdicts.graph, 0), WAITGRAPH_NONE);
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
        cmocka_unit_test(read_on_a_descriptor__stuck),
        cmocka_unit_test(first_queue_of_a_system__is_told_by_its_number),
        cmocka_unit_test(system_task__waiting),
        cmocka_unit_test(idle_by_its_stack__waiting),
        cmocka_unit_test(select__of_a_task_without_cases__is_leaked),
        cmocka_unit_test(select__of_a_goroutine_without_cases__is_leaked_only_when_they_were_read),
        cmocka_unit_test(poll__of_no_descriptor__is_told_without_one),
        cmocka_unit_test(select__leaked_only_when_all_cases_are_nil),
        cmocka_unit_test(select__of_which_not_all_cases_were_recorded__says_more),
        cmocka_unit_test(select__that_sends_and_receives__is_no_partner_of_its_own),
        cmocka_unit_test(process__is_told_as_waitpid_is_given_it),
        cmocka_unit_test(goroutine_and_its_thread__are_counted_once),
        cmocka_unit_test(nil_channel__leaked),
        cmocka_unit_test(channel__evidence_says_who_else_waits),
        cmocka_unit_test(many_channels__evidence_says_what_they_share),
        cmocka_unit_test(mutex__evidence_says_who_holds_it),
        cmocka_unit_test(mutex_of_an_unknown_holder__evidence_says_so),
        cmocka_unit_test(cycle_of_1__deadlocked),
        cmocka_unit_test(cycle_of_2__deadlocked),
        cmocka_unit_test(cycle__through_ids_that_others_have_too__deadlocked),
        cmocka_unit_test(cycle_below_the_threshold__deadlocked),
        cmocka_unit_test(cycle_of_3_over_a_join__deadlocked),
        cmocka_unit_test(task_mutexes__owner_by_row__deadlocked),
        cmocka_unit_test(task_mutex__held_by_a_row_that_is_not_there__has_no_holder),
        cmocka_unit_test(behind_a_cycle__stuck_and_said),
        cmocka_unit_test(cycle_with_a_deadline__not_deadlocked),
        cmocka_unit_test(cycle_seen_once__not_deadlocked_yet),
        cmocka_unit_test(join_of_a_thread_that_runs__waiting),
        cmocka_unit_test(join_chain__follows_its_end),
        cmocka_unit_test(join_of_an_unknown_thread__stuck),
        cmocka_unit_test(ended_thread__unjoined),
        cmocka_unit_test(ended_thread_of_unknown_age__unjoined),
        cmocka_unit_test(lost_tasks__weaken_the_evidence),
        cmocka_unit_test(lost_tasks__change_nothing_of_a_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
