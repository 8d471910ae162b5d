/* Verdicts: one test a rule, over snapshots built in a line or two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/verdict/evidence.h"
#include "analyzer/verdict/verdict.h"
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

/* As clients of databases wait for an answer; of several, another one may be a server's. */
static void poll_of_one_connection__stuck(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        uint32_t fds;
        uint16_t flags;
        enum verdict verdict;
    } rows[] = {
        {"poll", 1, REC_DETAIL_CONNECTED, VERDICT_STUCK},
        {"__select", 1, REC_DETAIL_CONNECTED, VERDICT_STUCK},
        {"ppoll", 2, REC_DETAIL_CONNECTED, VERDICT_WAITING},
        {"poll", 1, 0, VERDICT_WAITING},
        {"poll", 1, REC_DETAIL_LISTENING, VERDICT_WAITING},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_thread(b, "w");
        builder_park(b, task, rows[i].call, REC_OP_IO_WAIT, 7, 60 * SECOND, 0);
        task->wait_flags = REC_WAIT_FDS;
        task->arg = rows[i].fds;
        task->detail_flags |= rows[i].flags;
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, rows[i].verdict, 1, "io wait");
        if (rows[i].verdict == VERDICT_STUCK)
            assert_evidence(&j, 0, "no deadline, and parked for 10s or longer");
        done(&j);
    }
}

/* Of the wait for an event that the program asked to be told of. */
static void read_of_events__is_idle(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum verdict verdict;
    } rows[] = {
        {"anon_inode:[signalfd]", VERDICT_WAITING},
        {"anon_inode:inotify", VERDICT_WAITING},
        {"anon_inode:[eventfd]", VERDICT_STUCK},
        {"/signalfd", VERDICT_STUCK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_thread(b, "w");
        builder_park(b, task, "read", REC_OP_IO_WAIT, 7, 60 * SECOND, 0);
        strcpy(builder_descriptor(b, task)->name, rows[i].name);
        struct judged j;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, rows[i].verdict, 1, "io wait");
        if (rows[i].verdict == VERDICT_WAITING)
            assert_evidence(&j, 0,
                            "an idle wait that is expected: read waits for whatever comes next");
        done(&j);
    }
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

/* Tasks of one group, of which the n-th waits for the n-th descriptor; those below 10 are files. */
static void wait_for_fds(struct judged *j, const char *call, const uint64_t *fds, size_t count,
                         uint32_t fds_each)
{
    struct builder *b = recording_builder_create();
    for (size_t i = 0; i < count; i++) {
        struct rec_task *task = builder_thread(b, "w");
        builder_park(b, task, call, REC_OP_IO_WAIT, fds[i], 60 * SECOND, 0);
        task->wait_flags |= fds_each ? REC_WAIT_FDS : 0;
        task->arg = fds_each;
        if (fds[i] < 10)
            snprintf(builder_descriptor(b, task)->name, 16, "/file/%u", (unsigned)fds[i]);
    }
    judge(j, b, 10 * SECOND, NULL);
}

static void different_descriptors__the_first_ones_are_told(void **state)
{
    static const struct {
        const char *call;
        uint64_t fds[6];
        uint32_t count, fds_each;
        const char *says;
    } rows[] = {
        {"read", {7, 6}, 2, 0, "2 descriptors: 6 (/file/6), 7 (/file/7), in read"},
        {"recv", {20, 8, 20, 0}, 4, 0, "3 descriptors: 0 (/file/0), 8 (/file/8), 20, in recv"},
        {"recv", {15, 11, 12, 14, 13, 15}, 6, 0, "5 descriptors: 11, 12, 13 and 2 more, in recv"},
        {"poll", {15, 11}, 2, 1, "2 descriptors: 11, 15, in poll"},
        {"poll", {15, 11}, 2, 2, "2 descriptors: 11, 15, and more beside them, in poll"},
        {"poll", {15, UINT64_MAX}, 2, 1, "1 descriptor: 15, in poll"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct judged j;
        wait_for_fds(&j, rows[i].call, rows[i].fds, rows[i].count, rows[i].fds_each);
        assert_int_equal(j.verdicts.count, 1);
        assert_evidence(&j, 0, rows[i].says);
        assert_no_evidence(&j, 0, "different objects");
        done(&j);
    }
}

static void name_holders(struct snapshot *snapshot)
{
    static const char *const holders[] = {"is held by process 8 (b)", NULL, "is held by process 7",
                                          "is held by process 8 (b)", NULL};
    for (size_t i = 0; i < snapshot->task_count; i++)
        if (holders[i])
            assert_true(snapshot_add_holder(snapshot, i, holders[i]));
}

static void holders_of_locks_of_files__are_said_each_once(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct judged j;
    for (uint64_t i = 0; i < 5; i++)
        builder_park(b, builder_thread(b, "w"), "flock", REC_OP_FILE_LOCK, 7 + i, 60 * SECOND, 0);
    judge_changed(&j, b, 10 * SECOND, name_holders);
    assert_int_equal(j.verdicts.count, 1);
    assert_evidence(&j, 0, "2 of 5: the lock is held by process 8 (b)");
    assert_evidence(&j, 0, "1 of 5: the lock is held by process 7");
    done(&j);

    b = recording_builder_create();
    builder_park(b, builder_thread(b, "w"), "flock", REC_OP_FILE_LOCK, 7, 60 * SECOND, 0);
    judge_changed(&j, b, 10 * SECOND, name_holders);
    assert_string_equal(j.verdicts.groups[0].evidence[1], "the lock is held by process 8 (b)");
    done(&j);
}

static void long_path_of_a_descriptor__is_told_to_its_end(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "read", REC_OP_IO_WAIT, 7, 60 * SECOND, 0);
    struct rec_descriptor *row = builder_descriptor(b, task);
    memset(row->name, '\n', sizeof(row->name) - 1); /* each is told as \x0a */
    memcpy(row->name, "/begin", 6);
    memcpy(row->name + sizeof(row->name) - 4, "end", 3);
    struct judged j;
    judge(&j, b, 10 * SECOND, NULL);
    assert_evidence(&j, 0, "descriptor 7 (/begin\\x0a\\x0a");
    assert_evidence(&j, 0, "\\x0a\\x0aend), in read");
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

static void poll__of_no_known_descriptor__is_not_told_to_wait_for_what_comes(void **state)
{
    static const struct {
        const char *call;
        uint32_t count;
        bool nothing;
    } rows[] = {{"poll", 0, true},
                {"__select", 0, true},
                {"ppoll", 1, false},
                {"io_uring_enter", 0, false}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        struct rec_task *task = builder_thread(b, "w");
        builder_park(b, task, rows[i].call, REC_OP_IO_WAIT, 0, 20 * SECOND, 0);
        task->wait_flags |= REC_WAIT_FDS;
        task->arg = rows[i].count;
        judge(&j, b, 10 * SECOND, NULL);
        assert_group(&j, 0, VERDICT_WAITING, 1, "io wait");
        assert_evidence(&j, 0,
                        rows[i].nothing ? "only a signal can end it" : "whatever comes next");
        if (rows[i].nothing)
            assert_no_evidence(&j, 0, "whatever comes next");
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
        assert_evidence(&j, 0,
                        "the select has no case that could ever be ready: nothing can wake it");
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

/* Tasks that wait on the same channels are told with these; else how many cases each has. */
static void cases__are_named_as_far_as_all_tasks_have_the_same(void **state)
{
    (void)state;
    const char *const said[] = {
        "cases: chan receive 0x600, chan send 0x700, chan send of a nil channel",
        "cases of each: 1 chan receive, 2 chan send", NULL};
    for (int differ = 0; differ < 3; differ++) {
        struct judged j;
        struct builder *b = recording_builder_create();
        for (uint64_t i = 0; i < 2; i++) {
            struct rec_task *task = builder_task(b, REC_KIND_TASK, "f");
            builder_park(b, task, "taskrt_select", REC_OP_SELECT, 0x7ffe10, 20 * SECOND, 0);
            uint32_t first = builder_case(b, REC_OP_CHAN_RECEIVE, differ == 1 ? 0x600 + i : 0x600);
            builder_case(b, REC_OP_CHAN_SEND, 0x700);
            builder_case(b, differ == 2 && i == 1 ? REC_OP_CHAN_RECEIVE : REC_OP_CHAN_SEND, 0);
            builder_select(task, first, 3);
            task->arg = 3;
        }
        judge(&j, b, 10 * SECOND, NULL);
        assert_evidence(&j, 0, "3 cases, no task waiting on the other side of any");
        if (said[differ])
            assert_evidence(&j, 0, said[differ]);
        else
            assert_no_evidence(&j, 0, "cases:");
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
        cmocka_unit_test(poll_of_one_connection__stuck),
        cmocka_unit_test(read_of_events__is_idle),
        cmocka_unit_test(read_on_a_descriptor__stuck),
        cmocka_unit_test(different_descriptors__the_first_ones_are_told),
        cmocka_unit_test(holders_of_locks_of_files__are_said_each_once),
        cmocka_unit_test(long_path_of_a_descriptor__is_told_to_its_end),
        cmocka_unit_test(first_queue_of_a_system__is_told_by_its_number),
        cmocka_unit_test(system_task__waiting),
        cmocka_unit_test(idle_by_its_stack__waiting),
        cmocka_unit_test(select__of_a_task_without_cases__is_leaked),
        cmocka_unit_test(select__of_a_goroutine_without_cases__is_leaked_only_when_they_were_read),
        cmocka_unit_test(poll__of_no_descriptor__is_told_without_one),
        cmocka_unit_test(poll__of_no_known_descriptor__is_not_told_to_wait_for_what_comes),
        cmocka_unit_test(select__leaked_only_when_all_cases_are_nil),
        cmocka_unit_test(select__of_which_not_all_cases_were_recorded__says_more),
        cmocka_unit_test(cases__are_named_as_far_as_all_tasks_have_the_same),
        cmocka_unit_test(select__that_sends_and_receives__is_no_partner_of_its_own),
        cmocka_unit_test(process__is_told_as_waitpid_is_given_it),
        cmocka_unit_test(goroutine_and_its_thread__are_counted_once),
        cmocka_unit_test(nil_channel__leaked),
        cmocka_unit_test(goroutine__found_by_its_collector__leaked_below_the_threshold),
        cmocka_unit_test(channel__evidence_says_who_else_waits),
        cmocka_unit_test(many_channels__evidence_says_what_they_share),
        cmocka_unit_test(ended_thread__unjoined),
        cmocka_unit_test(ended_thread_of_unknown_age__unjoined),
        cmocka_unit_test(lost_tasks__weaken_the_evidence),
        cmocka_unit_test(lost_tasks__change_nothing_of_a_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
