/* Threads that seem to wait for each other, and what they do while they are asked again. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "analyzer/image/image.h"
#include "analyzer/inspect/thread_cycles.h"
#include "analyzer/snapshot/builder.h"
#include "analyzer/snapshot/waitgraph.h"

#define THREADS 4
#define TID(number) (100 + (number))
#define BACK_AFTER 3

/* The process: what each thread is in, and the locks. */
static struct {
    struct image_thread threads[THREADS];
    pthread_mutex_t locks[THREADS];
    unsigned looks[THREADS], looks_before_read, reads;
    unsigned away[THREADS]; /* so many looks see it in no call */
    void (*on_read)(void);  /* what happens right after the first holder was read */
    bool gone[THREADS];
} process;

static void read_process(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    if (process.reads++ == 0)
        for (size_t i = 0; i < THREADS; i++)
            process.looks_before_read += process.looks[i];
    for (size_t i = 0; i < count; i++) {
        pieces[i].ok = pieces[i].address >= (uintptr_t)process.locks &&
                       pieces[i].address < (uintptr_t)(process.locks + THREADS);
        if (pieces[i].ok)
            memcpy(pieces[i].to, (const void *)(uintptr_t)pieces[i].address, pieces[i].bytes);
    }
    if (process.on_read)
        process.on_read();
    process.on_read = NULL;
}

static bool look(struct image *image, struct image_thread *thread)
{
    size_t number = thread->tid - TID(0);
    (void)image;
    process.looks[number]++;
    *thread = process.threads[number];
    if (process.away[number]) {
        process.away[number]--;
        thread->parked = false;
        thread->registers.known = 0;
    }
    return !process.gone[number];
}

static struct mem_reader reader = {read_process};
static const struct image_functions functions = {.look = look};
static struct image image;
static struct thread_wait rows[THREADS];
static struct thread_waits waits;
static struct snapshot snapshot;
static struct snapshot_builder *builder;

/* Thread `number` waits for its own lock, which thread `holder` has. */
static void add_waiter(size_t number, size_t holder)
{
    struct image_thread *thread = &process.threads[number];
    uint64_t lock = (uintptr_t)&process.locks[number];
    *thread = (struct image_thread){
        .tid = (uint32_t)TID(number),
        .parked = true,
        .call = 202,
        .args = {lock, 128, 2},
        .switches = 7,
        .registers = {.value[IMAGE_REGISTER_SP] = 0x7000 + number,
                      .value[IMAGE_REGISTER_PC] = 0x4000,
                      .known = 1U << IMAGE_REGISTER_SP | 1U << IMAGE_REGISTER_PC},
    };
    process.locks[number].__data.__owner = (int)TID(holder);
    rows[number] = (struct thread_wait){
        .look = {.thread = *thread},
        .lock = {.op = REC_OP_MUTEX_LOCK, .object = lock},
        .is_lock = true,
        .has_owner = true,
        .owner = (uint32_t)TID(holder),
        .settled = true,
    };
    struct snapshot_task *task = builder_add_task(builder);
    assert_non_null(task);
    task->id = builder_extra(builder, task)->os_tid = (uint32_t)TID(number);
    task->kind = REC_KIND_THREAD;
    task->flags = SNAPSHOT_PARKED | SNAPSHOT_SETTLED;
    task->object = lock;
    task->detail_a = (uint32_t)TID(holder);
    task->detail_flags = REC_DETAIL_OWNER;
    task->call = builder_add_call(builder, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, false);
    waits.count = number + 1;
}

/* Thread 0 and 1 wait for each other, 2 for 1, and 3 for nobody who waits. */
static int begin(void **state)
{
    (void)state;
    memset(&process, 0, sizeof(process));
    image = (struct image){.live = true, .memory = &reader, .functions = &functions};
    waits = (struct thread_waits){.image = &image, .rows = rows};
    snapshot_init(&snapshot);
    builder = builder_create(&snapshot);
    assert_non_null(builder);
    add_waiter(0, 1);
    add_waiter(1, 0);
    add_waiter(2, 1);
    add_waiter(3, THREADS);
    return 0;
}

static int end(void **state)
{
    (void)state;
    builder_destroy(builder);
    snapshot_deinit(&snapshot);
    return 0;
}

static void assert_cycle(bool expected)
{
    struct waitgraph graph;
    assert_true(thread_cycles_prove(&waits, &snapshot, 0));
    assert_true(waitgraph_init(&graph, &snapshot));
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(waitgraph_cycle(&graph, i) != WAITGRAPH_NONE, expected && i < 2);
    waitgraph_deinit(&graph);
}

static bool is_settled(size_t number)
{
    return snapshot.tasks[number].flags & SNAPSHOT_SETTLED;
}

static void threads_that_stand__are_a_cycle(void **state)
{
    (void)state;
    assert_cycle(true);
    for (size_t i = 0; i < THREADS; i++)
        assert_true(is_settled(i));
    /* Once before any holder was read, and once after all. */
    assert_int_equal(process.reads, 3);
    assert_int_equal(process.looks_before_read, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(process.looks[i], 2);
    assert_int_equal(process.looks[3], 0);
}

static void run_and_park_again(void)
{
    process.threads[0].switches++;
}

static void thread_that_ran_between__is_in_no_cycle(void **state)
{
    (void)state;
    process.on_read = run_and_park_again;
    assert_cycle(false);
    assert_false(is_settled(0));
    assert_false(snapshot.tasks[0].detail_flags & REC_DETAIL_OWNER);
    assert_true(is_settled(1));
}

static void take_the_lock(void)
{
    process.threads[1].parked = false;
}

static void thread_that_goes_on__is_in_no_cycle(void **state)
{
    (void)state;
    process.on_read = take_the_lock;
    assert_cycle(false);
    assert_false(is_settled(1));
}

static void end_thread(void)
{
    process.gone[1] = true;
}

static void thread_that_ends__is_in_no_cycle(void **state)
{
    (void)state;
    process.on_read = end_thread;
    assert_cycle(false);
}

static void lock_that_was_handed_on__makes_no_cycle(void **state)
{
    (void)state;
    process.locks[0].__data.__owner = TID(3);
    assert_cycle(false);
    assert_false(is_settled(0));
    assert_int_equal(snapshot.tasks[0].detail_a, 0);
}

static void lock_that_cannot_be_read__makes_no_cycle(void **state)
{
    (void)state;
    rows[0].lock.object = 16;
    assert_cycle(false);
}

static void thread_that_moved_before__is_in_no_cycle(void **state)
{
    (void)state;
    process.threads[1].args[0] = (uintptr_t)&process.locks[3];
    assert_cycle(false);
}

static void thread_that_ran_before__is_in_no_cycle(void **state)
{
    (void)state;
    process.threads[1].switches = 8;
    assert_cycle(false);
}

static void waiter_behind_that_moves__leaves_the_cycle(void **state)
{
    (void)state;
    process.threads[2].switches = 8;
    assert_cycle(true);
    assert_false(is_settled(2));
}

/* Our own stop makes a thread run, and it may need a while to come back. */
static void stopped_thread__is_waited_for(void **state)
{
    (void)state;
    rows[1].look.stopped = true;
    rows[1].settled = false;
    snapshot.tasks[1].flags &= (uint16_t)~SNAPSHOT_SETTLED;
    process.threads[1].switches = 9;
    process.away[1] = BACK_AFTER;
    assert_cycle(true);
    assert_true(is_settled(1));
}

static void thread_outside__stays_as_it_was(void **state)
{
    (void)state;
    rows[3].settled = false;
    snapshot.tasks[3].flags &= (uint16_t)~SNAPSHOT_SETTLED;
    assert_cycle(true);
    assert_false(is_settled(3));
    assert_true(snapshot.tasks[3].detail_flags & REC_DETAIL_OWNER);
}

/* A thread that has ended has a row and no task. */
static void rows_without_task__are_passed_over(void **state)
{
    (void)state;
    for (size_t i = 0; i + 1 < snapshot.task_count; i++)
        snapshot.tasks[i] = snapshot.tasks[i + 1];
    snapshot.task_count--;
    rows[0].look.thread.ended = true;
    snapshot.tasks[1].flags &= (uint16_t)~SNAPSHOT_SETTLED; /* thread 2's, which waits for 1 */
    rows[2].settled = false;
    assert_true(thread_cycles_prove(&waits, &snapshot, 0));
    assert_true(snapshot.tasks[0].flags & SNAPSHOT_SETTLED);
    assert_false(snapshot.tasks[1].flags & SNAPSHOT_SETTLED);
    assert_true(snapshot.tasks[2].flags & SNAPSHOT_SETTLED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_that_stand__are_a_cycle),
        TEST(thread_that_ran_between__is_in_no_cycle),
        TEST(thread_that_goes_on__is_in_no_cycle),
        TEST(thread_that_ends__is_in_no_cycle),
        TEST(lock_that_was_handed_on__makes_no_cycle),
        TEST(lock_that_cannot_be_read__makes_no_cycle),
        TEST(thread_that_moved_before__is_in_no_cycle),
        TEST(thread_that_ran_before__is_in_no_cycle),
        TEST(waiter_behind_that_moves__leaves_the_cycle),
        TEST(stopped_thread__is_waited_for),
        TEST(thread_outside__stays_as_it_was),
        TEST(rows_without_task__are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
