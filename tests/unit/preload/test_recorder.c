/* The recording: its file, its tables, and its end. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "preload/proc.h"
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

/* --- rows ------------------------------------------------------------------------------------- */

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

/* --- the end ---------------------------------------------------------------------------------- */

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
        WITH_RECORDING(recording__closed_twice__keeps_the_first_end),
        WITH_RECORDING(recording__closed_by_another_process__runs_on),
        WITH_RECORDING(recording__forgotten_by_a_fork_child__is_untouched),
        WITH_RECORDING(fork_child__that_parks__has_a_recording_of_its_own),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
