/* Reports as text: findings, what is not shown, labels, names of the target, colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analyzer/report/report.h"
#include "tests/unit/analyzer/recording_builder.h"
#include "tests/unit/analyzer/reported.h"

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
        "       tasks 5, 4, 3, 2, 1, named sum\n"
        "       at  sum                                      app+0x20\n"
        "       by  handle_request                           app+0x30\n"
        "\n"
        "STUCK  1 thread in mutex lock for 30s\n"
        "       mutex 0x900: held by thread 6 (holder), which was not parked; 1 waiting for it\n"
        "       no deadline, and parked for 10s or longer\n"
        "       thread 7 (tid 1002), named waiter\n"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text__finding_first),
        cmocka_unit_test(text__nothing_found),
        cmocka_unit_test(text__more_labels_than_are_shown__said),
        cmocka_unit_test(text__of_functions_in_modules_that_are_none__tells_the_others),
        cmocka_unit_test(text__all_and_min_count__choose_groups),
        cmocka_unit_test(text__names_of_the_target__obeyed_by_no_terminal),
        cmocka_unit_test(text__colour__only_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
