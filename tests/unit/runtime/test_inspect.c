/* What a tool learns of a task through taskrt_inspect alone. */
#define UNW_LOCAL_ONLY
#include "in_task.h"

#include <dlfcn.h>
#include <errno.h>
#include <libunwind.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct parked {
    struct taskrt_chan *chan;
    void *caller; /* return address of park_here, to be found on the stack */
    int mode;
};

static struct taskrt_mutex mutex;
static struct taskrt_cond cond;
static struct taskrt_waitgroup group;
static int64_t deadline_ns;
static bool slept_enough;

__attribute__((noinline)) static void park_here(struct parked *parked)
{
    parked->caller = __builtin_return_address(0);
    taskrt_send(parked->chan, NULL);
    __asm__ volatile("" ::: "memory");
}

static void parks(void *arg)
{
    park_here(arg);
    __asm__ volatile("" ::: "memory");
}

/* The frames of a task that does not run, by its saved context. */
static size_t walk_frame_pointers(const struct taskrt_task *task, void **pcs, size_t capacity)
{
    const char *sp = (const char *)(uintptr_t)task_word(task, taskrt_inspect.context_sp);
    uintptr_t low = task_word(task, taskrt_inspect.stack_low);
    uintptr_t high = task_word(task, taskrt_inspect.stack_high);
    uintptr_t fp;
    size_t count = 0;
    memcpy(&fp, sp + taskrt_inspect.context_fp, sizeof fp);
    memcpy(&pcs[count++], sp + taskrt_inspect.context_pc, sizeof *pcs);
    while (count < capacity && fp > low && fp + 16 <= high) {
        pcs[count++] = ((void **)fp)[1];
        fp = ((uintptr_t *)fp)[0];
    }
    return fp == 0 ? count : 0;
}

static const char *function_at(void *pc)
{
    Dl_info info;
    return dladdr((char *)pc - 1, &info) && info.dli_sname ? info.dli_sname : "";
}

static int holds(void **pcs, size_t count, const void *pc)
{
    for (size_t i = 0; i < count; i++)
        if (pcs[i] == pc)
            return 1;
    return 0;
}

#if defined(__x86_64__)
/* The same by unwind tables: the stack must end cleanly at the task's entry. */
static size_t unwind(const struct taskrt_task *task, void **pcs, size_t capacity)
{
    const char *sp = (const char *)(uintptr_t)task_word(task, taskrt_inspect.context_sp);
    unw_context_t context;
    memset(&context, 0, sizeof context);
    greg_t *registers = context.uc_mcontext.gregs;
    memcpy(&registers[REG_RBP], sp + taskrt_inspect.context_fp, 8);
    memcpy(&registers[REG_RIP], sp + taskrt_inspect.context_pc, 8);
    registers[REG_RSP] = (greg_t)(uintptr_t)(sp + taskrt_inspect.context_bytes);
    unw_cursor_t cursor;
    if (unw_init_local(&cursor, &context) != 0)
        return 0;
    size_t count = 0;
    int step;
    do {
        unw_word_t pc = 0;
        unw_get_reg(&cursor, UNW_REG_IP, &pc);
        pcs[count++] = (void *)(uintptr_t)pc;
        step = unw_step(&cursor);
    } while (step > 0 && count < capacity);
    return step == 0 ? count : 0;
}
#endif

static void look_at_sender(void *arg)
{
    (void)arg;
    struct parked parked = {.chan = taskrt_chan_create(0, 0)};
    struct taskrt_options options = {.name = "leaky"};
    struct taskrt_task *task = NULL;
    uint64_t live = taskrt_inspect.live;
    expect_int(taskrt_spawn(&options, parks, &parked, &task), 0);
    expect_int(taskrt_inspect.live, live + 1);
    expect_int(task_word(task, taskrt_inspect.tool), 0);
    await_parked(task, TASKRT_REASON_SEND);

    expect_int(task_word(task, taskrt_inspect.object), (uintptr_t)parked.chan);
    expect_int(task_half(task, taskrt_inspect.object_count), 1);
    expect_int(task_word(task, taskrt_inspect.deadline_ns), TASKRT_NEVER);
    expect_int(task_word(task, taskrt_inspect.start), (uintptr_t)parks);
    expect_int(task_word(task, taskrt_inspect.spawner_id),
               task_word(taskrt_self(), taskrt_inspect.id));
    expect_int(strcmp((const char *)task + taskrt_inspect.name, "leaky"), 0);
    expect_int(task_word((struct taskrt_task *)parked.chan, taskrt_inspect.chan_capacity), 0);

    void *pcs[64];
    size_t count = walk_frame_pointers(task, pcs, 64);
    expect_int(count > 3, 1);
    expect_int(holds(pcs, count, parked.caller), 1);
    expect_int(count && strcmp(function_at(pcs[count - 1]), "taskrt_task_entry") != 0, 0);
#if defined(__x86_64__)
    count = unwind(task, pcs, 64);
    expect_int(count > 3, 1);
    expect_int(holds(pcs, count, parked.caller), 1);
    expect_int(count && strcmp(function_at(pcs[count - 1]), "taskrt_task_entry") != 0, 0);
#endif

    *(uint64_t *)((char *)task + taskrt_inspect.tool) = 77;
    expect_int(taskrt_receive(parked.chan, NULL), 0);
    join(task);
    expect_int(taskrt_inspect.live, live);
    taskrt_chan_close(parked.chan);
    expect_int(taskrt_spawn(&options, parks, &parked, &task), 0);
    expect_int(task_word(task, taskrt_inspect.tool), 0); /* also in reused memory */
    join(task);
    expect_int(taskrt_chan_destroy(parked.chan), 0);
}

static void parked_sender__is_described_to_the_frame(void **state)
{
    (void)state;
    assert_int_equal(taskrt_inspect.magic, TASKRT_INSPECT_MAGIC);
    assert_int_equal(taskrt_inspect.version, TASKRT_INSPECT_VERSION);
    assert_int_equal(taskrt_inspect.bytes, sizeof taskrt_inspect);
    in_task_on(1, look_at_sender, NULL, 0);
}

static void receive(void *arg)
{
    taskrt_receive(arg, NULL);
}

static void park_by_mode(void *arg)
{
    struct parked *parked = arg;
    struct taskrt_case cases[2] = {{.chan = parked->chan}, {.chan = NULL}};
    switch ((enum taskrt_reason)parked->mode) {
    case TASKRT_REASON_NONE:
    case TASKRT_REASON_SEND:
        taskrt_send_until(parked->chan, NULL, deadline_ns);
        break;
    case TASKRT_REASON_RECEIVE:
        taskrt_receive_until(parked->chan, NULL, deadline_ns);
        break;
    case TASKRT_REASON_SELECT:
        parked->caller = cases;
        taskrt_select(cases, 2, deadline_ns);
        break;
    case TASKRT_REASON_MUTEX:
        expect_int(taskrt_mutex_lock_until(&mutex, deadline_ns), 0);
        taskrt_mutex_unlock(&mutex);
        break;
    case TASKRT_REASON_COND: {
        struct taskrt_mutex own = {{0}};
        taskrt_mutex_lock(&own);
        taskrt_cond_wait_until(&cond, &own, deadline_ns);
        break;
    }
    case TASKRT_REASON_WAITGROUP:
        taskrt_waitgroup_wait_until(&group, deadline_ns);
        break;
    case TASKRT_REASON_JOIN:
        taskrt_join(parked->caller, deadline_ns);
        break;
    case TASKRT_REASON_SLEEP: /* again and again: on a busy machine one sleep may pass unseen */
        while (!slept_enough)
            taskrt_sleep(TASKRT_S);
        break;
    case TASKRT_REASON_FD:
        taskrt_wait_fd((int)(intptr_t)parked->caller, POLLIN, deadline_ns);
        break;
    }
}

static void wake_by_mode(int reason, struct taskrt_chan *chan, int fd)
{
    switch ((enum taskrt_reason)reason) {
    case TASKRT_REASON_SEND:
        expect_int(taskrt_receive(chan, NULL), 0);
        break;
    case TASKRT_REASON_RECEIVE:
    case TASKRT_REASON_SELECT:
    case TASKRT_REASON_JOIN: /* the one that is joined receives */
        expect_int(taskrt_send(chan, NULL), 0);
        break;
    case TASKRT_REASON_MUTEX:
        expect_int(taskrt_mutex_unlock(&mutex), 0);
        break;
    case TASKRT_REASON_COND:
        expect_int(taskrt_cond_signal(&cond), 0);
        break;
    case TASKRT_REASON_WAITGROUP:
        expect_int(taskrt_waitgroup_done(&group), 0);
        break;
    case TASKRT_REASON_FD:
        expect_int(write(fd, "x", 1), 1);
        break;
    case TASKRT_REASON_SLEEP:
        slept_enough = true;
        break;
    case TASKRT_REASON_NONE:
        break;
    }
}

static void look_at_each_reason(void *arg)
{
    (void)arg;
    int ends[2];
    expect_int(pipe(ends), 0);
    struct parked parked = {.chan = taskrt_chan_create(0, 0)};
    taskrt_mutex_lock(&mutex);
    taskrt_waitgroup_add(&group, 1);
    for (int reason = TASKRT_REASON_SEND; reason <= TASKRT_REASON_FD; reason++) {
        parked.mode = reason;
        parked.caller = reason == TASKRT_REASON_FD ? (void *)(intptr_t)ends[0] : NULL;
        struct taskrt_task *helper = NULL;
        if (reason == TASKRT_REASON_JOIN)
            parked.caller = helper = spawn(receive, parked.chan);
        deadline_ns = taskrt_now_ns() + 3600 * TASKRT_S;
        int64_t before_ns = taskrt_now_ns();
        struct taskrt_task *task = spawn(park_by_mode, &parked);
        await_parked(task, (enum taskrt_reason)reason);
        const uint64_t objects[] = {
            [TASKRT_REASON_SEND] = (uintptr_t)parked.chan,
            [TASKRT_REASON_RECEIVE] = (uintptr_t)parked.chan,
            [TASKRT_REASON_SELECT] = (uintptr_t)parked.caller,
            [TASKRT_REASON_MUTEX] = (uintptr_t)&mutex,
            [TASKRT_REASON_COND] = (uintptr_t)&cond,
            [TASKRT_REASON_WAITGROUP] = (uintptr_t)&group,
            [TASKRT_REASON_JOIN] = (uintptr_t)helper,
            [TASKRT_REASON_SLEEP] = 0,
            [TASKRT_REASON_FD] = (uint64_t)ends[0],
        };
        expect_int(task_word(task, taskrt_inspect.object), objects[reason]);
        expect_int(task_half(task, taskrt_inspect.object_count), reason == TASKRT_REASON_SELECT ? 2
                                                                 : reason == TASKRT_REASON_SLEEP
                                                                     ? 0
                                                                     : 1);
        if (reason == TASKRT_REASON_SLEEP)
            expect_int(task_word(task, taskrt_inspect.deadline_ns) - (uint64_t)before_ns >=
                               TASKRT_S &&
                           task_word(task, taskrt_inspect.deadline_ns) <=
                               (uint64_t)(taskrt_now_ns() + TASKRT_S),
                       1);
        else
            expect_int(task_word(task, taskrt_inspect.deadline_ns), deadline_ns);
        expect_int(task_word(task, taskrt_inspect.wait_count) > 0, 1);
        wake_by_mode(reason, parked.chan, ends[1]);
        join(task);
    }
    expect_int(taskrt_chan_destroy(parked.chan), 0);
    close(ends[0]);
    close(ends[1]);
}

static void each_reason__names_its_object_and_deadline(void **state)
{
    (void)state;
    in_task_on(1, look_at_each_reason, NULL, 0); /* a sleeper stays parked while it is looked at */
}

static void nothing(void *arg)
{
    (void)arg;
}

static void look_at_list(void *arg)
{
    (void)arg;
    struct taskrt_task *tasks[10];
    for (int i = 0; i < 10; i++)
        tasks[i] = spawn(nothing, NULL);
    int seen = 0;
    int live = 0;
    struct taskrt_task *task = (struct taskrt_task *)(uintptr_t)taskrt_inspect.head;
    for (; task; task = (struct taskrt_task *)(uintptr_t)task_word(task, taskrt_inspect.next_all)) {
        live += task_half(task, taskrt_inspect.state) != TASKRT_STATE_FREE;
        for (int i = 0; i < 10; i++)
            seen += task == tasks[i];
    }
    expect_int(seen, 10);
    expect_int(live, taskrt_inspect.live);
    /* One that never ran: its context is the entry, with nothing above it. */
    task = tasks[9];
    void *pcs[8];
    expect_int(walk_frame_pointers(task, pcs, 8), 1);
    expect_int(strcmp(function_at(pcs[0]), "taskrt_task_entry"), 0);
#if defined(__x86_64__)
    expect_int(unwind(task, pcs, 8), 1);
#endif
    for (int i = 0; i < 10; i++)
        join(tasks[i]);
}

static void list__holds_every_task(void **state)
{
    (void)state;
    in_task_on(1, look_at_list, NULL, 0);
}

/* What the calling thread says that it runs, where a tool would look. */
__attribute__((noinline)) static struct taskrt_task *running_task(void)
{
    const char *thread = __builtin_thread_pointer();
    return *(struct taskrt_task *const *)(thread + taskrt_inspect_current());
}

static void look_at_self(void *arg)
{
    (void)arg;
    for (int i = 0; i < 1000; i++) { /* on whichever thread it goes on */
        expect_int(running_task() == taskrt_self(), 1);
        taskrt_yield();
    }
}

static void look_at_many(void *arg)
{
    (void)arg;
    struct taskrt_task *tasks[20];
    for (int i = 0; i < 20; i++)
        tasks[i] = spawn(look_at_self, NULL);
    for (int i = 0; i < 20; i++)
        join(tasks[i]);
    expect_int(running_task() == taskrt_self(), 1);
}

static void running_task__is_where_the_thread_keeps_it(void **state)
{
    (void)state;
    assert_null(running_task());
    in_task_on(4, look_at_many, NULL, 0);
    assert_null(running_task());
}

/* A tool's thread that reads along while tasks begin, park and end, and between runs too. */
static _Atomic int reader_stop;
static _Atomic long reader_saw;
static _Atomic long reader_wrong;
static struct taskrt_chan *churn_chan;

static void read_one(const struct taskrt_task *task)
{
    uint64_t count = task_word(task, taskrt_inspect.wait_count);
    if (task_half(task, taskrt_inspect.state) != TASKRT_STATE_PARKED)
        return;
    uint32_t reason = task_half(task, taskrt_inspect.reason);
    uint64_t object = task_word(task, taskrt_inspect.object);
    int64_t deadline = (int64_t)task_word(task, taskrt_inspect.deadline_ns);
    uint64_t sp = task_word(task, taskrt_inspect.context_sp);
    if (task_half(task, taskrt_inspect.state) != TASKRT_STATE_PARKED ||
        task_word(task, taskrt_inspect.wait_count) != count)
        return;
    reader_saw++;
    int right = sp > task_word(task, taskrt_inspect.stack_low) &&
                sp < task_word(task, taskrt_inspect.stack_high);
    switch (reason) {
    case TASKRT_REASON_SEND:
        right &= object == (uintptr_t)churn_chan && deadline == TASKRT_NEVER;
        break;
    case TASKRT_REASON_RECEIVE:
        right &= object == (uintptr_t)churn_chan && deadline != TASKRT_NEVER;
        break;
    case TASKRT_REASON_SLEEP:
        right &= object == 0 && deadline != TASKRT_NEVER;
        break;
    default:
        right &= reason == TASKRT_REASON_JOIN;
    }
    reader_wrong += !right;
}

static void *read_along(void *arg)
{
    while (!reader_stop) {
        const struct taskrt_task *task = (const struct taskrt_task *)(uintptr_t)__atomic_load_n(
            &taskrt_inspect.head, __ATOMIC_ACQUIRE);
        for (; task;
             task = (const struct taskrt_task *)(uintptr_t)task_word(task, taskrt_inspect.next_all))
            read_one(task);
    }
    return arg;
}

static void churn_send(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        taskrt_send(churn_chan, NULL);
}

static void churn_receive(void *arg)
{
    (void)arg;
    for (int got = 0; got < 200;) {
        got += taskrt_receive_until(churn_chan, NULL, taskrt_now_ns() + 50 * TASKRT_US) == 0;
        if (got % 16 == 0)
            taskrt_sleep(TASKRT_US);
    }
}

static void churn(void *arg)
{
    (void)arg;
    for (int round = 0; round < 5; round++) {
        struct taskrt_task *tasks[16];
        for (int i = 0; i < 16; i++)
            tasks[i] = spawn(i % 2 ? churn_send : churn_receive, NULL);
        for (int i = 0; i < 16; i++)
            join(tasks[i]);
    }
}

static void reader_in_another_thread__sees_whole_waits(void **state)
{
    (void)state;
    churn_chan = taskrt_chan_create(0, 0);
    pthread_t reader;
    assert_int_equal(pthread_create(&reader, NULL, read_along, NULL), 0);
    int64_t until_ns = taskrt_now_ns() + 30 * TASKRT_S; /* the reader may get its turn late */
    for (int run = 0; run < 10 || (reader_saw == 0 && taskrt_now_ns() < until_ns); run++)
        in_task_on(1 + run % 3, churn, NULL, 0);
    reader_stop = 1;
    pthread_join(reader, NULL);
    assert_int_equal(taskrt_chan_destroy(churn_chan), 0);
    assert_int_equal(reader_wrong, 0);
    assert_int_not_equal(reader_saw, 0);
}

/* ---- Workers ---- */

static uint32_t worker_tids[8];
static uint32_t worker_count;
static uint64_t current_task;
static uint32_t current_tid;

static void look_at_workers(void *arg)
{
    (void)arg;
    const struct taskrt_inspect_workers *at = &taskrt_inspect_workers;
    worker_count = at->count;
    for (uint32_t i = 0; i < at->count && i < 8; i++) {
        const char *worker = (const char *)(uintptr_t)at->first + i * at->stride;
        uint64_t current;
        /* A worker that has not begun yet has none. */
        while ((worker_tids[i] = __atomic_load_n((const uint32_t *)(const void *)(worker + at->tid),
                                                 __ATOMIC_ACQUIRE)) == 0)
            taskrt_yield();
        memcpy(&current, worker + at->current, sizeof current);
        if (current == (uintptr_t)taskrt_self()) {
            current_task = current;
            current_tid = worker_tids[i];
        }
    }
}

static void workers__are_told_with_their_threads_while_they_run(void **state)
{
    (void)state;
    in_task_on(1, look_at_workers, NULL, 0);
    assert_int_equal(worker_count, 1);
    assert_int_equal(worker_tids[0], gettid());
    assert_int_equal(current_tid, gettid());
    assert_true(current_task != 0);
    assert_true(taskrt_inspect_workers.first == 0);
    in_task_on(3, look_at_workers, NULL, 0);
    assert_int_equal(worker_count, 3);
    assert_int_equal(worker_tids[0], gettid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parked_sender__is_described_to_the_frame),
        cmocka_unit_test(each_reason__names_its_object_and_deadline),
        cmocka_unit_test(list__holds_every_task),
        cmocka_unit_test(running_task__is_where_the_thread_keeps_it),
        cmocka_unit_test(reader_in_another_thread__sees_whole_waits),
        cmocka_unit_test(workers__are_told_with_their_threads_while_they_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
