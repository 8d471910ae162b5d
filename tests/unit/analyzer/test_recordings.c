/* The folder of recordings, and the recording of a process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/base/text.h"
#include "analyzer/process/process.h"
#include "analyzer/recording/recordings.h"
#include "tests/unit/analyzer/recording_builder.h"

/* The machine's clock is set back all the time: the later, the earlier by it. */
static void write_one(const char *path, uint32_t pid, int64_t started_after_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = pid;
    header->started_ns += (uint64_t)started_after_ns;
    header->started_unix_ns -= (uint64_t)started_after_ns;
    recording_builder_end(b, path);
}

/* In another boot, whose CLOCK_MONOTONIC says nothing in this one. */
static void write_before_boot(const char *path, uint32_t pid, int64_t started_after_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = pid;
    memset(header->boot_id, 7, sizeof(header->boot_id));
    header->started_ns += UINT64_C(1000) * SECOND - (uint64_t)started_after_ns;
    header->started_unix_ns += (uint64_t)started_after_ns;
    recording_builder_end(b, path);
}

static const char *make_folder(const char *name)
{
    const char *folder = builder_path(name);
    assert_int_equal(mkdir(folder, 0700), 0);
    return folder;
}

static void folder__newest_first(void **state)
{
    (void)state;
    const char *folder = make_folder("three");
    write_one(builder_path("three/5-0.rec"), 5, 2 * SECOND);
    write_one(builder_path("three/6-0.rec"), 6, 3 * SECOND);
    write_one(builder_path("three/7-0.rec"), 7, SECOND);
    write_before_boot(builder_path("three/4-0.rec"), 4, 0);
    write_before_boot(builder_path("three/3-0.rec"), 3, SECOND);
    builder_write_bytes(builder_path("three/8-0.rec"), "no recording", 12);
    builder_write_bytes(builder_path("three/notes.txt"), "no matter", 9);

    struct recording_list list;
    struct err err = {0};
    assert_true(recordings_list(folder, getuid(), &list, &err));
    assert_int_equal(list.count, 5);
    assert_int_equal(list.unreadable, 1);
    assert_int_equal(list.rows[0].pid, 6);
    assert_int_equal(list.rows[1].pid, 5);
    assert_int_equal(list.rows[2].pid, 7);
    assert_int_equal(list.rows[3].pid, 3);
    assert_int_equal(list.rows[4].pid, 4);

    bool relatives = true;
    char *newest = recordings_newest(&list, &relatives);
    assert_string_equal(newest, builder_path("three/6-0.rec"));
    assert_false(relatives);
    free(newest);
    recordings_list_deinit(&list);
}

/* A process of a family; `lived_ns`: 0: it was killed after the sampler's look at the 10th second.
 */
static void write_relative(const char *path, uint32_t pid, uint32_t parent, uint64_t tasks,
                           int64_t started_after_ns, int64_t lived_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = pid;
    header->parent_pid = parent;
    header->spawned = tasks;
    header->started_ns += (uint64_t)started_after_ns;
    header->last_walk_ns = BUILDER_STARTED_NS + 10 * (uint64_t)SECOND;
    header->state = lived_ns ? REC_STATE_EXITED : REC_STATE_RUNNING;
    header->ended_ns = lived_ns ? header->started_ns + (uint64_t)lived_ns : 0;
    recording_builder_end(b, path);
}

#define KILLED_PARENT 0x7ffffff0 /* above the kernel's limit: nobody has it */

static void assert_newest(const char *folder, const char *name, bool has_relatives)
{
    bool relatives;
    struct err err = {0};
    struct recording_list list;
    assert_true(recordings_list(builder_path(folder), getuid(), &list, &err));
    char *newest = recordings_newest(&list, &relatives);
    recordings_list_deinit(&list);
    assert_non_null(newest);
    assert_string_equal(newest, builder_path(name));
    assert_int_equal(relatives, has_relatives);
    free(newest);
}

static void newest__a_child_gives_way_to_the_first_program(void **state)
{
    (void)state;
    make_folder("family");
    write_relative(builder_path("family/5-0.rec"), 5, 1, 3, 0, 60 * SECOND);
    assert_newest("family", "family/5-0.rec", false);
    write_relative(builder_path("family/6-0.rec"), 6, 5, 1, SECOND, SECOND);
    assert_newest("family", "family/5-0.rec", true);
    write_relative(builder_path("family/7-0.rec"), 7, 6, 2, SECOND, SECOND);
    assert_newest("family", "family/5-0.rec", true);
    /* Those that had the numbers before have nothing to do with it. */
    write_relative(builder_path("family/8-0.rec"), 8, 5, 1, 61 * SECOND, SECOND);
    assert_newest("family", "family/8-0.rec", false);
}

static void newest__the_first_program_is_not_a_shell(void **state)
{
    (void)state;
    make_folder("script");
    write_relative(builder_path("script/4-0.rec"), 4, 1, 1, 0, 60 * SECOND);
    write_relative(builder_path("script/5-0.rec"), 5, 4, 1, SECOND, 50 * SECOND);
    assert_newest("script", "script/4-0.rec", true);
    write_relative(builder_path("script/6-0.rec"), 6, 5, 3, 2 * SECOND, 40 * SECOND);
    assert_newest("script", "script/6-0.rec", true);
    write_relative(builder_path("script/7-0.rec"), 7, 6, 1, 3 * SECOND, SECOND);
    assert_newest("script", "script/6-0.rec", true);
}

static void newest__a_program_that_was_executed(void **state)
{
    (void)state;
    make_folder("executed");
    write_relative(builder_path("executed/5-0.rec"), 5, 1, 1, 0, SECOND);
    write_relative(builder_path("executed/6-0.rec"), 6, 5, 1, SECOND / 2, 60 * SECOND);
    write_relative(builder_path("executed/5-1.rec"), 5, 1, 3, SECOND, 60 * SECOND);
    write_relative(builder_path("executed/7-0.rec"), 7, 6, 1, 2 * SECOND, SECOND);
    assert_newest("executed", "executed/5-1.rec", true);
}

static void newest__a_parent_that_was_killed(void **state)
{
    (void)state;
    make_folder("killed");
    write_relative(builder_path("killed/5-0.rec"), KILLED_PARENT, 1, 3, 0, 0);
    write_relative(builder_path("killed/6-0.rec"), 6, KILLED_PARENT, 1, 9 * SECOND, SECOND);
    assert_newest("killed", "killed/5-0.rec", true);
    write_relative(builder_path("killed/7-0.rec"), 7, KILLED_PARENT, 1, 11 * SECOND, SECOND);
    assert_newest("killed", "killed/7-0.rec", false);
}

/* As only a damaged file has it. */
static void newest__parents_in_a_circle(void **state)
{
    (void)state;
    make_folder("circle");
    write_relative(builder_path("circle/5-0.rec"), 5, 6, 3, 0, 60 * SECOND);
    write_relative(builder_path("circle/6-0.rec"), 6, 5, 1, SECOND, 60 * SECOND);
    assert_newest("circle", "circle/5-0.rec", true);
}

/* The names of those that were started, in their order, each followed by a space. */
static void assert_started(const char *first, const char *expected)
{
    char names[256] = "";
    struct recording_list list;
    assert_true(recordings_started_by(builder_path(first), &list));
    for (size_t i = 0; i < list.count; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ",
                 text_basename(list.rows[i].path));
    recordings_list_deinit(&list);
    assert_string_equal(names, expected);
}

static void started__by_a_program_or_by_those_that_it_started(void **state)
{
    (void)state;
    make_folder("started");
    write_relative(builder_path("started/5-0.rec"), 5, 1, 3, SECOND, 60 * SECOND);
    assert_started("started/5-0.rec", "");
    write_relative(builder_path("started/6-0.rec"), 6, 5, 2, 2 * SECOND, SECOND);
    write_relative(builder_path("started/7-0.rec"), 7, 6, 4, 2 * SECOND, SECOND);
    /* Who had nobody that could stay behind may have started others. */
    write_relative(builder_path("started/8-0.rec"), 8, 5, 1, 3 * SECOND, 4 * SECOND);
    write_relative(builder_path("started/9-0.rec"), 9, 8, 1, 4 * SECOND, 0); /* killed */
    assert_started("started/5-0.rec", "7-0.rec 6-0.rec 9-0.rec ");
    assert_started("started/6-0.rec", "7-0.rec ");
    assert_started("started/7-0.rec", "");
    /* Not: who began before it, who started it, others that had its number, and other files. */
    write_relative(builder_path("started/10-0.rec"), 10, 5, 2, 0, SECOND);
    write_relative(builder_path("started/1-0.rec"), 1, 0, 2, 0, 90 * SECOND);
    write_relative(builder_path("started/11-0.rec"), 11, 5, 2, 62 * SECOND, SECOND);
    write_relative(builder_path("started/12-0.old"), 12, 5, 2, 2 * SECOND, SECOND);
    builder_write_bytes(builder_path("started/13-0.rec"), "no recording", 12);
    assert_started("started/5-0.rec", "7-0.rec 6-0.rec 9-0.rec ");
    assert_started("started/13-0.rec", "");
    assert_started("started/none.rec", "");
}

/* Their parent may have ended before they began to be recorded. */
static void started__beside_the_file_that_was_named(void **state)
{
    (void)state;
    make_folder("named");
    write_relative(builder_path("named/out.rec"), 5, 1, 1, SECOND, SECOND);
    write_relative(builder_path("named/out.rec.6-0"), 6, 1, 2, 3 * SECOND, SECOND);
    write_relative(builder_path("named/out.rec.7-0"), 7, 6, 3, 3 * SECOND, SECOND);
    write_relative(builder_path("named/out.rec.8-0"), 8, 1, 2, 0, SECOND); /* of another run */
    write_relative(builder_path("named/out.rec.5-0"), 5, 1, 2, 2 * SECOND, SECOND);
    write_relative(builder_path("named/other.rec.9-0"), 9, 5, 2, 2 * SECOND, SECOND);
    write_relative(builder_path("named/out.rec.x"), 10, 5, 2, 2 * SECOND, SECOND);
    assert_started("named/out.rec", "out.rec.7-0 out.rec.6-0 ");
    assert_started("named/out.rec.6-0", "out.rec.7-0 ");
}

/* As in a shell that has exported LEAKSPY_OUT. */
static void started__beside_one_another_by_the_same_parent__are_no_family(void **state)
{
    (void)state;
    make_folder("siblings");
    write_relative(builder_path("siblings/out.rec"), 5, 4, 2, 0, SECOND);
    write_relative(builder_path("siblings/out.rec.6-0"), 6, 4, 2, SECOND / 2, SECOND);
    write_relative(builder_path("siblings/out.rec.7-0"), 7, 6, 2, SECOND, SECOND);
    write_relative(builder_path("siblings/out.rec.8-0"), 8, 5, 3, SECOND / 2, SECOND);
    assert_started("siblings/out.rec", "out.rec.8-0 ");
}

/* As a helper that is ended before anybody looked. */
static void started__and_killed_at_once__leaves_no_doubt(void **state)
{
    (void)state;
    make_folder("at_once");
    write_relative(builder_path("at_once/5-0.rec"), 5, 1, 3, 0, 60 * SECOND);
    for (unsigned i = 0; i < 4; i++) {
        struct builder *b = recording_builder_create();
        struct rec_header *header = builder_header(b);
        char path[32];
        snprintf(path, sizeof(path), "at_once/%u-0.rec", 6 + i);
        header->pid = KILLED_PARENT + i;
        header->parent_pid = 5;
        header->started_ns += (uint64_t)SECOND;
        header->spawned = i == 1 ? 2 : 1;
        header->last_walk_ns = i == 2 ? header->started_ns + 1 : 0;
        header->lost_tasks = i == 3;
        header->state = REC_STATE_RUNNING;
        recording_builder_end(b, builder_path(path));
    }
    assert_started("at_once/5-0.rec", "7-0.rec 8-0.rec 9-0.rec ");
}

/* Of a process that executed another program, what is recorded of that counts. */
static void started__and_went_on_as_another_program(void **state)
{
    (void)state;
    make_folder("went_on");
    write_relative(builder_path("went_on/out.rec"), 5, 1, 1, 0, 60 * SECOND);
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = 6;
    header->parent_pid = 5;
    header->state = REC_STATE_EXEC;
    header->started_ns += (uint64_t)SECOND;
    header->ended_ns = header->started_ns + (uint64_t)SECOND;
    recording_builder_end(b, builder_path("went_on/out.rec.6-0"));
    assert_started("went_on/out.rec", "out.rec.6-0 ");
    write_relative(builder_path("went_on/out.rec.6-1"), 6, 5, 2, 2 * SECOND, SECOND);
    assert_started("went_on/out.rec", "out.rec.6-1 ");
}

static void no_folder__no_recordings(void **state)
{
    (void)state;
    struct recording_list list;
    struct err err = {0};
    assert_true(recordings_list("/nowhere/leakspy-0", getuid(), &list, &err));
    assert_int_equal(list.count, 0);
    bool relatives;
    assert_null(recordings_newest(&list, &relatives));
}

static void folder_of_somebody_else_or_a_link__refused(void **state)
{
    (void)state;
    const char *folder = make_folder("mine");
    const char *link = builder_path("link");
    struct recording_list list;
    struct err err = {0};
    assert_false(recordings_list(folder, getuid() + 1, &list, &err));
    assert_int_equal(err.kind, ERR_NOT_PERMITTED);
    assert_int_equal(symlink(folder, link), 0);
    assert_false(recordings_list(link, getuid(), &list, &err));
}

static void beside__the_newest_of_that_process(void **state)
{
    (void)state;
    make_folder("beside");
    uint64_t begun = BUILDER_STARTED_NS;
    const char *out = builder_path("beside/out.rec");
    assert_null(recordings_beside(out, 5, 0, begun, RECORDINGS_NEWEST));
    write_one(out, 5, 0);
    write_one(builder_path("beside/out.rec.5-0"), 5, SECOND);
    write_one(builder_path("beside/out.rec.5-1"), 5, 2 * SECOND);
    write_one(builder_path("beside/out.rec.5-2"), 55, 3 * SECOND); /* not by its header */
    write_one(builder_path("beside/out.rec.15-0"), 5, 3 * SECOND); /* not by its name */
    write_one(builder_path("beside/out.rec.5-x"), 5, 3 * SECOND);
    builder_write_bytes(builder_path("beside/out.rec.5-3"), "no recording", 12);
    write_before_boot(builder_path("beside/out.rec.6-0"), 6, 0);
    /* Another process that had the number. */
    assert_null(recordings_beside(out, 6, 0, begun, RECORDINGS_NEWEST));

    char *found = recordings_beside(out, 5, 0, begun, RECORDINGS_NEWEST);
    assert_string_equal(found, builder_path("beside/out.rec.5-1"));
    free(found);
    found = recordings_beside(out, 5, 12345, begun, RECORDINGS_NEWEST);
    assert_string_equal(found, builder_path("beside/out.rec.5-1"));
    free(found);
    assert_null(recordings_beside(out, 5, 12346, begun, RECORDINGS_NEWEST));
    assert_null(recordings_beside(out, 5, 0, begun + 2 * (uint64_t)SECOND + 1, RECORDINGS_NEWEST));
    assert_null(recordings_beside("/nowhere/out.rec", 5, 0, begun, RECORDINGS_NEWEST));

    write_one(builder_path("beside/7-0.rec"), 7, 0);
    write_one(builder_path("beside/7-1.rec"), 7, SECOND);
    found =
        recordings_beside(builder_path("beside/7-0.rec"), 7, 12345, begun + 1, RECORDINGS_NEWEST);
    assert_string_equal(found, builder_path("beside/7-1.rec"));
    free(found);
}

/* A process that executed one program after the other. */
static void beside__the_oldest_since_then(void **state)
{
    (void)state;
    make_folder("chain");
    uint64_t begun = BUILDER_STARTED_NS;
    const char *first = builder_path("chain/out.rec");
    write_one(first, 5, 0);
    write_one(builder_path("chain/out.rec.5-0"), 5, SECOND);
    write_one(builder_path("chain/out.rec.5-1"), 5, 2 * SECOND);
    write_one(builder_path("chain/out.rec.5-2"), 5, 3 * SECOND);
    static const char *const next[] = {"chain/out.rec.5-0", "chain/out.rec.5-1",
                                       "chain/out.rec.5-2"};
    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        uint64_t since_ns = begun + i * (uint64_t)SECOND + 1;
        char *found = recordings_beside(first, 5, 12345, since_ns, RECORDINGS_OLDEST);
        assert_non_null(found);
        assert_string_equal(found, builder_path(next[i]));
        free(found);
    }
    assert_null(
        recordings_beside(first, 5, 12345, begun + 3 * (uint64_t)SECOND + 1, RECORDINGS_OLDEST));
}

static void beside__a_path_without_a_folder(void **state)
{
    (void)state;
    make_folder("bare");
    write_one(builder_path("bare/out.rec"), 5, 0);
    char *before = getcwd(NULL, 0);
    assert_int_equal(chdir(builder_path("bare")), 0);
    char *found = recordings_beside("out.rec", 5, 0, 0, RECORDINGS_NEWEST);
    assert_int_equal(chdir(before), 0);
    assert_non_null(found);
    assert_string_equal(found, "out.rec");
    free(found);
    free(before);
}

/* This process stands for one that records to a file of its own choice. */
static void process__found_by_what_it_has_mapped(void **state)
{
    (void)state;
    const char *path = builder_path("own.rec");
    struct err err = {0};
    assert_null(recordings_of_pid(getpid(), &err));
    assert_int_equal(err.kind, ERR_NOT_RECORDED);

    write_one(path, (uint32_t)getpid(), 0);
    builder_map(path);
    char *found = recordings_of_pid(getpid(), &err);
    assert_non_null(found);
    assert_string_equal(found, path);
    free(found);

    struct recording_list list = {0};
    recordings_add_live(&list, getuid());
    size_t mine = 0;
    for (size_t i = 0; i < list.count; i++)
        mine += strcmp(list.rows[i].path, path) == 0;
    assert_int_equal(mine, 1);
    recordings_list_deinit(&list);
}

/* What libc does last blocks, and nothing is recorded of that. */
static void process__that_said_long_ago_that_it_exits(void **state)
{
    (void)state;
    const char *path = builder_path("exits.rec");
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = (uint32_t)getpid();
    header->state = REC_STATE_EXITED;
    header->ended_ns = clock_ns(CLOCK_MONOTONIC) + 60 * (uint64_t)SECOND;
    builder_write(b, path);
    builder_map(path);
    struct err err = {0};
    char *found = recordings_of_pid(getpid(), &err);
    assert_non_null(found);
    free(found);

    header->ended_ns = 1;
    recording_builder_end(b, path);
    assert_null(recordings_of_pid(getpid(), &err));
    assert_int_equal(err.kind, ERR_NOT_RECORDED);
}

static void process__that_never_was(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(recordings_of_pid(0x7ffffff0, &err));
    assert_int_equal(err.kind, ERR_NO_SUCH_PROCESS);
}

static void process__looked_at(void **state)
{
    (void)state;
    uint64_t ticks = 0;
    assert_int_equal(process_look(getpid(), &ticks), PROCESS_ALIVE);
    assert_int_not_equal(ticks, 0);
    assert_int_equal(process_look(0x7ffffff0, &ticks), PROCESS_GONE);
    assert_int_equal(process_look(0, NULL), PROCESS_GONE);
    assert_int_equal(process_look(-1, NULL), PROCESS_GONE);
    uint8_t unknown_boot[16] = {0};
    assert_true(process_is_same(getpid(), 0, unknown_boot));
    assert_false(process_is_same(getpid(), 1, unknown_boot));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folder__newest_first),
        cmocka_unit_test(newest__a_child_gives_way_to_the_first_program),
        cmocka_unit_test(newest__the_first_program_is_not_a_shell),
        cmocka_unit_test(newest__a_program_that_was_executed),
        cmocka_unit_test(newest__a_parent_that_was_killed),
        cmocka_unit_test(newest__parents_in_a_circle),
        cmocka_unit_test(started__by_a_program_or_by_those_that_it_started),
        cmocka_unit_test(started__beside_the_file_that_was_named),
        cmocka_unit_test(started__beside_one_another_by_the_same_parent__are_no_family),
        cmocka_unit_test(started__and_killed_at_once__leaves_no_doubt),
        cmocka_unit_test(started__and_went_on_as_another_program),
        cmocka_unit_test(no_folder__no_recordings),
        cmocka_unit_test(folder_of_somebody_else_or_a_link__refused),
        cmocka_unit_test(beside__the_newest_of_that_process),
        cmocka_unit_test(beside__the_oldest_since_then),
        cmocka_unit_test(beside__a_path_without_a_folder),
        cmocka_unit_test(process__that_said_long_ago_that_it_exits),
        cmocka_unit_test(process__found_by_what_it_has_mapped),
        cmocka_unit_test(process__that_never_was),
        cmocka_unit_test(process__looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
