/* Reports: the text as it is read, and the JSON against its contract. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <unistd.h>

#include "analyzer/base/clock.h"
#include "analyzer/report/report.h"
#include "analyzer/source/recording.h"
#include "tests/unit/analyzer/recording_builder.h"

/* Reads, judges and writes what was built; the builder goes. */
static char *write_report(struct builder *b, const struct report_options *options,
                          uint64_t max_tasks, bool (*write)(const struct report *, FILE *))
{
    const struct verdict_options verdict_options = {options->threshold_ns, max_tasks};
    const char *path = builder_path("report.rec");
    struct snapshot snapshot;
    struct waits waits;
    struct verdicts verdicts;
    struct err err = {0};
    builder_write(b, path);
    builder_map(path);
    recording_builder_destroy(b);
    snapshot_init(&snapshot);
    if (!source_recording_read(path, &snapshot, &err))
        fail_msg("%s", err.why);
    assert_true(waits_init(&waits, &snapshot));
    struct stacks *stacks = stacks_create(&snapshot);
    assert_non_null(stacks);
    assert_true(waits_name(&waits, &snapshot, stacks));
    assert_true(verdicts_init(&verdicts, &snapshot, &waits, &verdict_options));

    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    assert_non_null(out);
    struct report report = {&snapshot, &verdicts, stacks, options};
    assert_true(write(&report, out));
    fclose(out);
    verdicts_deinit(&verdicts);
    stacks_destroy(stacks);
    waits_deinit(&waits);
    snapshot_deinit(&snapshot);
    return text;
}

static json_t *write_json(struct builder *b, const struct report_options *options,
                          uint64_t max_tasks)
{
    char *text = write_report(b, options, max_tasks, report_write_json);
    json_error_t error;
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!json)
        fail_msg("line %d: %s in %s", error.line, error.text, text);
    free(text);
    return json;
}

/* Five senders on channels of their own, a mutex and its holder, one sleeper. */
static struct builder *build_leak(void)
{
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/app", 0x10000, 0x20000);
    uint32_t send = builder_site(b, (uint64_t[]){0x10010, 0x10020}, 2);
    uint32_t spawn = builder_site(b, (uint64_t[]){0x10030}, 1);
    builder_frame(b, 0x10010, app, "taskrt_send");
    builder_frame(b, 0x10020, app, "sum");
    builder_frame(b, 0x10030, app, "handle_request");
    for (unsigned i = 0; i < 5; i++) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "sum");
        task->spawn_site = spawn;
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0x500, (12 + 20 * i) * SECOND, send);
        builder_channel(task, 0, 0);
    }
    struct rec_task *holder = builder_thread(b, "holder");
    struct rec_task *waiter = builder_thread(b, "waiter");
    builder_park(b, waiter, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x900, 30 * SECOND, 0);
    builder_owner(waiter, holder);
    struct rec_task *sleeper = builder_thread(b, "sleeper");
    builder_park(b, sleeper, "nanosleep", REC_OP_SLEEP, 0, SECOND, 0);
    sleeper->wait_flags = REC_WAIT_DEADLINE;
    return b;
}

static const struct report_options usual = {
    .threshold_ns = 10 * SECOND, .min_count = 1, .frames = 8};

static void text__finding_first(void **state)
{
    (void)state;
    char *text = write_report(build_leak(), &usual, 100, report_write_text);
    assert_string_equal(
        text,
        "6 stuck: 8 tasks, 1 not parked, 7 parked, 6 of them for 10s or longer; 8 spawned, 0 "
        "finished\n"
        "       in /opt/app/server, pid 2147483632, which vanished; as of "
        "2026-11-18T11:08:20.000Z\n"
        "\n"
        "STUCK  5 tasks in chan send for 12s to 1m 32s, +3 in the last 60s\n"
        "       channel 0x500: unbuffered, 5 senders waiting, no receiver waiting\n"
        "       no deadline, and parked for 10s or longer\n"
        "       at  sum                                      app+0x20\n"
        "       by  handle_request                           app+0x30\n"
        "\n"
        "STUCK  1 thread in mutex lock for 30s\n"
        "       mutex 0x900: held by thread 6 (holder), which was not parked; 1 waiting for it\n"
        "       no deadline, and parked for 10s or longer\n"
        "       at  (its stack was not recorded; the call is pthread_mutex_lock)\n"
        "\n"
        "not shown: 1 task in 1 group that wait as expected or not for long (--all)\n"
        "note: /nowhere/app: the file is gone\n");
    free(text);
}

static void text__nothing_found(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_header(b)->state = REC_STATE_EXITED;
    builder_header(b)->exit_code = 3;
    builder_header(b)->ended_ns = BUILDER_NOW_NS + SECOND;
    builder_thread(b, "main");
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_string_equal(
        text, "nothing found: 1 task, 1 not parked, 0 parked, 0 of them for 10s or longer; 1 "
              "spawned, 0 finished\n"
              "       in /opt/app/server, pid 2147483632, which exited with status 3; as of "
              "2026-11-18T11:08:21.000Z\n");
    free(text);
}

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

static void text__loss_is_shown(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_header(b)->lost_tasks = 7;
    builder_header(b)->unreadable_tasks = 1;
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, ", 8 LOST\n"));
    assert_non_null(strstr(text, "lost: 7 tasks had no room in the recording"));
    assert_non_null(strstr(text, "lost: 1 task could not be read whole"));
    free(text);
}

/* A thread of this process, which runs, parked where the sampler has not looked for so long;
 * negative: never. */
static struct builder *build_unwatched(int64_t not_looked_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = (uint32_t)getpid();
    header->process_start_ticks = 0; /* not known: any that runs */
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    header->started_ns = now_ns - 100 * (uint64_t)SECOND;
    header->last_walk_ns = not_looked_ns < 0 ? 0 : now_ns - (uint64_t)not_looked_ns;
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "sem_wait", REC_OP_SEM_WAIT, 0x500, 0, 0);
    if (not_looked_ns < 0)
        task->seen_gen = 0;
    return b;
}

/* A goroutine of which the program says as much as this. */
static char *write_labelled(unsigned labels)
{
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, task, "chan send", REC_OP_CHAN_SEND, 0x500, 12 * SECOND, 0);
    task->flags |= REC_TASK_SCANNED;
    task->runtime_id = 7;
    for (unsigned i = 0; i < labels; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        uint32_t offset = builder_string(b, key);
        task->labels = i == 0 ? offset : task->labels;
        builder_string(b, "shop");
    }
    return write_report(b, &usual, 100, report_write_text);
}

static void tasks_that_are_unknown__are_told_by_what_was_read(void **state)
{
    static const struct {
        enum snapshot_source source;
        const char *doubt;
    } rows[] = {{SNAPSHOT_RECORDING, "tasks were lost to the recording"},
                {SNAPSHOT_PROCESS, "tasks could not be read"},
                {SNAPSHOT_CORE, "tasks could not be read"}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct snapshot snapshot;
        struct report report = {.snapshot = &snapshot};
        snapshot_init(&snapshot);
        snapshot.source = rows[i].source;
        snapshot.loss.unreadable = 1;
        assert_string_equal(report_doubt(&report), rows[i].doubt);
        snapshot_deinit(&snapshot);
    }
}

static void text__more_labels_than_are_shown__said(void **state)
{
    (void)state;
    char *text = write_labelled(6);
    assert_non_null(strstr(text, "labels key0=shop, key1=shop,"));
    assert_non_null(strstr(text, ", key5=shop\n"));
    free(text);
    text = write_labelled(7);
    assert_non_null(strstr(text, ", key5=shop, …\n"));
    free(text);
}

static void text__nobody_looked_lately__said(void **state)
{
    (void)state;
    char *text = write_report(build_unwatched(40 * SECOND), &usual, 100, report_write_text);
    assert_non_null(
        strstr(text, "nobody has looked at its tasks for 40s (that happens every 100ms"));
    free(text);
    text = write_report(build_unwatched(-1), &usual, 100, report_write_text);
    assert_non_null(strstr(text, "nobody has looked at its tasks yet (that happens every 100ms"));
    free(text);
    text = write_report(build_unwatched(SECOND), &usual, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);

    struct builder *b = build_unwatched(40 * SECOND);
    builder_header(b)->sample_period_ns = 20 * (uint64_t)SECOND;
    text = write_report(b, &usual, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);
}

/* Between two looks a wait may begin and get older than the threshold. */
static void text__looked_at_less_often_than_the_threshold_asks_for__said(void **state)
{
    static const struct report_options short_threshold = {.threshold_ns = SECOND / 2};
    (void)state;
    struct builder *b = build_unwatched(SECOND);
    builder_header(b)->sample_period_ns = 20 * (uint64_t)SECOND;
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "nothing found among what could be read"));
    assert_non_null(strstr(text, "somebody looks at its tasks only every 20s: waits may be that "
                                 "much longer than told, and past 10s"));
    free(text);

    b = build_unwatched(SECOND);
    builder_header(b)->sample_period_ns = 9 * (uint64_t)SECOND;
    text = write_report(b, &usual, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);

    b = build_unwatched(SECOND / 4);
    builder_header(b)->sample_period_ns = (uint64_t)SECOND;
    text = write_report(b, &short_threshold, 100, report_write_text);
    assert_null(strstr(text, "note:"));
    free(text);
}

static void text__ended_before_anybody_looked__said(void **state)
{
    (void)state;
    struct builder *b = build_unwatched(-1);
    builder_header(b)->state = REC_STATE_EXITED;
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "it ended before anybody looked at its tasks"));
    free(text);

    /* Its sampler had stopped long before: what began to wait since may be parked for long. */
    b = build_unwatched(60 * SECOND);
    builder_header(b)->state = REC_STATE_EXITED;
    builder_header(b)->ended_ns = builder_header(b)->last_walk_ns + 50 * (uint64_t)SECOND;
    struct rec_task *late = builder_thread(b, "late");
    builder_park(b, late, "read", REC_OP_IO_WAIT, 3, 0, 0);
    late->seen_gen = 0;
    text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "nobody looked at its tasks in the 50s before it ended (that "
                                 "happens every 100ms): waits that began then have no age"));
    assert_non_null(strstr(text, "1 parked task may be so for 10s or longer, nobody knows since "
                                 "when: --threshold 0 shows it"));
    free(text);
}

/* Rows that are just being written, or that somebody has damaged. */
static void text__of_functions_in_modules_that_are_none__tells_the_others(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "read", REC_OP_IO_WAIT, 3, 12 * SECOND, 0);
    uint32_t module = builder_module(b, "/nowhere/app", 0, 0);
    builder_frame(b, 0x10010, module, "main.one");
    builder_frame(b, 0x10020, module + 1, "main.two");
    builder_frame(b, 0x10030, 0, "main.three");
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, "1 stuck"));
    free(text);
}

/* A program of Go's own compiler that ended by itself, 75 ms after it was looked at. */
static struct builder *build_go_that_exited(int64_t parked_ns)
{
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->runtimes |= REC_RUNTIME_GO_PROGRAM;
    header->state = REC_STATE_EXITED;
    header->ended_ns = header->last_walk_ns + 75000000;
    struct rec_task *task = builder_task(b, REC_KIND_GOROUTINE, "");
    builder_park(b, task, "chan receive", REC_OP_CHAN_RECEIVE, 0x500, parked_ns, 0);
    task->flags |= REC_TASK_SCANNED;
    return b;
}

static void text__of_goroutines_that_were_not_looked_at_in_the_end__says_so(void **state)
{
    static const char note[] = "its goroutines were looked at last 75ms before it exited";
    (void)state;
    char *text = write_report(build_go_that_exited(12 * SECOND), &usual, 100, report_write_text);
    assert_non_null(strstr(text, note));
    free(text);
    text = write_report(build_go_that_exited(SECOND), &usual, 100, report_write_text);
    assert_null(strstr(text, note)); /* nothing is said of them */
    free(text);
}

/* A program with one thread has no sampler before its first wait. */
static void text__nothing_parked__nobody_needs_to_look(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_header *header = builder_header(b);
    header->pid = (uint32_t)getpid();
    header->process_start_ticks = 0;
    header->last_walk_ns = 0;
    builder_thread(b, "main");
    char *text = write_report(b, &usual, 100, report_write_text);
    assert_non_null(strstr(text, ": 1 task, 1 running, 0 parked,"));
    assert_null(strstr(text, "note:"));
    free(text);
}

static void text__all_and_min_count__choose_groups(void **state)
{
    (void)state;
    struct report_options options = usual;
    options.all = true;
    char *text = write_report(build_leak(), &options, 100, report_write_text);
    assert_non_null(strstr(text, "WAITING  1 thread in sleep for 1s\n"));
    free(text);
    options.min_count = 2;
    text = write_report(build_leak(), &options, 100, report_write_text);
    assert_null(strstr(text, "WAITING"));
    assert_null(strstr(text, "mutex"));
    assert_non_null(
        strstr(text, "\nnot shown: 2 tasks in 2 groups of fewer than 2 (--min-count)\n"));
    free(text);
    /* A finding that is left out is not said to wait as expected. */
    options.all = false;
    text = write_report(build_leak(), &options, 100, report_write_text);
    assert_non_null(strstr(
        text, "\nnot shown: 1 task in 1 group of fewer than 2 (--min-count)\n"
              "not shown: 1 task in 1 group that wait as expected or not for long (--all)\n"));
    free(text);
}

static void text__names_of_the_target__obeyed_by_no_terminal(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    uint32_t app = builder_module(b, "/nowhere/a\033[2Jpp", 0x10000, 0x20000);
    uint32_t site = builder_site(b, (uint64_t[]){0x10010}, 1);
    builder_frame(b, 0x10010, app, "f\033]0;x\007");
    struct rec_task *holder = builder_thread(b, "h\033[31m\n");
    struct rec_task *task = builder_thread(b, "w");
    builder_park(b, task, "pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0x900, 30 * SECOND, site);
    builder_owner(task, holder);
    builder_header(b)->exe = builder_string(b, "/opt/\033c");
    char *text = write_report(b, &usual, 100, report_write_text);
    for (const char *at = text; *at; at++) {
        if ((unsigned char)*at < 0x20 && *at != '\n')
            fail_msg("byte 0x%02x at %td of: %s", *at, at - text, text);
    }
    assert_non_null(strstr(text, "f\\x1b]0;x\\x07"));
    assert_non_null(strstr(text, "(h\\x1b[31m\\x0a)"));
    free(text);
}

static void text__colour__only_when_asked(void **state)
{
    (void)state;
    struct report_options options = usual;
    options.colour = true;
    char *text = write_report(build_leak(), &options, 100, report_write_text);
    assert_non_null(strstr(text, "\033[1;33mSTUCK\033[0m  5 tasks"));
    free(text);
}

/* The contract: each key of an object, and the types it may have (i int, s string, n null, b bool,
 * a array, o object). */
struct key {
    const char *name, *types;
};

static char type_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return 'o';
    case JSON_ARRAY:
        return 'a';
    case JSON_STRING:
        return 's';
    case JSON_INTEGER:
        return 'i';
    case JSON_TRUE:
    case JSON_FALSE:
        return 'b';
    case JSON_NULL:
        return 'n';
    default:
        return '?';
    }
}

static void assert_keys(const json_t *object, const char *what, const struct key *keys)
{
    for (; keys->name; keys++) {
        const json_t *value = json_object_get(object, keys->name);
        if (!value)
            fail_msg("%s has no %s", what, keys->name);
        if (!strchr(keys->types, type_of(value)))
            fail_msg("%s.%s has type %c, not one of %s", what, keys->name, type_of(value),
                     keys->types);
    }
}

static const struct key top_keys[] = {{"schema", "s"}, {"source", "o"}, {"threshold_ns", "i"},
                                      {"totals", "o"}, {"groups", "a"}, {NULL, NULL}};
static const struct key source_keys[] = {
    {"kind", "s"},    {"path", "sn"},      {"pid", "i"},        {"exe", "s"},
    {"cmdline", "a"}, {"runtimes", "a"},   {"started", "sn"},   {"taken", "s"},
    {"end", "s"},     {"exit_code", "in"}, {"last_walk", "sn"}, {NULL, NULL}};
static const struct key totals_keys[] = {
    {"tasks", "i"},    {"running", "i"},   {"parked", "i"}, {"past_threshold", "i"},
    {"spawned", "in"}, {"finished", "in"}, {"lost", "i"},   {NULL, NULL}};
static const struct key group_keys[] = {
    {"verdict", "s"},    {"evidence", "a"},    {"kind", "s"},       {"op", "s"},
    {"count", "i"},      {"oldest_ns", "in"},  {"newest_ns", "in"}, {"object", "on"},
    {"wait_stack", "a"}, {"spawn_stack", "a"}, {"tasks", "a"},      {"tasks_omitted", "i"},
    {NULL, NULL}};
static const struct key object_keys[] = {
    {"kind", "s"},         {"address", "s"},     {"capacity", "in"}, {"length", "in"},
    {"closed", "bn"},      {"owner_task", "in"}, {"senders", "in"},  {"receivers", "in"},
    {"joined_task", "in"}, {NULL, NULL}};
static const struct key task_keys[] = {{"id", "i"},         {"os_tid", "in"},  {"name", "sn"},
                                       {"parked_ns", "in"}, {"deadline", "b"}, {"labels", "o"},
                                       {NULL, NULL}};
static const struct key frame_keys[] = {{"pc", "s"},        {"function", "sn"}, {"file", "sn"},
                                        {"line", "in"},     {"inlined", "b"},   {"module", "sn"},
                                        {"build_id", "sn"}, {"offset", "s"},    {NULL, NULL}};

static void assert_contract(const json_t *json)
{
    assert_keys(json, "report", top_keys);
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "leakspy-report/1");
    assert_keys(json_object_get(json, "source"), "source", source_keys);
    assert_keys(json_object_get(json, "totals"), "totals", totals_keys);
    size_t i, k;
    json_t *group, *task, *frame;
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        assert_keys(group, "group", group_keys);
        const json_t *object = json_object_get(group, "object");
        if (json_is_object(object))
            assert_keys(object, "object", object_keys);
        const json_t *tasks = json_object_get(group, "tasks");
        json_array_foreach(tasks, k, task)
        {
            assert_keys(task, "task", task_keys);
        }
        assert_int_equal(json_array_size(tasks) +
                             json_integer_value(json_object_get(group, "tasks_omitted")),
                         json_integer_value(json_object_get(group, "count")));
        json_array_foreach(json_object_get(group, "wait_stack"), k, frame)
        {
            assert_keys(frame, "frame", frame_keys);
        }
    }
}

static const char *string_at(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_string(value))
        fail_msg("%s is no string", key);
    return json_string_value(value);
}

static json_int_t integer_at(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    if (!json_is_integer(value))
        fail_msg("%s is no integer", key);
    return json_integer_value(value);
}

static void json__keeps_the_contract(void **state)
{
    (void)state;
    struct report_options options = usual;
    options.all = true;
    json_t *json = write_json(build_leak(), &options, 3);
    assert_contract(json);

    const json_t *source = json_object_get(json, "source");
    assert_string_equal(string_at(source, "kind"), "recording");
    assert_string_equal(string_at(source, "end"), "vanished");
    assert_string_equal(string_at(source, "started"), "2026-11-18T11:06:40.000Z");
    assert_string_equal(string_at(source, "taken"), "2026-11-18T11:08:20.000Z");
    assert_int_equal(json_array_size(json_object_get(source, "cmdline")), 2);
    assert_true(json_is_null(json_object_get(source, "exit_code")));

    const json_t *totals = json_object_get(json, "totals");
    assert_int_equal(integer_at(totals, "tasks"), 8);
    assert_int_equal(integer_at(totals, "running"), 1);
    assert_int_equal(integer_at(totals, "parked"), 7);
    assert_int_equal(integer_at(totals, "past_threshold"), 6);
    assert_int_equal(integer_at(totals, "lost"), 0);

    const json_t *groups = json_object_get(json, "groups");
    assert_int_equal(json_array_size(groups), 3);
    const json_t *group = json_array_get(groups, 0);
    assert_string_equal(string_at(group, "verdict"), "stuck");
    assert_string_equal(string_at(group, "kind"), "task");
    assert_string_equal(string_at(group, "op"), "chan send");
    assert_string_equal(string_at(group, "call"), "taskrt_send");
    assert_int_equal(integer_at(group, "count"), 5);
    assert_int_equal(integer_at(group, "oldest_ns"), 92 * SECOND);
    assert_int_equal(integer_at(group, "newest_ns"), 12 * SECOND);
    assert_int_equal(integer_at(group, "tasks_omitted"), 2);
    const json_t *object = json_object_get(group, "object");
    assert_string_equal(string_at(object, "kind"), "channel");
    assert_string_equal(string_at(object, "address"), "0x500");
    assert_int_equal(integer_at(object, "capacity"), 0);
    assert_int_equal(integer_at(object, "length"), 0);
    assert_true(json_is_false(json_object_get(object, "closed")));
    assert_true(json_is_null(json_object_get(object, "owner_task")));
    assert_int_equal(integer_at(object, "senders"), 5);
    assert_int_equal(integer_at(object, "receivers"), 0);

    const json_t *frame = json_array_get(json_object_get(group, "wait_stack"), 1);
    assert_string_equal(string_at(frame, "pc"), "0x10020");
    assert_string_equal(string_at(frame, "function"), "sum");
    assert_string_equal(string_at(frame, "module"), "/nowhere/app");
    assert_string_equal(string_at(frame, "build_id"), "deadbeef");
    assert_string_equal(string_at(frame, "offset"), "0x20");
    const json_t *task = json_array_get(json_object_get(group, "tasks"), 0);
    assert_int_equal(integer_at(task, "id"), 5);
    assert_true(json_is_null(json_object_get(task, "os_tid")));
    assert_string_equal(string_at(task, "name"), "sum");

    group = json_array_get(groups, 1);
    assert_int_equal(integer_at(json_object_get(group, "object"), "owner_task"), 6);
    assert_true(json_is_null(json_object_get(json_object_get(group, "object"), "capacity")));
    group = json_array_get(groups, 2);
    assert_string_equal(string_at(group, "verdict"), "waiting");
    assert_true(json_is_null(json_object_get(group, "object")));
    json_decref(json);
}

/* What the report says of a thread that joins the one with this handle; 0: the first thread. */
static json_t *write_join(uint64_t handle)
{
    struct builder *b = recording_builder_create();
    const struct rec_task *worker = builder_thread(b, "worker");
    builder_park(b, builder_thread(b, "main"), "pthread_join", REC_OP_THREAD_JOIN,
                 handle ? handle : worker->handle, 30 * SECOND, 0);
    struct report_options options = usual;
    options.all = true; /* who joins one that runs waits as expected */
    return write_json(b, &options, 100);
}

static void json__join__says_which_task_is_joined(void **state)
{
    (void)state;
    for (uint64_t handle = 0; handle < 2; handle++) {
        json_t *json = write_join(handle);
        assert_contract(json);
        const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
        const json_t *object = json_object_get(group, "object");
        assert_string_equal(string_at(object, "kind"), "thread");
        assert_true(json_is_null(json_object_get(object, "owner_task")));
        if (handle)
            assert_true(json_is_null(json_object_get(object, "joined_task")));
        else
            assert_int_equal(integer_at(object, "joined_task"), 1);
        json_decref(json);
    }
}

static void json__different_objects__stand_with_the_tasks(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (unsigned i = 0; i < 2; i++)
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500 + i, 30 * SECOND,
                     0);
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_true(json_is_null(json_object_get(group, "object")));
    size_t i;
    json_t *task;
    json_array_foreach(json_object_get(group, "tasks"), i, task)
    {
        const json_t *object = json_object_get(task, "object");
        assert_keys(object, "object", object_keys);
        assert_string_equal(string_at(object, "kind"), "semaphore");
        assert_string_equal(string_at(object, "address"), i ? "0x501" : "0x500");
    }
    json_decref(json);
}

static void json__select__has_its_cases(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    struct rec_task *task = builder_task(b, REC_KIND_TASK, "c");
    builder_park(b, task, "taskrt_select", REC_OP_SELECT, 0, 30 * SECOND, 0);
    uint32_t first = builder_case(b, REC_OP_CHAN_SEND, 0x600);
    builder_case(b, REC_OP_CHAN_RECEIVE, 0);
    builder_select(task, first, 2);
    task->arg = 5; /* and three more */
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    const json_t *one = json_array_get(json_object_get(group, "tasks"), 0);
    assert_int_equal(json_integer_value(json_object_get(one, "cases_omitted")), 3);
    const json_t *cases = json_object_get(one, "cases");
    assert_int_equal(json_array_size(cases), 2);
    assert_string_equal(string_at(json_array_get(cases, 0), "op"), "chan send");
    assert_string_equal(string_at(json_array_get(cases, 0), "address"), "0x600");
    assert_true(json_is_null(json_object_get(json_array_get(cases, 1), "address")));
    json_decref(json);
}

/* Of channels of which each has one who waits, those on the other side are counted. */
static void json__different_channels__say_who_is_on_the_other_side(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    for (uint64_t channel = 0x600; channel <= 0x700; channel += 0x100) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "s");
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, channel, 30 * SECOND, 0);
        builder_channel(task, 0, 0);
    }
    struct rec_task *other = builder_task(b, REC_KIND_TASK, "r");
    builder_park(b, other, "taskrt_receive", REC_OP_CHAN_RECEIVE, 0x700, 0, 0);
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    const json_t *tasks = json_object_get(group, "tasks");
    assert_int_equal(json_array_size(tasks), 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *object = json_object_get(json_array_get(tasks, i), "object");
        assert_true(json_is_null(json_object_get(object, "senders")));
        assert_int_equal(integer_at(object, "receivers"),
                         strcmp(string_at(object, "address"), "0x700") == 0);
    }
    json_decref(json);
}

static void json__nobody_looked_lately__a_note(void **state)
{
    (void)state;
    json_t *json = write_json(build_unwatched(-1), &usual, 100);
    assert_contract(json);
    assert_true(json_is_null(json_object_get(json_object_get(json, "source"), "last_walk")));
    const json_t *note = json_array_get(json_object_get(json, "notes"), 0);
    assert_string_equal(string_at(note, "path"), builder_path("report.rec"));
    assert_non_null(strstr(string_at(note, "note"), "nobody has looked at its tasks yet"));
    json_decref(json);

    json = write_json(build_leak(), &usual, 100);
    assert_string_equal(string_at(json_object_get(json, "source"), "last_walk"),
                        "2026-11-18T11:08:20.000Z");
    json_decref(json);
}

static void json__names_that_are_no_utf8__still_json(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_park(b, builder_thread(b, "w\xff\xfe\033"), "sem_wait", REC_OP_SEM_WAIT, 0x500,
                 30 * SECOND, 0);
    builder_header(b)->exe = builder_string(b, "/opt/\xc3(");
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    assert_string_equal(string_at(json_object_get(json, "source"), "exe"), "/opt/\xef\xbf\xbd(");
    json_decref(json);
}

static void json__unknown_age__null(void **state)
{
    (void)state;
    struct builder *b = recording_builder_create();
    builder_thread(b, "early")->state = REC_TASK_FINISHED;
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_string_equal(string_at(group, "verdict"), "unjoined");
    assert_true(json_is_null(json_object_get(group, "oldest_ns")));
    assert_int_equal(json_array_size(json_object_get(group, "wait_stack")), 0);
    json_decref(json);
}

static void json__sites_in_a_file_that_was_loaded_again__one_group(void **state)
{
    static const char *const paths[] = {"/nowhere/plugin.so", "/nowhere/plugin.so",
                                        "/nowhere/other.so"};
    (void)state;
    struct builder *b = recording_builder_create();
    for (uint64_t i = 0; i < 3; i++) {
        uint64_t start = 0x10000 * (i + 1);
        builder_module(b, paths[i], start, start + 0x1000);
        builder_park(b, builder_thread(b, "w"), "sem_wait", REC_OP_SEM_WAIT, 0x500, 20 * SECOND,
                     builder_site(b, (uint64_t[]){start + 0x10}, 1));
    }
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    const json_t *groups = json_object_get(json, "groups");
    assert_int_equal(json_array_size(groups), 2);
    assert_int_equal(json_integer_value(json_object_get(json_array_get(groups, 0), "count")), 2);
    json_decref(json);
}

/* Sizes as they come: nothing grows faster than the number of tasks. */
static void many_tasks__one_group_with_few_of_them_listed(void **state)
{
    (void)state;
    struct builder *b = builder_create_for(20000);
    uint32_t site = builder_site(b, (uint64_t[]){0x10}, 1);
    for (unsigned i = 0; i < 20000; i++) {
        struct rec_task *task = builder_task(b, REC_KIND_TASK, "t");
        task->spawn_site = site;
        builder_park(b, task, "taskrt_send", REC_OP_CHAN_SEND, 0x500 + 16 * i, 20 * SECOND + i,
                     site);
        builder_channel(task, 0, 0);
    }
    json_t *json = write_json(b, &usual, 100);
    assert_contract(json);
    assert_int_equal(json_array_size(json_object_get(json, "groups")), 1);
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_int_equal(integer_at(group, "count"), 20000);
    assert_int_equal(integer_at(group, "tasks_omitted"), 19900);
    assert_int_equal(integer_at(json_array_get(json_object_get(group, "tasks"), 0), "id"), 20000);
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__finding_first),
        cmocka_unit_test(text__nothing_found),
        cmocka_unit_test(groups__are_not_split_by_frames_that_are_not_shown),
        cmocka_unit_test(json__stack_of_a_group_is_that_of_one_of_its_tasks),
        cmocka_unit_test(groups__are_split_by_what_such_frames_say),
        cmocka_unit_test(text__stripped_program__ends_where_main_is_called),
        cmocka_unit_test(stack_that_has_no_room__frames_of_libraries_take_one_line),
        cmocka_unit_test(stack_that_has_room__all_frames),
        cmocka_unit_test(function_that_a_thread_began_in__is_told_shortly),
        cmocka_unit_test(long_name_of_a_function__is_shortened_in_the_text_alone),
        cmocka_unit_test(stack_that_is_longer_than_what_was_kept__said),
        cmocka_unit_test(go_statement_alone__is_not_said_to_be_cut_in_the_text),
        cmocka_unit_test(text__loss_is_shown),
        cmocka_unit_test(tasks_that_are_unknown__are_told_by_what_was_read),
        cmocka_unit_test(text__more_labels_than_are_shown__said),
        cmocka_unit_test(text__nobody_looked_lately__said),
        cmocka_unit_test(text__looked_at_less_often_than_the_threshold_asks_for__said),
        cmocka_unit_test(text__ended_before_anybody_looked__said),
        cmocka_unit_test(text__of_functions_in_modules_that_are_none__tells_the_others),
        cmocka_unit_test(text__of_goroutines_that_were_not_looked_at_in_the_end__says_so),
        cmocka_unit_test(text__nothing_parked__nobody_needs_to_look),
        cmocka_unit_test(text__all_and_min_count__choose_groups),
        cmocka_unit_test(text__names_of_the_target__obeyed_by_no_terminal),
        cmocka_unit_test(text__colour__only_when_asked),
        cmocka_unit_test(json__keeps_the_contract),
        cmocka_unit_test(json__join__says_which_task_is_joined),
        cmocka_unit_test(json__different_objects__stand_with_the_tasks),
        cmocka_unit_test(json__select__has_its_cases),
        cmocka_unit_test(json__different_channels__say_who_is_on_the_other_side),
        cmocka_unit_test(json__nobody_looked_lately__a_note),
        cmocka_unit_test(json__names_that_are_no_utf8__still_json),
        cmocka_unit_test(json__unknown_age__null),
        cmocka_unit_test(json__sites_in_a_file_that_was_loaded_again__one_group),
        cmocka_unit_test(many_tasks__one_group_with_few_of_them_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
