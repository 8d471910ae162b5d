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

/* ---- Tables that do what no writer does ---- */

static void shrink_frames(void)
{
    builder_table(builder, REC_TABLE_FRAMES)->count = 1;
}

/* Rows are skipped where the file has holes, as it is by then: never backwards. */
static void table_that_shrinks__is_taken_as_it_was_read(void **state)
{
    enum { MANY = 10000 }; /* more than are skipped at once */
    (void)state;
    struct snapshot s;
    build_live(MANY);
    struct rec_table *frames = builder_table(builder, REC_TABLE_FRAMES);
    frames->offset = builder_table(builder, REC_TABLE_TASKS)->offset; /* where there is room */
    frames->capacity = frames->count = MANY;
    struct rec_frame *last = (struct rec_frame *)rows_of(REC_TABLE_FRAMES) + MANY - 1;
    *last = (struct rec_frame){.pc = 0x10010, .function = builder_string(builder, "last")};
    event = (typeof(event)){.happen = shrink_frames,
                            .at = (off_t)builder_table(builder, REC_TABLE_MODULES)->offset};
    read_built(&s, SNAPSHOT_RUNNING);
    assert_int_equal(s.frame_count, 1);
    assert_int_equal(s.frames[0].pc, 0x10010);
    snapshot_deinit(&s);
}

/* ---- Cases of a select ---- */

#define SELECTS 600 /* more than are read at once */

static size_t field_at;

/* The last task's row changes in one field, and what were its cases are none that can be ready. */
static void wait_for_something_else(void)
{
    struct rec_task *task = (struct rec_task *)rows_of(REC_TABLE_TASKS) + SELECTS;
    struct rec_case *cases = rows_of(REC_TABLE_CASES);
    ((unsigned char *)task)[field_at]++;
    cases[task->case_first].object = cases[task->case_first + 1].object = 0;
}

static void build_selects(void)
{
    build_live(SELECTS);
    uint32_t wait = builder_site(builder, (uint64_t[]){0x10010}, 1);
    uint32_t first = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t row = builder_case(builder, REC_OP_CHAN_SEND, 0x600 + (uint64_t)i);
        first = first ? first : row;
    }
    for (int i = 1; i <= SELECTS; i++) {
        struct rec_task *task = builder_task(builder, REC_KIND_TASK, "");
        if (i != 1 && i != SELECTS)
            continue;
        builder_park(builder, task, "taskrt_select", REC_OP_SELECT, 0x500, 12 * SECOND, wait);
        builder_select(task, i == 1 ? first : first + 2, 2);
        task->arg = 2;
    }
}

static void cases_of_a_select_that_ends_meanwhile__are_not_known(void **state)
{
    static const struct {
        size_t at;
        bool known;
    } fields[] = {
        {offsetof(struct rec_task, id), false},
        {offsetof(struct rec_task, gen), false},
        {offsetof(struct rec_task, seq), false},
        {offsetof(struct rec_task, seen_gen), false},
        {offsetof(struct rec_task, case_first), false},
        {offsetof(struct rec_task, case_count), false},
        {offsetof(struct rec_task, spawn_site), true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        struct snapshot s;
        build_selects();
        field_at = fields[i].at;
        event = (typeof(event)){.happen = wait_for_something_else,
                                .at = (off_t)builder_table(builder, REC_TABLE_CASES)->offset};
        read_built(&s, SNAPSHOT_RUNNING);
        assert_int_equal(s.task_count, SELECTS);
        assert_true(s.tasks[0].flags & SNAPSHOT_PARKED);
        assert_int_equal(snapshot_extra(&s, &s.tasks[0])->case_count, 2);
        assert_int_equal(s.cases[snapshot_extra(&s, &s.tasks[0])->case_first].object, 0x600);
        assert_true(s.tasks[SELECTS - 1].flags & SNAPSHOT_PARKED);
        assert_int_equal(snapshot_extra(&s, &s.tasks[SELECTS - 1])->case_count,
                         fields[i].known ? 2 : 0);
        assert_int_equal(snapshot_lost(&s), 0);
        snapshot_deinit(&s);
    }
}

/* ---- Words of a lock ---- */

#define WORDS_BEFORE 5, 0 /* five read it */
#define WORDS_AFTER (uint32_t) - 1073741819, 3

struct words {
    uint32_t a, b;
    bool known;
};

static struct words words_now; /* as they will be when the event happens */

static void put_words(struct rec_task *task, const struct words *words)
{
    task->detail_a = words->a;
    task->detail_b = words->b;
    task->detail_flags = words->known ? REC_DETAIL_LOCK_WORDS : 0;
}

static void change_words(void)
{
    put_words((struct rec_task *)rows_of(REC_TABLE_TASKS) + 1, &words_now);
}

/* None is told of those that do not belong together, as the new count of readers with how many were
 * to leave before: that somebody writes. */
static void words_of_a_lock_that_change_meanwhile__are_told_as_one(void **state)
{
    const struct words before = {WORDS_BEFORE, true}, after = {WORDS_AFTER, true};
    const struct words changes[] = {
        before, {before.a, before.b, false}, {after.a, before.b, false}, after};
    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        for (int reading = 0; reading < 3; reading++) {
            struct snapshot s;
            build_live(1);
            uint32_t wait = builder_site(builder, (uint64_t[]){0x10010}, 1);
            struct rec_task *task = builder_task(builder, REC_KIND_GOROUTINE, "");
            builder_park(builder, task, "sync.RWMutex.RLock", REC_OP_RWLOCK_RDLOCK, 0x500,
                         12 * SECOND, wait);
            put_words(task, &before);
            words_now = changes[i];
            event = (typeof(event)){.happen = change_words,
                                    .at = (off_t)builder_table(builder, REC_TABLE_TASKS)->offset,
                                    .after = reading};
            read_built(&s, SNAPSHOT_RUNNING);
            assert_true(s.tasks[0].flags & SNAPSHOT_PARKED);
            assert_int_equal(s.tasks[0].detail_flags, words_now.known ? REC_DETAIL_LOCK_WORDS : 0);
            if (words_now.known) {
                assert_int_equal(s.tasks[0].detail_a, words_now.a);
                assert_int_equal(s.tasks[0].detail_b, words_now.b);
            }
            snapshot_deinit(&s);
        }
    }
}

/* What a reading finds while they are written: the flag and a word of one time, a word of another.
 */
static void words_of_a_lock__of_which_one_was_read_later__are_read_again(void **state)
{
    const struct words before = {WORDS_BEFORE, true}, after = {WORDS_AFTER, true};
    const struct words torn[] = {{after.a, before.b, true}, {before.a, after.b, true}};
    (void)state;
    for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++) {
        struct snapshot s;
        build_live(1);
        uint32_t wait = builder_site(builder, (uint64_t[]){0x10010}, 1);
        struct rec_task *task = builder_task(builder, REC_KIND_GOROUTINE, "");
        builder_park(builder, task, "sync.RWMutex.RLock", REC_OP_RWLOCK_RDLOCK, 0x500, 12 * SECOND,
                     wait);
        put_words(task, &torn[i]); /* as the first two readings have it */
        words_now = after;
        event = (typeof(event)){.happen = change_words,
                                .at = (off_t)builder_table(builder, REC_TABLE_TASKS)->offset,
                                .after = 2};
        read_built(&s, SNAPSHOT_RUNNING);
        assert_true(s.tasks[0].flags & SNAPSHOT_PARKED);
        assert_int_equal(s.tasks[0].detail_a, after.a);
        assert_int_equal(s.tasks[0].detail_b, after.b);
        snapshot_deinit(&s);
    }
}

/* A wait that began after the last look: what is known is of the one before. */
static void words_of_a_lock__of_a_wait_that_is_over__are_not_told(void **state)
{
    (void)state;
    struct snapshot s;
    build_live(1);
    uint32_t wait = builder_site(builder, (uint64_t[]){0x10010}, 1);
    struct rec_task *task = builder_task(builder, REC_KIND_GOROUTINE, "");
    builder_park(builder, task, "sync.RWMutex.RLock", REC_OP_RWLOCK_RDLOCK, 0x500, 12 * SECOND,
                 wait);
    put_words(task, &(struct words){WORDS_AFTER, true});
    task->gen = ++task->seq;
    event.happen = NULL;
    read_built(&s, SNAPSHOT_RUNNING);
    assert_true(s.tasks[0].flags & SNAPSHOT_PARKED);
    assert_int_equal(s.tasks[0].detail_flags, 0);
    assert_int_equal(s.tasks[0].detail_a, 0);
    snapshot_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_that_exits_when_the_header_was_read__has_exited),
        cmocka_unit_test(names_of_rows_that_were_taken__are_read_with_them),
        cmocka_unit_test(table_that_shrinks__is_taken_as_it_was_read),
        cmocka_unit_test(cases_of_a_select_that_ends_meanwhile__are_not_known),
        cmocka_unit_test(words_of_a_lock_that_change_meanwhile__are_told_as_one),
        cmocka_unit_test(words_of_a_lock__of_which_one_was_read_later__are_read_again),
        cmocka_unit_test(words_of_a_lock__of_a_wait_that_is_over__are_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
