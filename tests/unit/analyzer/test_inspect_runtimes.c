/* Tasks of libtaskrt and goroutines of libgo from memory that holds them, that moves while it is
 * read, and that was made to mislead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cmocka.h>

#include "analyzer/inspect/go_tasks.h"
#include "analyzer/inspect/libgo.h"
#include "analyzer/inspect/taskrt.h"
#include "analyzer/inspect/taskrt_list.h"
#include "preload/goscan/libgo_layout.h"
#include "preload/goscan/reasons.h"

/* ---- The image: this process's own memory, read so that nothing can fault ---- */

struct own_memory {
    struct mem_reader reader;
    unsigned flip_one_in; /* of the pieces, one bit; 0: of none */
    unsigned seed;
    uint64_t pieces; /* that were asked for */
    void (*before_read)(uint64_t address, size_t bytes);
};

static struct own_memory memory;
static struct image image;
static struct snapshot snapshot;
static struct inspection inspection;

static unsigned draw(void)
{
    memory.seed = memory.seed * 1103515245U + 12345U;
    return memory.seed >> 8;
}

static void read_own(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    memory.pieces += count;
    for (size_t i = 0; i < count; i++) {
        if (memory.before_read)
            memory.before_read(pieces[i].address, pieces[i].bytes);
        struct iovec to = {pieces[i].to, pieces[i].bytes};
        struct iovec from = {(void *)(uintptr_t)pieces[i].address, pieces[i].bytes};
        pieces[i].ok = process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)pieces[i].bytes;
        if (pieces[i].ok && pieces[i].bytes && memory.flip_one_in &&
            draw() % memory.flip_one_in == 0)
            ((unsigned char *)pieces[i].to)[draw() % pieces[i].bytes] ^=
                (unsigned char)(1U << draw() % 8);
    }
}

static void begin(void)
{
    static char exe[] = "app";
    memory.reader.read = read_own;
    image = (struct image){.exe = exe, .live = true, .memory = &memory.reader};
    image.modules = calloc(1, sizeof(*image.modules));
    image.module_count = 1;
    snapshot_init(&snapshot);
    inspection = (struct inspection){.image = &image, .builder = builder_create(&snapshot)};
    assert_non_null(inspection.builder);
}

static void end(void)
{
    debug_unwind_destroy(inspection.unwind);
    builder_destroy(inspection.builder);
    snapshot_deinit(&snapshot);
    free(image.modules);
    memory = (struct own_memory){0};
}

static const struct snapshot_task *task_of(uint64_t id)
{
    for (size_t i = 0; i < snapshot.task_count; i++) {
        if (snapshot.tasks[i].id == id)
            return &snapshot.tasks[i];
    }
    fail_msg("no task %d", (int)id);
    return NULL;
}

/* What REC_DETAIL_OWNER_ROW calls it by. */
static uint32_t owner_row(const struct snapshot_task *task)
{
    return (uint32_t)(task - snapshot.tasks) + 1;
}

static const char *op_of(const struct snapshot_task *task)
{
    return snapshot.calls[task->call].op;
}

/* ---- libtaskrt ---- */

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
    begin();
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
    end();
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
    begin();
    memory.before_read = hand_on;
    tell_tasks();
    assert_true(task_of(1)->detail_flags & REC_DETAIL_OWNER_ROW);
    assert_int_equal(task_of(1)->detail_a, owner_row(task_of(6)));
    assert_int_equal(task_of(2000)->detail_a, owner_row(task_of(1)));
    end();
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
    begin();
    memory.before_read = wake_waiter;
    holder_reads = 0;
    tell_tasks();
    assert_true(task_of(1)->flags & SNAPSHOT_PARKED);
    assert_false(task_of(1)->flags & SNAPSHOT_SETTLED);
    assert_false(task_of(1)->detail_flags & REC_DETAIL_OWNER_ROW);
    assert_true(task_of(2)->flags & SNAPSHOT_SETTLED);
    end();
}

/* A lock is given to the first who waits for it, before that one is woken. */
static void lock_that_was_just_given__holds_up_nobody(void **state)
{
    (void)state;
    link_tasks(1);
    wait_on(0, TASKRT_REASON_MUTEX, &mutexes[0]);
    mutexes[0].owner = &tasks[0];
    begin();
    tell_tasks();
    assert_false(task_of(1)->detail_flags & REC_DETAIL_OWNER_ROW);
    end();
}

static void many_tasks__are_all_told(void **state)
{
    (void)state;
    link_tasks(3000);
    begin();
    tell_tasks();
    assert_int_equal(snapshot.task_count, 3000);
    assert_int_equal(snapshot.note_count, 0);
    end();
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
        begin();
        tell_tasks();
        assert_int_equal(snapshot.task_count, 10);
        assert_int_equal(snapshot.note_count, 1);
        assert_non_null(snapshot.doubt);
        end();
    }
}

static void table_that_is_none__is_refused(void **state)
{
    struct taskrt_inspect found;
    uint32_t version = 0;
    (void)state;
    begin();
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
    end();
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
    begin();
    memory.before_read = move_second;
    tell_tasks();
    assert_int_equal(snapshot.task_count, 3);
    assert_true(task_of(1)->flags & SNAPSHOT_PARKED);
    assert_false(task_of(2)->flags & SNAPSHOT_PARKED);
    assert_true(task_of(3)->flags & SNAPSHOT_PARKED);
    end();
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
        begin();
        struct taskrt_inspect found;
        uint32_t version;
        memory.seed = seed;
        memory.flip_one_in = 1 + seed % 20;
        if (taskrt_read_table(&image, (uintptr_t)&table, &found, &version) == TASKRT_FOUND) {
            assert_true(inspect_taskrt_tell(&inspection, &found));
            assert_true(snapshot.task_count <= 60);
        }
        assert_true(builder_is_complete(inspection.builder));
        end();
    }
}

/* ---- libgo ---- */

#define GOROUTINES 8

static unsigned char gs[GOROUTINES][LIBGO_G_BYTES] __attribute__((aligned(8)));
static unsigned char sudogs[4][LIBGO_SUDOG_BYTES] __attribute__((aligned(8)));
static unsigned char hchans[2][LIBGO_CHAN_BYTES] __attribute__((aligned(8)));
static uint64_t all_gs[GOROUTINES];
static uint64_t all_g_pointer, all_g_count;
static struct libgo_runtime runtime;

static void put(unsigned char *to, size_t offset, uint64_t word)
{
    memcpy(to + offset, &word, sizeof(word));
}

static uint8_t reason_of(const char *text)
{
    for (uint32_t i = 0; i < runtime.reason_count; i++) {
        if (strcmp(runtime.reasons[i].text, text) == 0)
            return (uint8_t)i;
    }
    fail_msg("no reason %s", text);
    return 0;
}

static void add_reason(const char *text)
{
    const struct go_reason_rule *rule = go_reason_rule(text);
    struct go_reason *reason = &runtime.reasons[runtime.reason_count++];
    snprintf(reason->text, sizeof(reason->text), "%s", text);
    reason->op = rule->op;
    reason->object = rule->object;
    reason->lock = rule->lock;
    reason->idle = rule->idle;
    reason->deadline = rule->deadline;
}

static void make_goroutines(void)
{
    memset(gs, 0, sizeof(gs));
    memset(sudogs, 0, sizeof(sudogs));
    memset(hchans, 0, sizeof(hchans));
    runtime = (struct libgo_runtime){.module = 1,
                                     .all_g_pointer = (uintptr_t)&all_g_pointer,
                                     .all_g_count = (uintptr_t)&all_g_count};
    add_reason("chan send");
    add_reason("select");
    add_reason("sleep");
    add_reason("force gc (idle)");
    all_g_pointer = (uintptr_t)all_gs;
    all_g_count = GOROUTINES;
    for (uint64_t i = 0; i < GOROUTINES; i++) {
        all_gs[i] = (uintptr_t)gs[i];
        put(gs[i], LIBGO_G_STATUS, 4);
        put(gs[i], LIBGO_G_GOID, i + 1);
        put(gs[i], LIBGO_G_GOPC, 0x5000);
        gs[i][LIBGO_G_WAITREASON] = reason_of("sleep");
        gs[i][LIBGO_G_TRACKINGSEQ] = (unsigned char)(i + 7);
    }
    put(hchans[0], LIBGO_CHAN_CAPACITY, 3);
    put(hchans[0], LIBGO_CHAN_LENGTH, 2);
}

static void wait_in(int sudog, int g, int channel, bool send)
{
    put(sudogs[sudog], LIBGO_SUDOG_G, (uintptr_t)gs[g]);
    put(sudogs[sudog], LIBGO_SUDOG_CHAN, (uintptr_t)hchans[channel]);
    put(hchans[channel], send ? LIBGO_CHAN_SENDERS : LIBGO_CHAN_RECEIVERS,
        (uintptr_t)sudogs[sudog]);
}

static void waits_of_goroutines__are_told(void **state)
{
    (void)state;
    make_goroutines();
    gs[0][LIBGO_G_WAITREASON] = reason_of("chan send");
    put(gs[0], LIBGO_G_WAITING, (uintptr_t)sudogs[0]);
    wait_in(0, 0, 0, true);
    gs[1][LIBGO_G_WAITREASON] = reason_of("select");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 1, 0, false);
    put(sudogs[1], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[2]);
    wait_in(2, 1, 1, true);
    gs[2][LIBGO_G_WAITREASON] = reason_of("force gc (idle)");
    gs[2][LIBGO_G_SYSTEM] = 1;
    put(gs[3], LIBGO_G_STATUS, 2);
    put(gs[4], LIBGO_G_STATUS, 0x1004); /* the collector looks at it */
    put(gs[5], LIBGO_G_STATUS, 6);
    put(gs[6], LIBGO_G_STATUS, 1);
    begin();
    image.taken_monotonic_ns = 9000;
    put(gs[4], LIBGO_G_WAITSINCE, 2000);
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES - 1); /* one is dead */
    assert_int_equal(snapshot.loss.unreadable, 0);

    const struct snapshot_task *task = task_of(1);
    assert_string_equal(op_of(task), "chan send");
    assert_int_equal(task->kind, REC_KIND_GOROUTINE);
    assert_int_equal(task->object, (uintptr_t)hchans[0]);
    assert_int_equal(task->detail_a, 3);
    assert_int_equal(task->detail_b, 2);
    assert_int_equal(task->wait_number, 0x107);
    task = task_of(2);
    assert_int_equal(snapshot_extra(&snapshot, task)->case_count, 2);
    assert_int_equal(snapshot.cases[snapshot_extra(&snapshot, task)->case_first].op,
                     REC_OP_CHAN_RECEIVE);
    assert_int_equal(snapshot.cases[snapshot_extra(&snapshot, task)->case_first + 1].op,
                     REC_OP_CHAN_SEND);
    assert_true(task_of(3)->flags & SNAPSHOT_SYSTEM);
    assert_false(task_of(4)->flags & SNAPSHOT_PARKED);
    task = task_of(5);
    assert_true(task->flags & SNAPSHOT_PARKED);
    assert_true(task->flags & SNAPSHOT_DEADLINE);
    assert_int_equal(task->parked_ns, 7000);
    assert_false(task_of(7)->flags & SNAPSHOT_PARKED);
    end();
}

static void move_first(uint64_t address, size_t bytes)
{
    if (address <= (uintptr_t)gs[0] && (uintptr_t)gs[0] < address + bytes)
        gs[0][LIBGO_G_TRACKINGSEQ]++;
}

static void goroutine_that_moves__runs(void **state)
{
    (void)state;
    make_goroutines();
    begin();
    memory.before_read = move_first;
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES);
    assert_false(task_of(1)->flags & SNAPSHOT_PARKED);
    assert_true(task_of(2)->flags & SNAPSHOT_PARKED);
    end();
}

static void sudogs_that_go_round__end(void **state)
{
    (void)state;
    make_goroutines();
    gs[1][LIBGO_G_WAITREASON] = reason_of("select");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 1, 0, false);
    put(sudogs[1], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[1]);
    put(sudogs[1], LIBGO_SUDOG_PREV, (uintptr_t)sudogs[1]);
    begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES);
    assert_false(task_of(2)->flags & SNAPSHOT_PARKED);
    end();
}

/* Behind the first one, so that only the number of them tells. */
static void sudogs_without_end__are_told_as_more_than_are_kept(void **state)
{
    (void)state;
    make_goroutines();
    gs[1][LIBGO_G_WAITREASON] = reason_of("select");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 1, 0, false);
    wait_in(2, 1, 1, false);
    put(sudogs[1], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[2]);
    put(sudogs[2], LIBGO_SUDOG_WAITLINK, (uintptr_t)sudogs[2]);
    begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot_extra(&snapshot, task_of(2))->case_count, GO_MAX_CASES);
    assert_int_equal(snapshot_extra(&snapshot, task_of(2))->arg, GO_MAX_CASES + 1);
    assert_in_range(memory.pieces, 1, 1000);
    end();
}

/* Nothing at g.waiting may also mean that it is kept elsewhere. */
static void select_without_cases__is_believed_where_another_has_some(void **state)
{
    (void)state;
    for (int found = 0; found <= 1; found++) {
        make_goroutines();
        gs[1][LIBGO_G_WAITREASON] = reason_of("select");
        gs[2][LIBGO_G_WAITREASON] = reason_of("chan send");
        if (found) {
            put(gs[2], LIBGO_G_WAITING, (uintptr_t)sudogs[0]);
            wait_in(0, 2, 0, true);
        }
        begin();
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_true(task_of(2)->flags & SNAPSHOT_PARKED);
        assert_int_equal(snapshot_extra(&snapshot, task_of(2))->arg, 0);
        assert_int_equal((task_of(2)->flags & SNAPSHOT_CASES_KNOWN) != 0, found);
        end();
    }
}

/* ---- Timers of libgo: one of the only processor, on the first channel ---- */

static unsigned char processor[LIBGO_P_TIMERS + 16] __attribute__((aligned(8)));
static unsigned char timer[LIBGO_TIMER_BYTES] __attribute__((aligned(8)));
static uint64_t all_p[2], processors[1], timers[1], send_time;

static void make_timer(void)
{
    make_goroutines();
    add_reason("chan receive");
    gs[1][LIBGO_G_WAITREASON] = reason_of("chan receive");
    put(gs[1], LIBGO_G_WAITING, (uintptr_t)sudogs[0]);
    wait_in(0, 1, 0, false);
    gs[2][LIBGO_G_WAITREASON] = reason_of("chan receive");
    put(gs[2], LIBGO_G_WAITING, (uintptr_t)sudogs[1]);
    wait_in(1, 2, 1, false);
    send_time = 0x7000;
    put(timer, LIBGO_TIMER_FUNCTION, (uintptr_t)&send_time);
    put(timer, LIBGO_TIMER_ARG + 8, (uintptr_t)hchans[0]);
    put(timer, LIBGO_TIMER_STATUS, 1);
    timers[0] = (uintptr_t)timer;
    put(processor, LIBGO_P_TIMERS, (uintptr_t)timers);
    put(processor, LIBGO_P_TIMERS + 8, 1);
    processors[0] = (uintptr_t)processor;
    all_p[0] = (uintptr_t)processors;
    all_p[1] = 1;
    runtime.all_p = (uintptr_t)all_p;
    runtime.send_time = 0x7000;
}

static void timer_that_is_set__is_the_deadline_of_who_receives(void **state)
{
    (void)state;
    for (uint64_t status = 0; status <= 1; status++) {
        make_timer();
        put(timer, LIBGO_TIMER_STATUS, status);
        begin();
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_int_equal((task_of(2)->flags & SNAPSHOT_DEADLINE) != 0, status);
        assert_false(task_of(3)->flags & SNAPSHOT_DEADLINE);
        assert_int_equal(snapshot.note_count, 0);
        end();
    }
}

static void timers_that_cannot_be_read__are_said(void **state)
{
    (void)state;
    for (int what = 0; what < 5; what++) {
        make_timer();
        if (what == 0)
            runtime.send_time = 0; /* its symbol was taken out */
        else if (what == 1)
            all_p[1] = UINT64_MAX;
        else if (what == 2)
            processors[0] = 8;
        else if (what == 3)
            put(processor, LIBGO_P_TIMERS + 8, UINT64_C(1) << 40);
        else
            timers[0] = 8;
        begin();
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_false(task_of(2)->flags & SNAPSHOT_DEADLINE);
        assert_int_equal(snapshot.note_count, 1);
        assert_string_equal(snapshot.notes[0], go_tasks_timers_unknown);
        assert_in_range(memory.pieces, 1, 1000);
        end();
    }
}

static void timers__of_which_nobody_receives__are_not_missed(void **state)
{
    (void)state;
    make_goroutines();
    begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.note_count, 0);
    end();
}

/* ---- Lists of goroutines ---- */

#define LONG_LIST (UINT64_C(1) << 19)

static void long_list_of_nothing__is_given_up(void **state)
{
    (void)state;
    uint64_t *list = malloc(LONG_LIST * sizeof(*list));
    assert_non_null(list);
    for (uint64_t i = 0; i < LONG_LIST; i++)
        list[i] = 8;
    make_goroutines();
    list[0] = (uintptr_t)gs[0];
    all_g_pointer = (uintptr_t)list;
    all_g_count = LONG_LIST;
    begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 1);
    assert_int_equal(snapshot.loss.unreadable, LONG_LIST - 1);
    assert_in_range(memory.pieces, 1, LONG_LIST);
    end();
    free(list);
}

static void list__that_the_memory_cannot_hold__is_none(void **state)
{
    struct image_mapping mapping = {.start = 0x10000, .end = 0x11000};
    (void)state;
    make_goroutines();
    begin();
    image.mappings = &mapping;
    image.mapping_count = 1;
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_non_null(snapshot.doubt);
    end();

    make_goroutines();
    begin();
    mapping.end = mapping.start + GOROUTINES * (uint64_t)LIBGO_G_BYTES;
    image.mappings = &mapping;
    image.mapping_count = 1;
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, GOROUTINES);
    end();
}

static void lists_of_goroutines_that_are_none__are_said(void **state)
{
    (void)state;
    make_goroutines();
    all_g_count = UINT64_MAX;
    begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_non_null(snapshot.doubt);
    end();

    make_goroutines();
    all_g_pointer = 8;
    begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_non_null(snapshot.doubt);
    end();

    make_goroutines(); /* another libgo: nothing is where it should be */
    for (int i = 0; i < GOROUTINES; i++)
        put(gs[i], LIBGO_G_STATUS, 0x77);
    begin();
    assert_true(inspect_libgo_tell(&inspection, &runtime));
    assert_int_equal(snapshot.task_count, 0);
    assert_int_equal(snapshot.loss.unreadable, GOROUTINES);
    assert_non_null(snapshot.doubt);
    end();
}

static void bits_that_flip_in_goroutines__harm_nobody(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 300; seed++) {
        make_goroutines();
        for (int i = 0; i < 4; i++) {
            gs[i][LIBGO_G_WAITREASON] = reason_of(i % 2 ? "chan send" : "select");
            put(gs[i], LIBGO_G_WAITING, (uintptr_t)sudogs[i]);
            put(gs[i], LIBGO_G_CONTEXT + 8 * LIBGO_CONTEXT_RSP, (uintptr_t)gs);
            wait_in(i, i, i % 2, i < 2);
        }
        begin();
        memory.seed = seed;
        memory.flip_one_in = 1 + seed % 20;
        assert_true(inspect_libgo_tell(&inspection, &runtime));
        assert_true(builder_is_complete(inspection.builder));
        end();
    }
}

/* RWMutex.Lock takes the Mutex in the RWMutex first. */
static void writer_behind_another_one__waits_for_the_rwmutex(void **state)
{
    enum { SLOW = 0x1100, READ = 0x2100, WRITE = 0x3100, MUTEX_LOCK = 0x4100, OTHER = 0x5100 };
    static const struct libgo_runtime locking = {.lockers = {
                                                     {0x1000, 0x1200, GO_LOCK_MUTEX},
                                                     {0x2000, 0x2200, GO_LOCK_RWLOCK_READ},
                                                     {0x3000, 0x3200, GO_LOCK_RWLOCK_WRITE},
                                                 }};
    static const struct {
        uint64_t pcs[5];
        enum go_lock lock;
    } rows[] = {
        {{OTHER, SLOW, MUTEX_LOCK, WRITE, OTHER}, GO_LOCK_RWLOCK_MUTEX},
        {{OTHER, SLOW, WRITE, OTHER, OTHER}, GO_LOCK_RWLOCK_MUTEX},
        {{OTHER, SLOW, MUTEX_LOCK, OTHER, WRITE}, GO_LOCK_MUTEX},
        {{OTHER, SLOW, MUTEX_LOCK, READ, OTHER}, GO_LOCK_MUTEX},
        {{OTHER, OTHER, OTHER, OTHER, SLOW}, GO_LOCK_MUTEX},
        {{OTHER, WRITE, OTHER, OTHER, OTHER}, GO_LOCK_RWLOCK_WRITE},
        {{OTHER, OTHER, OTHER, OTHER, OTHER}, GO_LOCK_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_int_equal(libgo_lock_of(&locking, rows[i].pcs, 5), rows[i].lock);
    assert_int_equal(libgo_semaphore_offset(GO_LOCK_RWLOCK_MUTEX), LIBGO_MUTEX_SEMA);
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
        cmocka_unit_test(waits_of_goroutines__are_told),
        cmocka_unit_test(goroutine_that_moves__runs),
        cmocka_unit_test(sudogs_that_go_round__end),
        cmocka_unit_test(sudogs_without_end__are_told_as_more_than_are_kept),
        cmocka_unit_test(select_without_cases__is_believed_where_another_has_some),
        cmocka_unit_test(timer_that_is_set__is_the_deadline_of_who_receives),
        cmocka_unit_test(timers_that_cannot_be_read__are_said),
        cmocka_unit_test(timers__of_which_nobody_receives__are_not_missed),
        cmocka_unit_test(long_list_of_nothing__is_given_up),
        cmocka_unit_test(list__that_the_memory_cannot_hold__is_none),
        cmocka_unit_test(lists_of_goroutines_that_are_none__are_said),
        cmocka_unit_test(bits_that_flip_in_goroutines__harm_nobody),
        cmocka_unit_test(writer_behind_another_one__waits_for_the_rwmutex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
