/* Recordings that change while they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/process/process.h"
#include "analyzer/source/recording.h"
#include "tests/unit/analyzer/recording_builder.h"

/* ---- What happens while a file is read ---- */

static struct builder *builder;
static const char *path;

/* What happens right before the file is read at an offset, after so many readings there. */
static struct {
    void (*happen)(void);
    off_t at;
    int after;
} event;

/* The recording, changed, is written to the same file. */
static void let_happen(void)
{
    void (*happen)(void) = event.happen;
    event.happen = NULL;
    happen();
    builder_write(builder, path);
}

/* In place of the C library's. */
ssize_t pread(int fd, void *to, size_t bytes, off_t at)
{
    if (event.happen && at == event.at && event.after-- == 0)
        let_happen();
    return syscall(SYS_pread64, fd, to, bytes, at);
}

static void *rows_of(enum rec_table_id id)
{
    return (char *)builder_header(builder) + builder_table(builder, id)->offset;
}

/* ---- Recordings ---- */

/* Of this process, which writes it. */
static void build_live(uint32_t tasks)
{
    builder = builder_create_for(tasks);
    struct rec_header *header = builder_header(builder);
    header->pid = (uint32_t)getpid();
    assert_int_equal(process_look(getpid(), &header->process_start_ticks), PROCESS_ALIVE);
    header->last_walk_ns = clock_ns(CLOCK_MONOTONIC);
}

static void read_built(struct snapshot *ret, enum snapshot_end end)
{
    struct err err = {0};
    path = builder_path("live.rec");
    builder_write(builder, path);
    if (end == SNAPSHOT_RUNNING)
        builder_map(path);
    snapshot_init(ret);
    if (!source_recording_read(path, ret, &err))
        fail_msg("%s", err.why);
    assert_null(event.happen); /* it has happened */
    assert_int_equal(ret->end, end);
    recording_builder_destroy(builder);
}

/* ---- How it ends ---- */

static void end_now(void)
{
    struct rec_header *header = builder_header(builder);
    header->state = REC_STATE_EXITED;
    header->exit_code = 3;
    header->last_walk_ns = BUILDER_NOW_NS + 2 * SECOND;
    header->ended_ns = BUILDER_NOW_NS + 5 * SECOND;
    builder_thread(builder, "late");
}

/* It had said nothing when its header was read, and was gone when it was looked for. */
static void process_that_exits_when_the_header_was_read__has_exited(void **state)
{
    (void)state;
    struct snapshot s;
    builder = builder_create_for(2);
    builder_thread(builder, "main");
    event = (typeof(event)){.happen = end_now, .at = 0, .after = 1};
    read_built(&s, SNAPSHOT_EXITED);
    assert_true(s.has_exit_code);
    assert_int_equal(s.exit_code, 3);
    assert_int_equal(s.task_count, 2);
    assert_int_equal(s.taken_unix_ns, BUILDER_STARTED_UNIX_NS + 105 * SECOND);
    assert_int_equal(s.look_age_ns, 3 * SECOND);
    snapshot_deinit(&s);
}

/* ---- Names ---- */

static void add_names(void)
{
    ((struct rec_call *)rows_of(REC_TABLE_CALLS))[2].name = builder_string(builder, "sem_wait");
    ((struct rec_module *)rows_of(REC_TABLE_MODULES))[1].path =
        builder_string(builder, "/nowhere/app");
    ((struct rec_module *)rows_of(REC_TABLE_MODULES))[1].start = 0x10000;
    ((struct rec_frame *)rows_of(REC_TABLE_FRAMES))[1].function =
        builder_string(builder, "take_lock");
    ((struct rec_frame *)rows_of(REC_TABLE_FRAMES))[1].pc = 0x10010;
}

/* A row is taken first, and then its name is written. */
static void names_of_rows_that_were_taken__are_read_with_them(void **state)
{
    (void)state;
    struct snapshot s;
    build_live(1);
    uint32_t wait = builder_site(builder, (uint64_t[]){0x10010, 0x10020}, 2);
    builder_park(builder, builder_thread(builder, "waits"), "pthread_join", REC_OP_THREAD_JOIN,
                 0x500, 12 * SECOND, wait);
    uint32_t strings = builder_table(builder, REC_TABLE_STRINGS)->count;
    uint32_t app = builder_module(builder, "?", 0x10000, 0x20000);
    builder_frame(builder, 0x10010, app, "?");
    builder_call(builder, "?", REC_OP_SEM_WAIT, 0);
    builder_table(builder, REC_TABLE_STRINGS)->count = strings;
    ((struct rec_call *)rows_of(REC_TABLE_CALLS))[2].name = 0;
    ((struct rec_module *)rows_of(REC_TABLE_MODULES))[1].start = 0;
    ((struct rec_frame *)rows_of(REC_TABLE_FRAMES))[1].pc = 0;

    event = (typeof(event)){.happen = add_names,
                            .at = (off_t)builder_table(builder, REC_TABLE_CASES)->offset};
    read_built(&s, SNAPSHOT_RUNNING);
    assert_string_equal(s.calls[2].name, "sem_wait");
    const struct snapshot_module *module = snapshot_module_of(&s, 0x10010, 1);
    assert_non_null(module);
    assert_string_equal(module->path, "/nowhere/app");
    assert_string_equal(snapshot_function_of(&s, 0x10010, module), "take_lock");
    assert_int_equal(snapshot_lost(&s), 0);
    snapshot_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_that_exits_when_the_header_was_read__has_exited),
        cmocka_unit_test(names_of_rows_that_were_taken__are_read_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
