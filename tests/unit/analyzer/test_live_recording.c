/* Recordings that change while they are read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

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

/* ---- Recordings ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_that_exits_when_the_header_was_read__has_exited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
