/* The recording: its file, its tables, its slots. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/proc.h"
#include "preload/sites.h"
#include "preload/waits.h"
#include "tests/unit/preload/recording_here.h"

static const uint32_t strides[REC_TABLE_COUNT] = {
    sizeof(struct rec_task),
    sizeof(struct rec_site),
    sizeof(uint64_t),
    sizeof(struct rec_frame),
    1,
    sizeof(struct rec_module),
    sizeof(struct rec_call),
    sizeof(struct rec_case),
    sizeof(struct rec_descriptor),
    sizeof(struct rec_asleep),
};

/* Another look at the file, as a reader has it. */
static const struct rec_header *map_again(const char *path, uint64_t *bytes)
{
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_not_equal(fd, -1);
    assert_int_equal(fstat(fd, &stat), 0);
    *bytes = (uint64_t)stat.st_size;
    const void *at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    assert_ptr_not_equal(at, MAP_FAILED);
    return at;
}

static void recording__opened__has_a_whole_header(void **state)
{
    struct stat stat_of_file;
    uint64_t bytes;
    (void)state;
    const char *path = here_path("recording");
    assert_int_equal(stat(path, &stat_of_file), 0);
    assert_int_equal(stat_of_file.st_mode & 07777, 0600);
    const struct rec_header *header = map_again(path, &bytes);
    assert_int_equal(header->magic, REC_MAGIC);
    assert_int_equal(header->major, REC_MAJOR);
    assert_int_equal(header->minor, REC_MINOR);
    assert_int_equal(header->header_bytes, REC_HEADER_BYTES);
    assert_int_equal(header->byte_order, REC_BYTE_ORDER);
    assert_int_equal(header->state, REC_STATE_RUNNING);
    assert_int_equal(header->file_bytes, bytes);
    assert_int_equal(header->table_count, REC_TABLE_COUNT);
    assert_int_equal(header->pid, getpid());
    assert_int_equal(header->parent_pid, getppid());
    assert_int_equal(header->uid, geteuid());
    assert_int_equal(header->process_start_ticks, proc_start_ticks((uint32_t)getpid()));
    assert_int_not_equal(header->process_start_ticks, 0);
    assert_int_equal(header->sample_period_ns, 100000000);
    assert_int_equal(header->op_classes, REC_CLASS_ALL);
    assert_int_equal(header->runtimes & REC_RUNTIME_PTHREAD, REC_RUNTIME_PTHREAD);
    assert_int_equal(header->epoch, 1);
    assert_int_equal(header->ended_ns, 0);
    assert_int_equal(header->spawned, 0);
    uint8_t boot_id[16] = {0};
    proc_boot_id(boot_id);
    assert_memory_equal(header->boot_id, boot_id, sizeof(boot_id));
    munmap((void *)header, bytes);
}

static void recording__opened__names_program_and_arguments(void **state)
{
    char exe[4096], cmdline[4096];
    (void)state;
    ssize_t exe_bytes = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    assert_in_range(exe_bytes, 1, sizeof(exe) - 1);
    exe[exe_bytes] = '\0';
    size_t cmdline_bytes = proc_read_file("/proc/self/cmdline", cmdline, sizeof(cmdline));
    assert_string_equal(recorder.strings + recorder.header->exe, exe);
    assert_int_equal(recorder.header->cmdline_bytes, cmdline_bytes);
    assert_memory_equal(recorder.strings + recorder.header->cmdline, cmdline, cmdline_bytes);
    assert_string_equal(recorder.strings, ""); /* offset 0 is the empty one */
    assert_string_equal(recorder.strings + recorder.calls[1].name, "pthread_mutex_lock");
    assert_int_equal(recorder.calls[1].op, REC_OP_MUTEX_LOCK);
}

/* Tables one after the other, on pages of their own, none beyond the end. */
static void recording__opened__lays_its_tables_out(void **state)
{
    const struct rec_header *header = recorder.header;
    uint64_t end = REC_HEADER_BYTES;
    (void)state;
    for (uint32_t i = 0; i < REC_TABLE_COUNT; i++) {
        const struct rec_table *table = &header->tables[i];
        assert_int_equal(table->id, i + 1);
        assert_int_equal(table->version, 1);
        assert_int_equal(table->stride, strides[i]);
        assert_int_equal(table->offset % 4096, 0);
        assert_in_range(table->offset, end, UINT32_MAX);
        assert_in_range(table->count, 1, table->capacity);
        assert_int_equal(table->lost, 0);
        end = table->offset + (uint64_t)table->capacity * table->stride;
    }
    assert_in_range(end, 1, header->file_bytes);
    assert_int_equal(header->tables[REC_TABLE_TASKS - 1].capacity, HERE_TASKS + 1);
    assert_ptr_equal(recorder.tasks,
                     (const char *)header + header->tables[REC_TABLE_TASKS - 1].offset);
    assert_ptr_equal(recorder.cases,
                     (const char *)header + header->tables[REC_TABLE_CASES - 1].offset);
}

/* --- rows ----------------------------------------------------------------------------------------
 */

static void rows__taken__are_next_to_each_other(void **state)
{
    (void)state;
    uint32_t first = recorder_take(REC_TABLE_CASES, 3);
    assert_int_equal(first, 1);
    assert_int_equal(recorder_take(REC_TABLE_CASES, 1), first + 3);
    assert_int_equal(recorder_take(REC_TABLE_CASES, 5000), first + 4);
    recorder.cases[first + 4 + 4999].object = 1; /* there is memory behind all of them */
    assert_int_equal(recorder.header->tables[REC_TABLE_CASES - 1].count, first + 5004);
}

static void full_table__taken_from__counts_the_loss(void **state)
{
    struct rec_table *table = &recorder.header->tables[REC_TABLE_MODULES - 1];
    uint32_t taken = 1;
    (void)state;
    while (recorder_take(REC_TABLE_MODULES, 1) != 0)
        taken++;
    assert_int_equal(taken, table->capacity);
    assert_int_equal(table->count, table->capacity);
    assert_int_equal(table->lost, 1);
    assert_int_equal(recorder_take(REC_TABLE_MODULES, 7), 0);
    assert_int_equal(table->lost, 8);
    assert_int_equal(table->count, table->capacity);
}

/* What does not fit is not cut: it is lost as a whole, and what is smaller still fits. */
static void almost_full_table__taken_from__has_room_for_less(void **state)
{
    struct rec_table *table = &recorder.header->tables[REC_TABLE_MODULES - 1];
    (void)state;
    assert_int_equal(recorder_take(REC_TABLE_MODULES, table->capacity - 3), 1);
    assert_int_equal(recorder_take(REC_TABLE_MODULES, 3), 0);
    assert_int_equal(recorder_take(REC_TABLE_MODULES, UINT32_MAX), 0);
    assert_int_equal(recorder_take(REC_TABLE_MODULES, 2), table->capacity - 2);
    assert_int_equal(table->count, table->capacity);
}

static void string__added__is_terminated_and_kept(void **state)
{
    (void)state;
    uint32_t hello = recorder_add_string("hello, world", 5);
    uint32_t bytes = recorder_add_string("a\0b", 3);
    assert_string_equal(recorder.strings + hello, "hello");
    assert_int_equal(bytes, hello + 6);
    assert_memory_equal(recorder.strings + bytes, "a\0b\0", 4);
    assert_int_equal(recorder_add_string("", 0), 0);
    assert_int_equal(recorder_add_string("x", 1U << 30), 0);
    assert_int_equal(recorder.header->tables[REC_TABLE_STRINGS - 1].lost, (1U << 30) + 1);
}

static void call__added__has_name_and_op(void **state)
{
    (void)state;
    uint32_t row = recorder_add_call("chan send (nil chan)", REC_OP_CHAN_SEND, REC_CALL_REASON);
    assert_int_not_equal(row, 0);
    assert_string_equal(recorder.strings + recorder.calls[row].name, "chan send (nil chan)");
    assert_int_equal(recorder.calls[row].op, REC_OP_CHAN_SEND);
    assert_int_equal(recorder.calls[row].flags, REC_CALL_REASON);
}

/* Eight threads take rows of different sizes and write their own number all over them. */
enum { TAKERS = 8, TAKES = 3000 };

static void *take_rows(void *arg)
{
    uint64_t number = (uint64_t)(uintptr_t)arg;
    for (uint32_t i = 0; i < TAKES; i++) {
        uint32_t rows = 1 + (i + (uint32_t)number) % 5;
        uint32_t first = recorder_take(REC_TABLE_PCS, rows);
        if (first == 0)
            return here_complaint("no room");
        for (uint32_t row = first; row < first + rows; row++) {
            if (recorder.pcs[row] != 0)
                return here_complaint("a row that was taken twice");
            recorder.pcs[row] = number;
        }
    }
    return NULL;
}

static void rows__taken_by_many_threads__are_theirs_alone(void **state)
{
    pthread_t threads[TAKERS];
    uint64_t total = 0, found[TAKERS + 1] = {0};
    (void)state;
    for (uintptr_t i = 0; i < TAKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_rows, (void *)(i + 1)), 0);
    for (int i = 0; i < TAKERS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        here_assert_none(complaint);
    }
    uint32_t count = recorder.header->tables[REC_TABLE_PCS - 1].count;
    for (uint32_t row = 1; row < count; row++) {
        assert_in_range(recorder.pcs[row], 1, TAKERS);
        found[recorder.pcs[row]]++;
    }
    for (int i = 1; i <= TAKERS; i++)
        total += found[i];
    assert_int_equal(total, count - 1);
    assert_int_equal(total, TAKERS * TAKES * 3);
}

/* --- slots ---------------------------------------------------------------------------------------
 */

static void task__spawned__is_live_with_a_new_id(void **state)
{
    (void)state;
    struct rec_task *one = recorder_spawn(REC_KIND_THREAD, REC_TASK_JOINABLE, 7, 0x1234, "worker");
    struct rec_task *two = recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL);
    assert_ptr_equal(one, &recorder.tasks[1]);
    assert_ptr_equal(two, &recorder.tasks[2]);
    assert_int_equal(one->id, 1);
    assert_int_equal(two->id, 2);
    assert_int_equal(one->state, REC_TASK_LIVE);
    assert_int_equal(one->kind, REC_KIND_THREAD);
    assert_int_equal(one->flags, REC_TASK_JOINABLE);
    assert_int_equal(one->spawn_site, 7);
    assert_int_equal(one->handle, 0x1234);
    assert_string_equal(one->name, "worker");
    assert_string_equal(two->name, "");
    assert_int_equal(one->gen, 0);
    assert_int_equal(recorder.header->spawned, 2);
    assert_int_equal(recorder.header->finished, 0);
}

static void name__longer_than_its_field__is_cut(void **state)
{
    static const char zeros[16] = "";
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "0123456789abcdefgh");
    assert_string_equal(task->name, "0123456789abcde");
    recorder_rename(task, "x");
    assert_string_equal(task->name, "x");
    assert_memory_equal(task->name + 1, zeros, 15);
}

static void slot__released__is_used_again_under_a_new_id(void **state)
{
    (void)state;
    struct rec_task *one = recorder_spawn(REC_KIND_THREAD, 0, 1, 1, "one");
    struct rec_task *two = recorder_spawn(REC_KIND_THREAD, 0, 2, 2, "two");
    recorder_release(one);
    assert_int_equal(one->state, REC_TASK_FREE);
    struct rec_task *three = recorder_spawn(REC_KIND_TASK, 0, 3, 3, "three");
    assert_ptr_equal(three, one);
    assert_int_equal(three->id, 3);
    assert_int_equal(three->spawn_site, 3);
    assert_string_equal(three->name, "three");
    recorder_release(two);
    recorder_release(three);
    assert_int_equal(recorder.header->spawned, 3);
    assert_int_equal(recorder.header->finished, 3);
    assert_int_equal(recorder.header->tables[REC_TABLE_TASKS - 1].count, 3);
}

static void task__ended_and_released_many_times__counts_once(void **state)
{
    struct rec_task sink = {.state = REC_TASK_LIVE};
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "x");
    recorder_end(task);
    assert_int_equal(task->state, REC_TASK_ENDING);
    recorder_end(task);
    recorder_release(task);
    recorder_release(task);
    recorder_end(task);
    recorder_release(NULL);
    recorder_end(NULL);
    recorder_release(&sink);
    assert_int_equal(sink.state, REC_TASK_LIVE);
    assert_int_equal(recorder.header->finished, 1);
    /* The slot stands in the list of free ones once. */
    struct rec_task *again = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "y");
    struct rec_task *other = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "z");
    assert_ptr_equal(again, task);
    assert_ptr_not_equal(other, task);
}

static void full_task_table__spawned_into__counts_the_loss(void **state)
{
    struct rec_task *last = NULL;
    (void)state;
    for (int i = 0; i < HERE_TASKS; i++) {
        last = recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL);
        assert_non_null(last);
    }
    assert_null(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL));
    assert_null(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL));
    assert_int_equal(recorder.header->lost_tasks, 2);
    assert_int_equal(recorder.header->spawned, HERE_TASKS + 2);
    recorder_release(last);
    assert_ptr_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL), last);
    assert_int_equal(recorder.header->lost_tasks, 2);
}

static void kept_slot__spawned_again__is_a_new_task(void **state)
{
    static const char name[16] = "second";
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_GOROUTINE, 0, 1, 99, "first");
    assert_true(recorder_keep(task));
    assert_int_equal(task->state, REC_TASK_FREE);
    assert_ptr_not_equal(recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL), task);
    recorder_spawn_again(task, REC_TASK_SYSTEM, 5, name);
    assert_int_equal(task->state, REC_TASK_LIVE);
    assert_int_equal(task->id, 3);
    assert_int_equal(task->spawn_site, 5);
    assert_int_equal(task->handle, 99);
    assert_int_equal(task->flags, REC_TASK_SYSTEM);
    assert_string_equal(task->name, "second");
    assert_int_equal(recorder.header->spawned, 3);
    assert_int_equal(recorder.header->finished, 1);
}

static void slot__kept_where_slots_are_scarce__is_released(void **state)
{
    struct rec_task *task = NULL;
    (void)state;
    for (int i = 0; i < HERE_TASKS * 3 / 4; i++)
        task = recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL);
    assert_false(recorder_keep(task));
    assert_ptr_equal(recorder_spawn(REC_KIND_GOROUTINE, 0, 0, 0, NULL), task);
    assert_false(recorder_keep(NULL));
}

/* Slots go from thread to thread; nobody ever has one that another has, and every id is new. */
enum { CHURNERS = 6, CHURNS = 4000, HELD = 8 };
static uint8_t id_given[CHURNERS * CHURNS + 2];

static void *churn(void *arg)
{
    struct rec_task *held[HELD] = {NULL};
    uint64_t own = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < CHURNS; i++) {
        struct rec_task **place = &held[i % HELD];
        if (*place != NULL) {
            if ((*place)->handle != own)
                return here_complaint("a slot that two threads have");
            recorder_release(*place);
        }
        *place = recorder_spawn(REC_KIND_TASK, 0, 0, own, NULL);
        if (*place == NULL)
            return here_complaint("no slot");
        uint64_t id = (*place)->id;
        if (id == 0 || id >= sizeof(id_given) ||
            __atomic_exchange_n(&id_given[id], 1, __ATOMIC_RELAXED))
            return here_complaint("an id that was given twice");
    }
    for (int i = 0; i < HELD; i++)
        recorder_release(held[i]);
    return NULL;
}

static void *end_a_task(void *task)
{
    recorder_release(task);
    recorder_thread_ends();
    return NULL;
}

static void task_that_ends_on_a_thread_that_ends__leaves_its_slot_to_others(void **state)
{
    pthread_t thread;
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "one");
    assert_int_equal(pthread_create(&thread, NULL, end_a_task, task), 0);
    pthread_join(thread, NULL);
    assert_ptr_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, "two"), task);
    assert_int_equal(recorder.header->finished, 1);
}

static void task__ends_while_its_slot_is_held__is_free_when_let_go(void **state)
{
    (void)state;
    struct rec_task *task = recorder_spawn(REC_KIND_TASK, 0, 0, 0, "one");
    assert_true(recorder_hold(task, task->id));
    recorder_release(task);
    assert_ptr_not_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, "two"), task);
    recorder_let_go(task);
    assert_ptr_equal(recorder_spawn(REC_KIND_TASK, 0, 0, 0, "three"), task);
    assert_int_equal(recorder.header->finished, 1);
}

static void slots__spawned_and_released_by_many_threads__are_theirs_alone(void **state)
{
    pthread_t threads[CHURNERS];
    (void)state;
    memset(id_given, 0, sizeof(id_given));
    for (uintptr_t i = 0; i < CHURNERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (int i = 0; i < CHURNERS; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        here_assert_none(complaint);
    }
    assert_int_equal(recorder.header->spawned, CHURNERS * CHURNS);
    assert_int_equal(recorder.header->finished, CHURNERS * CHURNS);
    assert_int_equal(recorder.header->last_id, CHURNERS * CHURNS);
    assert_int_equal(recorder.header->lost_tasks, 0);
    assert_in_range(recorder.header->tables[REC_TABLE_TASKS - 1].count, 2, CHURNERS * HELD + 1);
}

/* --- threads that nobody saw begin
 * ---------------------------------------------------------------- */

static void *adopt_twice(void *arg)
{
    struct rec_task **ret = arg;
    pthread_setname_np(pthread_self(), "stray");
    *ret = recorder_self();
    if (*ret != recorder_self() || (*ret)->os_tid != (uint32_t)syscall(SYS_gettid))
        return here_complaint("another slot");
    return NULL;
}

static void unknown_thread__asks_for_its_slot__is_adopted_once(void **state)
{
    pthread_t thread;
    struct rec_task *task = NULL;
    void *complaint;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, adopt_twice, &task), 0);
    pthread_join(thread, &complaint);
    here_assert_none(complaint);
    assert_ptr_equal(task, &recorder.tasks[1]);
    assert_int_equal(task->flags, REC_TASK_ADOPTED);
    assert_int_equal(task->handle, thread);
    assert_string_equal(task->name, "stray");
    struct rec_task *own = recorder_self();
    assert_int_equal(own->flags, REC_TASK_MAIN | REC_TASK_ADOPTED);
    assert_int_equal(own->os_tid, getpid());
    assert_int_equal(recorder.header->spawned, 2);
}

static void thread_without_a_slot__publishes__to_a_sink(void **state)
{
    (void)state;
    for (int i = 0; i < HERE_TASKS; i++)
        recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL);
    struct rec_task *sink = recorder_self();
    assert_ptr_equal(sink, &recorder_thread.sink);
    assert_int_equal(recorder.header->lost_tasks, 1);
    assert_ptr_equal(recorder_self(), sink);
    assert_int_equal(recorder.header->lost_tasks, 1);
}

/* --- the end -------------------------------------------------------------------------------------
 */

static void recording__closed_twice__keeps_the_first_end(void **state)
{
    (void)state;
    recorder_close(REC_STATE_EXITED, 3);
    assert_int_equal(recorder.header->state, REC_STATE_EXITED);
    assert_int_equal(recorder.header->exit_code, 3);
    assert_in_range(recorder.header->ended_ns, recorder.header->started_ns, UINT64_MAX);
    recorder_close(REC_STATE_EXEC, 4);
    assert_int_equal(recorder.header->state, REC_STATE_EXITED);
    assert_int_equal(recorder.header->exit_code, 3);
}

/* What a vfork child does: our memory, another process. */
static void close_as_another(void)
{
    recorder_close(REC_STATE_EXITED, 1);
}

static void recording__closed_by_another_process__runs_on(void **state)
{
    (void)state;
    assert_int_equal(here_in_child(close_as_another), HERE_CHILD_FINE);
    assert_int_equal(recorder.header->state, REC_STATE_RUNNING);
    assert_int_equal(recorder.header->exit_code, 0);
}

static struct rec_task *parents_task;

static void forget_and_write(void)
{
    struct wait wait = {.task = parents_task, .outer_gen = 5, .outer_object = 0xbad};
    recorder_forget();
    wait_end_nested(&wait); /* as a handler that forked inside a parked call */
    parents_task->object = 0xbad;
    CHECK_INT(recorder.header == NULL, 1);
    CHECK_INT(recorder_spawn(REC_KIND_TASK, 0, 0, 0, NULL) == NULL, 1);
    recorder_release(parents_task);
    recorder_close(REC_STATE_EXITED, 9);
    CHECK_INT(recorder_self() == &recorder_thread.sink, 1); /* children are not recorded */
}

static void recording__forgotten_by_a_fork_child__is_untouched(void **state)
{
    uint64_t bytes;
    (void)state;
    parents_task = recorder_spawn(REC_KIND_THREAD, 0, 0, 0, "parent");
    parents_task->object = 0x600d;
    const struct rec_header *file = map_again(here_path("recording"), &bytes);
    char *before = malloc(bytes);
    memcpy(before, file, REC_HEADER_BYTES + 4096);
    assert_int_equal(here_in_child(forget_and_write), HERE_CHILD_FINE);
    assert_memory_equal(before, file, REC_HEADER_BYTES + 4096);
    assert_int_equal(parents_task->object, 0x600d);
    free(before);
    munmap((void *)file, bytes);
}

static void child_records_itself(void)
{
    char path[512];
    recorder_options.children = true;
    recorder_forget();
    struct rec_task *task = recorder_self();
    CHECK_INT(recorder.header != NULL, 1);
    CHECK_INT(task == &recorder.tasks[1], 1);
    CHECK_INT(recorder.header->pid, getpid());
    CHECK_INT(recorder.header->parent_pid, getppid());
    snprintf(path, sizeof(path), "%s.%d-0", here_path("recording"), (int)getpid());
    CHECK_INT(access(path, R_OK), 0);
}

static void fork_child__that_parks__has_a_recording_of_its_own(void **state)
{
    (void)state;
    recorder_self();
    assert_int_equal(here_in_child(child_records_itself), HERE_CHILD_FINE);
    assert_int_equal(recorder.header->pid, getpid());
    assert_int_equal(recorder.header->spawned, 1);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(recording__opened__has_a_whole_header),
        WITH_RECORDING(recording__opened__names_program_and_arguments),
        WITH_RECORDING(recording__opened__lays_its_tables_out),
        WITH_RECORDING(rows__taken__are_next_to_each_other),
        WITH_RECORDING(full_table__taken_from__counts_the_loss),
        WITH_RECORDING(almost_full_table__taken_from__has_room_for_less),
        WITH_RECORDING(string__added__is_terminated_and_kept),
        WITH_RECORDING(call__added__has_name_and_op),
        WITH_RECORDING(rows__taken_by_many_threads__are_theirs_alone),
        WITH_RECORDING(task__spawned__is_live_with_a_new_id),
        WITH_RECORDING(name__longer_than_its_field__is_cut),
        WITH_RECORDING(slot__released__is_used_again_under_a_new_id),
        WITH_RECORDING(task__ended_and_released_many_times__counts_once),
        WITH_RECORDING(full_task_table__spawned_into__counts_the_loss),
        WITH_RECORDING(kept_slot__spawned_again__is_a_new_task),
        WITH_RECORDING(slot__kept_where_slots_are_scarce__is_released),
        WITH_RECORDING(task_that_ends_on_a_thread_that_ends__leaves_its_slot_to_others),
        WITH_RECORDING(task__ends_while_its_slot_is_held__is_free_when_let_go),
        WITH_RECORDING(slots__spawned_and_released_by_many_threads__are_theirs_alone),
        WITH_RECORDING(unknown_thread__asks_for_its_slot__is_adopted_once),
        WITH_RECORDING(thread_without_a_slot__publishes__to_a_sink),
        WITH_RECORDING(recording__closed_twice__keeps_the_first_end),
        WITH_RECORDING(recording__closed_by_another_process__runs_on),
        WITH_RECORDING(recording__forgotten_by_a_fork_child__is_untouched),
        WITH_RECORDING(fork_child__that_parks__has_a_recording_of_its_own),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
