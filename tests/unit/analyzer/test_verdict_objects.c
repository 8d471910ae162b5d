/* What is said of tasks that wait for descriptors, for objects of the kernel, or for processes. */
#include <stdio.h>
#include <string.h>

#include "analyzer/verdict/object_look.h"
#include "tests/unit/analyzer/judged.h"

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
        assert_int_equal(object_look_at(&j.snapshot, NULL, 0).kind, rows[i].kind);
        if (rows[i].says)
            assert_evidence(&j, 0, rows[i].says);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_of_one_connection__stuck),
        cmocka_unit_test(read_of_events__is_idle),
        cmocka_unit_test(read_on_a_descriptor__stuck),
        cmocka_unit_test(different_descriptors__the_first_ones_are_told),
        cmocka_unit_test(holders_of_locks_of_files__are_said_each_once),
        cmocka_unit_test(long_path_of_a_descriptor__is_told_to_its_end),
        cmocka_unit_test(first_queue_of_a_system__is_told_by_its_number),
        cmocka_unit_test(poll__of_no_descriptor__is_told_without_one),
        cmocka_unit_test(poll__of_no_known_descriptor__is_not_told_to_wait_for_what_comes),
        cmocka_unit_test(process__is_told_as_waitpid_is_given_it),
        cmocka_unit_test(goroutine_and_its_thread__are_counted_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
