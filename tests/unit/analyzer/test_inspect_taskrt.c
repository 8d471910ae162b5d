/* Tasks of libtaskrt from memory that holds them, that moves while it is read, and that was made to
 * mislead. */
#include "analyzer/inspect/taskrt.h"
#include "analyzer/inspect/taskrt_list.h"
#include "tests/unit/analyzer/inspect_here.h"

struct task {
    struct task *next_all;
    uint32_t state, reason, object_count, unused;
    uint64_t object, wait_count;
    int64_t deadline_ns, parked_ns;
    uint64_t id;
    char name[32];
    uint64_t start, spawner_id, stack_low, stack_high, context_sp, tool;
};

struct chan {
    uint64_t lock, capacity, length;
    uint32_t closed;
};

struct mutex {
    uint64_t lock;
    struct task *owner;
};

struct select_case {
    uint32_t direction;
    struct chan *chan;
    void *element;
    int result;
};

static struct task tasks[3000];
static struct chan chans[3] = {{0, 4, 4, 0}, {0, 0, 0, 1}, {0, 2, 7, 0}};
static struct mutex mutexes[2];
static struct select_case cases[3] = {
    {1, &chans[0], NULL, 0}, {0, NULL, NULL, 0}, {0, &chans[1], NULL, 0}};
static struct taskrt_inspect table;

static void link_tasks(size_t count)
{
    memset(tasks, 0, sizeof(tasks));
    for (size_t i = 0; i < count; i++) {
        tasks[i].next_all = i + 1 < count ? &tasks[i + 1] : NULL;
        tasks[i].id = i + 1;
        tasks[i].state = TASKRT_STATE_PARKED;
        tasks[i].reason = TASKRT_REASON_SLEEP;
        tasks[i].wait_count = 1 + i;
        tasks[i].deadline_ns = INT64_MAX;
        tasks[i].start = 0x1000 + i % 2;
    }
    table = (struct taskrt_inspect){
        .magic = TASKRT_INSPECT_MAGIC,
        .version = TASKRT_INSPECT_VERSION,
        .bytes = sizeof(table),
        .head = (uintptr_t)tasks,
        .live = count,
        .next_all = offsetof(struct task, next_all),
        .state = offsetof(struct task, state),
        .reason = offsetof(struct task, reason),
        .object_count = offsetof(struct task, object_count),
        .object = offsetof(struct task, object),
        .wait_count = offsetof(struct task, wait_count),
        .deadline_ns = offsetof(struct task, deadline_ns),
        .parked_ns = offsetof(struct task, parked_ns),
        .id = offsetof(struct task, id),
        .name = offsetof(struct task, name),
        .start = offsetof(struct task, start),
        .spawner_id = offsetof(struct task, spawner_id),
        .stack_low = offsetof(struct task, stack_low),
        .stack_high = offsetof(struct task, stack_high),
        .context_sp = offsetof(struct task, context_sp),
        .tool = offsetof(struct task, tool),
        .context_fp = 48,
        .context_pc = 56,
        .context_bytes = 64,
        .chan_capacity = offsetof(struct chan, capacity),
        .chan_length = offsetof(struct chan, length),
        .chan_closed = offsetof(struct chan, closed),
        .case_bytes = sizeof(struct select_case),
        .mutex_owner = offsetof(struct mutex, owner),
        .task_bytes = sizeof(struct task),
    };
}

static void wait_on(size_t number, enum taskrt_reason reason, const void *object)
{
    tasks[number].reason = reason;
    tasks[number].object = (uintptr_t)object;
}

static void tell_tasks(void)
{
    struct taskrt_inspect found;
    uint32_t version;
    assert_int_equal(taskrt_read_table(&image, (uintptr_t)&table, &found, &version), TASKRT_FOUND);
    assert_true(inspect_taskrt_tell(&inspection, &found));
}

static void waits_of_tasks__are_told(void **state)
{
    (void)state;
    link_tasks(9);
    wait_on(0, TASKRT_REASON_SEND, &chans[0]);
    wait_on(1, TASKRT_REASON_RECEIVE, &chans[1]);
    wait_on(2, TASKRT_REASON_RECEIVE, NULL);
    wait_on(3, TASKRT_REASON_SELECT, cases);
    tasks[3].object_count = 3;
    wait_on(4, TASKRT_REASON_MUTEX, &mutexes[0]);
    mutexes[0].owner = &tasks[7];
    wait_on(5, TASKRT_REASON_JOIN, &tasks[6]);
    tasks[5].deadline_ns = 77;
    tasks[6].state = TASKRT_STATE_RUNNING;
    tasks[7].state = TASKRT_STATE_RUNNABLE;
    tasks[8].state = TASKRT_STATE_FREE;
    strcpy(tasks[0].name, "a name of more than 16");
    tasks[0].spawner_id = 8;
    inspection_begin();
    tell_tasks();
    assert_int_equal(snapshot.task_count, 8);
    assert_int_equal(snapshot.runtimes, REC_RUNTIME_TASKRT);

    const struct snapshot_task *task = task_of(1);
    assert_string_equal(op_of(task), "chan send");
    assert_string_equal(snapshot.calls[task->call].name, "taskrt_send");
    assert_int_equal(task->kind, REC_KIND_TASK);
    assert_int_equal(task->object, (uintptr_t)&chans[0]);
    assert_int_equal(task->detail_flags & REC_DETAIL_CHANNEL, REC_DETAIL_CHANNEL);
    assert_int_equal(task->detail_a, 4);
    assert_int_equal(task->detail_b, 4);
    assert_string_equal(snapshot_extra(&snapshot, task)->name, "a name of more t");
    assert_int_equal(task->spawner, 8);
    assert_int_equal(task->parked_ns, SNAPSHOT_AGE_UNKNOWN);
    assert_int_equal(task->flags, SNAPSHOT_PARKED | SNAPSHOT_SETTLED);
    assert_int_equal(task->wait_number, 1);
    assert_int_equal(snapshot.sites[task->spawn_site].flags, SNAPSHOT_SITE_START);
    assert_int_equal(snapshot.pcs[snapshot.sites[task->spawn_site].first_pc], 0x1001);

    task = task_of(2);
    assert_true(task->detail_flags & REC_DETAIL_CLOSED);
    assert_int_equal(task_of(3)->object, 0);

    task = task_of(4);
    assert_string_equal(op_of(task), "select");
    assert_int_equal(snapshot_extra(&snapshot, task)->arg, 3);
    assert_int_equal(snapshot_extra(&snapshot, task)->case_count, 3);
    const struct snapshot_case *row = &snapshot.cases[snapshot_extra(&snapshot, task)->case_first];
    assert_int_equal(row[0].op, REC_OP_CHAN_SEND);
    assert_int_equal(row[0].object, (uintptr_t)&chans[0]);
    assert_int_equal(row[1].object, 0);
    assert_int_equal(row[2].op, REC_OP_CHAN_RECEIVE);
    assert_true(row[2].detail_flags & REC_DETAIL_CLOSED);

    task = task_of(5);
    assert_true(task->detail_flags & REC_DETAIL_OWNER_ROW);
    assert_int_equal(task->detail_a, owner_row(task_of(8)));
    task = task_of(6);
    assert_int_equal(task->object, task_of(7)->handle);
    assert_true(task->flags & SNAPSHOT_DEADLINE);
    assert_false(task_of(7)->flags & SNAPSHOT_PARKED);
    assert_false(task_of(8)->flags & SNAPSHOT_PARKED);
    inspection_end();
}

/* While the second batch of tasks is read, a lock is handed on whose waiter was in the first. */
static void hand_on(uint64_t address, size_t bytes)
{
    (void)bytes;
    if (address == (uintptr_t)&mutexes[1].owner)
        mutexes[0].owner = &tasks[5];
}

static void holders__are_read_when_all_tasks_were(void **state)
{
    (void)state;
    link_tasks(2000);
    wait_on(0, TASKRT_REASON_MUTEX, &mutexes[0]);
    wait_on(1999, TASKRT_REASON_MUTEX, &mutexes[1]);
    mutexes[0].owner = &tasks[1999];
    mutexes[1].owner = &tasks[0];
    inspection_begin();
    memory.before_read = hand_on;
    tell_tasks();
    assert_true(task_of(1)->detail_flags & REC_DETAIL_OWNER_ROW);
    assert_int_equal(task_of(1)->detail_a, owner_row(task_of(6)));
    assert_int_equal(task_of(2000)->detail_a, owner_row(task_of(1)));
    inspection_end();
}

static unsigned holder_reads;
static void wake_waiter(uint64_t address, size_t bytes)
{
    (void)bytes;
    if (address == (uintptr_t)&mutexes[0].owner && ++holder_reads == 2)
        tasks[0].state = TASKRT_STATE_RUNNABLE;
}

static void task_that_is_woken_while_holders_are_read__is_not_settled(void **state)
{
    (void)state;
    link_tasks(2);
    wait_on(0, TASKRT_REASON_MUTEX, &mutexes[0]);
    wait_on(1, TASKRT_REASON_MUTEX, &mutexes[1]);
    mutexes[0].owner = &tasks[1];
    mutexes[1].owner = &tasks[0];
    inspection_begin();
    memory.before_read = wake_waiter;
    holder_reads = 0;
    tell_tasks();
    assert_true(task_of(1)->flags & SNAPSHOT_PARKED);
    assert_false(task_of(1)->flags & SNAPSHOT_SETTLED);
    assert_false(task_of(1)->detail_flags & REC_DETAIL_OWNER_ROW);
    assert_true(task_of(2)->flags & SNAPSHOT_SETTLED);
    inspection_end();
}

/* A lock is given to the first who waits for it, before that one is woken. */
static void lock_that_was_just_given__holds_up_nobody(void **state)
{
    (void)state;
    link_tasks(1);
    wait_on(0, TASKRT_REASON_MUTEX, &mutexes[0]);
    mutexes[0].owner = &tasks[0];
    inspection_begin();
    tell_tasks();
    assert_false(task_of(1)->detail_flags & REC_DETAIL_OWNER_ROW);
    inspection_end();
}

static void many_tasks__are_all_told(void **state)
{
    (void)state;
    link_tasks(3000);
    inspection_begin();
    tell_tasks();
    assert_int_equal(snapshot.task_count, 3000);
    assert_int_equal(snapshot.note_count, 0);
    inspection_end();
}

/* A list that comes back to itself, or leads nowhere. */
static void list_that_is_none__ends_and_is_said(void **state)
{
    struct task *const nexts[] = {&tasks[0], &tasks[9], (struct task *)8, (struct task *)0x123457,
                                  (struct task *)(uintptr_t)0xfffffffffffffff8};
    (void)state;
    for (size_t i = 0; i < sizeof(nexts) / sizeof(*nexts); i++) {
        link_tasks(10);
        tasks[9].next_all = nexts[i];
        inspection_begin();
        tell_tasks();
        assert_int_equal(snapshot.task_count, 10);
        assert_int_equal(snapshot.note_count, 1);
        assert_non_null(snapshot.doubt);
        inspection_end();
    }
}

static void table_that_is_none__is_refused(void **state)
{
    struct taskrt_inspect found;
    uint32_t version = 0;
    (void)state;
    inspection_begin();
    link_tasks(1);
    table.version = 9;
    assert_int_equal(taskrt_read_table(&image, (uintptr_t)&table, &found, &version),
                     TASKRT_UNKNOWN);
    assert_int_equal(version, 9);
    link_tasks(1);
    table.magic++;
    assert_int_equal(taskrt_read_table(&image, (uintptr_t)&table, &found, &version), TASKRT_NONE);
    link_tasks(1);
    table.head = 0;
    assert_int_equal(taskrt_read_table(&image, (uintptr_t)&table, &found, &version), TASKRT_NONE);
    uint32_t *const offsets[] = {&table.next_all,    &table.state,         &table.wait_count,
                                 &table.name,        &table.context_pc,    &table.context_sp,
                                 &table.chan_length, &table.mutex_owner,   &table.case_bytes,
                                 &table.task_bytes,  &table.context_bytes, &table.object};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
        link_tasks(1);
        *offsets[i] = 0x7ffffff8;
        assert_int_equal(taskrt_read_table(&image, (uintptr_t)&table, &found, &version),
                         TASKRT_UNKNOWN);
    }
    inspection_end();
}

/* The second task wakes and parks again whenever its state is read. */
static void move_second(uint64_t address, size_t bytes)
{
    uint64_t task = (uintptr_t)&tasks[1];
    if (address <= task && task < address + bytes) {
        tasks[1].wait_count++;
        tasks[1].object = tasks[1].wait_count % 2 ? (uintptr_t)&chans[0] : (uintptr_t)&chans[1];
    }
}

static void task_that_moves__runs(void **state)
{
    (void)state;
    link_tasks(3);
    for (size_t i = 0; i < 3; i++)
        wait_on(i, TASKRT_REASON_SEND, &chans[0]);
    inspection_begin();
    memory.before_read = move_second;
    tell_tasks();
    assert_int_equal(snapshot.task_count, 3);
    assert_true(task_of(1)->flags & SNAPSHOT_PARKED);
    assert_false(task_of(2)->flags & SNAPSHOT_PARKED);
    assert_true(task_of(3)->flags & SNAPSHOT_PARKED);
    inspection_end();
}

static void bits_that_flip__harm_nobody(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        link_tasks(50);
        for (size_t i = 0; i < 50; i++)
            wait_on(i, (enum taskrt_reason)(1 + i % 9),
                    i % 9 == 2 ? (const void *)cases : (const void *)&chans[i % 3]);
        for (size_t i = 0; i < 50; i++) {
            tasks[i].object_count = 3;
            tasks[i].stack_low = (uintptr_t)tasks;
            tasks[i].stack_high = (uintptr_t)tasks + sizeof(tasks);
            tasks[i].context_sp = (uintptr_t)&tasks[i + 1];
        }
        inspection_begin();
        struct taskrt_inspect found;
        uint32_t version;
        memory.seed = seed;
        memory.flip_one_in = 1 + seed % 20;
        if (taskrt_read_table(&image, (uintptr_t)&table, &found, &version) == TASKRT_FOUND) {
            assert_true(inspect_taskrt_tell(&inspection, &found));
            assert_true(snapshot.task_count <= 60);
        }
        assert_true(builder_is_complete(inspection.builder));
        inspection_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_of_tasks__are_told),
        cmocka_unit_test(holders__are_read_when_all_tasks_were),
        cmocka_unit_test(task_that_is_woken_while_holders_are_read__is_not_settled),
        cmocka_unit_test(lock_that_was_just_given__holds_up_nobody),
        cmocka_unit_test(many_tasks__are_all_told),
        cmocka_unit_test(list_that_is_none__ends_and_is_said),
        cmocka_unit_test(table_that_is_none__is_refused),
        cmocka_unit_test(task_that_moves__runs),
        cmocka_unit_test(bits_that_flip__harm_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
