/* Stacks in reports: what is folded, shortened and cut of them, and how they part groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "analyzer/report/report.h"
#include "tests/unit/analyzer/recording_builder.h"
#include "tests/unit/analyzer/reported.h"

/* Three threads whose stacks differ in frames of a library alone, at both ends. They wait in these
 * functions of it; shown: for a function of the program. */
static struct builder *build_library_frames(const char *const functions[3], bool shown)
{
    struct builder *b = recording_builder_create();
    uint32_t library = builder_module(b, "/nowhere/libglib-2.0.so.0", 0x10000, 0x20000);
    uint32_t app = builder_module(b, "/nowhere/app", 0x20000, 0x30000);
    builder_frame(b, 0x20010, app, "worker");
    builder_frame(b, 0x20020, app, "start_workers");
    for (unsigned i = 0; i < 3; i++) {
        uint64_t inner = 0x10010 + 16 * i;
        uint64_t outer = 0x11010 + 16 * i;
        uint64_t wait[] = {inner, shown ? 0x20010 : outer, outer};
        struct rec_task *task = builder_thread(b, "worker");
        task->spawn_site = builder_site(b, (uint64_t[]){inner, 0x20020, outer}, 3);
        builder_frame(b, inner, library, functions[i]);
        builder_frame(b, outer, library, "g_thread_proxy");
        builder_park(b, task, "pthread_cond_wait", REC_OP_COND_WAIT, 0x500, 12 * SECOND,
                     builder_site(b, wait, 3));
    }
    return b;
}

static void groups__are_not_split_by_frames_that_are_not_shown(void **state)
{
    (void)state;
    static const char *const functions[] = {"g_cond_wait", "g_cond_wait", "g_cond_wait"};
    char *text =
        write_report(build_library_frames(functions, true), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "STUCK  3 threads in cond wait for 12s"));
    free(text);
    text = write_report(build_library_frames(functions, false), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "STUCK  1 thread in cond wait for 12s"));
    free(text);
}

/* Also where the same wait is that of another group's tasks. */
static void json__stack_of_a_group_is_that_of_one_of_its_tasks(void **state)
{
    (void)state;
    static const char *const functions[] = {"g_cond_wait", "g_cond_wait", "g_cond_wait"};
    struct builder *b = build_library_frames(functions, true);
    builder_park(b, builder_thread(b, "alone"), "pthread_cond_wait", REC_OP_COND_WAIT, 0x500,
                 12 * SECOND, builder_site(b, (uint64_t[]){0x10090, 0x20010}, 2));
    json_t *json = write_json(b, &usual, 100);
    static const char *const pcs[] = {"0x10010", "0x10090"};
    const json_t *groups = json_object_get(json, "groups");
    assert_int_equal(json_array_size(groups), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *stack = json_object_get(json_array_get(groups, i), "wait_stack");
        const json_t *frame = json_array_get(stack, 0);
        assert_string_equal(json_string_value(json_object_get(frame, "pc")), pcs[i]);
    }
    json_decref(json);
}

static void groups__are_split_by_what_such_frames_say(void **state)
{
    (void)state;
    static const char *const functions[] = {"g_cond_wait", "g_async_queue_pop",
                                            "g_async_queue_pop"};
    char *text =
        write_report(build_library_frames(functions, true), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "STUCK  2 threads in chan receive for 12s"));
    assert_non_null(strstr(text, "STUCK  1 thread in cond wait for 12s"));
    free(text);
}

static void text__stripped_program__ends_where_main_is_called(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    uint32_t libc = builder_module(b, "/nowhere/libc.so.6", 0x30000, 0x40000);
    uint32_t site = builder_site(b, (uint64_t[]){0x10010, 0x30010, 0x30020, 0x10020}, 4);
    builder_frame(b, 0x10010, app, "");
    builder_frame(b, 0x30010, libc, "__libc_start_call_main");
    builder_frame(b, 0x30020, libc, "__libc_start_main_impl");
    builder_frame(b, 0x10020, app, ""); /* _start */
    builder_park(b, builder_thread(b, "app"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND,
                 site);
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "       at  0x10010                                  app+0x10\n"));
    assert_null(strstr(text, "__libc_start"));
    assert_null(strstr(text, "app+0x20"));
    free(text);
}

/* Frames by their letters, innermost first: of Boost, of the standard library, of the program. */
static char *write_stack(const char *letters, uint64_t frames)
{
    struct report_options options = usual;
    options.frames = frames;
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    uint32_t boost = builder_module(b, "/nowhere/libboost_thread.so.1.74.0", 0x20000, 0x30000);
    uint32_t standard = builder_module(b, "/nowhere/libstdc++.so.6", 0x30000, 0x40000);
    uint64_t pcs[16];
    uint16_t count = 0;
    for (; letters[count]; count++) {
        char name[2] = {letters[count], '\0'};
        uint32_t module = *name == 'b' ? boost : *name == 's' ? standard : app;
        uint64_t start = *name == 'b' ? 0x20000 : *name == 's' ? 0x30000 : 0x10000;
        pcs[count] = start + 0x10 * (count + 1u);
        builder_frame(b, pcs[count], module, name);
    }
    builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND,
                 builder_site(b, pcs, count));
    return write_report(b, &options, 100, report_write_text);
}

/* Of a library's frames there are many, and nobody looks for a fault there. */
static void stack_that_has_no_room__frames_of_libraries_take_one_line(void **state)
{
    (void)state;
    char *text = write_stack("1bbb2bss3456", 6);
    assert_non_null(strstr(text, "       at  1                                        app+0x10\n"
                                 "           … 3 of Boost\n"
                                 "           2                                        app+0x50\n"
                                 "           … 3 of libraries\n"
                                 "           3                                        app+0x90\n"
                                 "           4                                        app+0xa0\n"
                                 "           … 2 more\n"));
    free(text);
    /* What stands for many is cut off with all of them. */
    text = write_stack("1bbb2bss3456", 3);
    assert_non_null(strstr(text, "app+0x50\n           … 7 more\n"));
    free(text);
    text = write_stack("bbbb1234", 7);
    assert_non_null(strstr(text, "       at  b"));
    assert_non_null(strstr(text, "… 2 of Boost\n           b "));
    free(text);
}

static void stack_that_has_room__all_frames(void **state)
{
    (void)state;
    char *text = write_stack("1bbb2bss3456", 12);
    assert_null(strstr(text, "…"));
    assert_non_null(strstr(text, "libboost_thread.so.1.74.0+0x20\n"));
    assert_non_null(strstr(text, "libstdc++.so.6+0x70\n"));
    free(text);
}

/* Each by what is known of it: its name, its place in a file, its address. */
static void function_that_a_thread_began_in__is_told_shortly(void **state)
{
    static const struct {
        const char *function, *module, *shown;
    } rows[] = {
        {"worker", "/nowhere/app",
         "       in  worker                                   app+0x10\n"},
        {"", "/nowhere/libstdc++.so.6.0.30", "       in  libstdc++.so.6.0.30+0x10\n"},
        {"", "", "       in  0x10010\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct builder *b = recording_builder_create();
        builder_frame(b, 0x10010, builder_module(b, rows[i].module, 0x10000, 0x20000),
                      rows[i].function);
        struct rec_task *task = builder_thread(b, "w");
        task->spawn_site = builder_site(b, (uint64_t[]){0x10010}, 1);
        builder_flag_site(b, task->spawn_site, SNAPSHOT_SITE_START);
        builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND, 0);
        char *text = write_report(b, &usual, 100, report_write_text);
        assert_non_null(strstr(text, rows[i].shown));
        free(text);
    }
}

static void long_name_of_a_function__is_shortened_in_the_text_alone(void **state)
{
    static const char name[] =
        "boost::condition_variable::wait<boost::_bi::bind_t<bool, boost::_mfi::cmf1<bool, queue> > "
        ">";
    (void)state;
    for (int as_json = 0; as_json < 2; as_json++) {
        struct builder *b = recording_builder_create();
        builder_frame(b, 0x10010, builder_module(b, "/nowhere/app", 0x10000, 0x20000), name);
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND,
                     builder_site(b, (uint64_t[]){0x10010}, 1));
        char *text = write_report(b, &usual, 100, as_json ? report_write_json : report_write_text);
        assert_non_null(strstr(
            text, as_json
                      ? name
                      : "at  boost::condition_variable::wait<boost::_bi::bind_t<…> > app+0x10\n"));
        free(text);
    }
}

static struct builder *build_cut_stack(void)
{
    struct builder *b = recording_builder_create();
    uint32_t site = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    builder_cut_site(b, site);
    builder_park(b, builder_thread(b, "deep"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND,
                 site);
    return b;
}

static void stack_that_is_longer_than_what_was_kept__said(void **state)
{
    (void)state;
    struct report_options short_stacks = usual;
    short_stacks.frames = 1;
    char *text = write_report(build_cut_stack(), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "    … the stack is longer than what was kept\n"));
    free(text);
    text = write_report(build_cut_stack(), &short_stacks, 100, report_write_text);
    assert_non_null(strstr(text, "    … 1 more; the stack is longer than what was kept\n"));
    free(text);
    text = write_report(build_leak(), &usual, 100, report_write_text);
    assert_null(strstr(text, "longer than what was kept"));
    free(text);
    json_t *json = write_json(build_cut_stack(), &usual, 100);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_true(json_is_true(json_object_get(group, "wait_stack_cut")));
    assert_true(json_is_false(json_object_get(group, "spawn_stack_cut")));
    json_decref(json);
}

static struct builder *build_broken_stack(void)
{
    struct builder *b = recording_builder_create();
    uint32_t site = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    builder_flag_site(b, site, REC_SITE_BROKEN);
    builder_park(b, builder_thread(b, "lost"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 12 * SECOND,
                 site);
    return b;
}

static void stack_that_could_not_be_followed_to_its_end__said(void **state)
{
    (void)state;
    char *text = write_report(build_broken_stack(), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "    … the stack could not be followed further\n"));
    free(text);
    text = write_report(build_cut_stack(), &usual, 100, report_write_text);
    assert_null(strstr(text, "followed further"));
    free(text);
    json_t *json = write_json(build_broken_stack(), &usual, 100);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_true(json_is_true(json_object_get(group, "wait_stack_broken")));
    assert_true(json_is_false(json_object_get(group, "wait_stack_cut")));
    assert_true(json_is_false(json_object_get(group, "spawn_stack_broken")));
    json_decref(json);
}

static struct builder *build_go_statement(uint16_t frames)
{
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "");
    task->spawn_site = builder_site(b, (uint64_t[]){0x10010, 0x10020}, frames);
    builder_cut_site(b, task->spawn_site);
    builder_park(b, task, "chan send", REC_OP_CHAN_SEND, 0x500, 12 * SECOND,
                 builder_site(b, (uint64_t[]){0x10030}, 1));
    return b;
}

/* Go's runtime notes no more of it, so that it would be said of every goroutine. */
static void go_statement_alone__is_not_said_to_be_cut_in_the_text(void **state)
{
    (void)state;
    char *text = write_report(build_go_statement(1), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "       by  0x10010"));
    assert_null(strstr(text, "longer than what was kept"));
    free(text);
    text = write_report(build_go_statement(2), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "    … the stack is longer than what was kept\n"));
    free(text);
    json_t *json = write_json(build_go_statement(1), &usual, 100);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_true(json_is_true(json_object_get(group, "spawn_stack_cut")));
    json_decref(json);
}

/* Of two threads that poll an eventfd, by GLib, one waits for a process to end. */
static void poll_for_one_answer__is_stuck_and_a_main_loops_is_not(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    uint32_t glib = builder_module(b, "/nowhere/libglib-2.0.so.0", 0x10000, 0x20000);
    uint32_t gio = builder_module(b, "/nowhere/libgio-2.0.so.0", 0x20000, 0x30000);
    uint32_t app = builder_module(b, "/nowhere/app", 0x30000, 0x40000);
    builder_frame(b, 0x10010, glib, "");
    builder_frame(b, 0x10020, glib, "g_main_context_iteration");
    builder_frame(b, 0x20010, gio, "g_subprocess_wait");
    builder_frame(b, 0x30010, app, "runs_a_process");
    builder_frame(b, 0x30020, app, "looks_for_events");
    builder_park(b, builder_thread(b, "waits"), "poll", REC_OP_IO_WAIT, 5, 12 * SECOND,
                 builder_site(b, (uint64_t[]){0x10010, 0x10020, 0x20010, 0x30010}, 4));
    builder_park(b, builder_thread(b, "loops"), "poll", REC_OP_IO_WAIT, 6, 12 * SECOND,
                 builder_site(b, (uint64_t[]){0x10010, 0x10020, 0x30020}, 3));
    struct report_options options = usual;
    options.all = true;
    char *text = write_report(b, &options, 100, report_write_text);
    const char *stuck = strstr(text, "STUCK  1 thread in io wait for 12s");
    const char *waiting = strstr(text, "WAITING  1 thread in io wait for 12s");
    assert_non_null(stuck);
    assert_non_null(waiting);
    assert_in_range(strstr(text, "runs_a_process"), stuck, waiting);
    assert_non_null(strstr(waiting, "looks_for_events"));
    free(text);
}

/* Threads that ended a minute ago, started by tokio for its blocking pool, and one that the program
 * started itself. */
static char *write_ended(size_t of_pool)
{
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    builder_frame(b, 0x10010, app, "std::thread::Builder::spawn");
    builder_frame(b, 0x10020, app, "tokio::runtime::blocking::pool::Spawner::spawn_task");
    builder_frame(b, 0x10030, app, "app::main");
    uint32_t own = builder_site(b, (uint64_t[]){0x10010, 0x10030}, 2);
    uint32_t pool = builder_site(b, (uint64_t[]){0x10010, 0x10020, 0x10030}, 3);
    for (size_t i = 0; i < of_pool + 1; i++) {
        struct rec_task *task = builder_thread(b, "ended");
        task->spawn_site = i < of_pool ? pool : own;
        builder_finish(task, 60 * SECOND);
    }
    struct report_options options = usual;
    options.all = true;
    return write_report(b, &options, 100, report_write_text);
}

static void ended_thread_of_tokios_pool__is_waiting_where_it_is_the_only_one(void **state)
{
    (void)state;
    char *text = write_ended(1);
    assert_non_null(strstr(text, "WAITING  1 thread"));
    assert_non_null(strstr(text, "ended and not joined yet: tokio joins each thread of its "
                                 "blocking pool when the next one of them ends"));
    assert_non_null(strstr(text, "UNJOINED  1 thread"));
    free(text);
    text = write_ended(2);
    assert_non_null(strstr(text, "UNJOINED  2 threads"));
    assert_null(strstr(text, "tokio joins"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_for_one_answer__is_stuck_and_a_main_loops_is_not),
        cmocka_unit_test(ended_thread_of_tokios_pool__is_waiting_where_it_is_the_only_one),
        cmocka_unit_test(groups__are_not_split_by_frames_that_are_not_shown),
        cmocka_unit_test(json__stack_of_a_group_is_that_of_one_of_its_tasks),
        cmocka_unit_test(groups__are_split_by_what_such_frames_say),
        cmocka_unit_test(text__stripped_program__ends_where_main_is_called),
        cmocka_unit_test(stack_that_has_no_room__frames_of_libraries_take_one_line),
        cmocka_unit_test(stack_that_has_room__all_frames),
        cmocka_unit_test(function_that_a_thread_began_in__is_told_shortly),
        cmocka_unit_test(long_name_of_a_function__is_shortened_in_the_text_alone),
        cmocka_unit_test(stack_that_is_longer_than_what_was_kept__said),
        cmocka_unit_test(stack_that_could_not_be_followed_to_its_end__said),
        cmocka_unit_test(go_statement_alone__is_not_said_to_be_cut_in_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
