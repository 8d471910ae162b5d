/* What is damaged, foreign, forbidden, full or gone: the command says so, with status 2 and without
 * a crash; a program that cannot be recorded runs on as if nobody had tried. */
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/recording.h"

#define TRANSPARENT LEAKSPY_TARGETS "/transparent"
#define NOBODY "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"

static char dir[64]; /* scratch of the test */
static char path[128];
static char good[128]; /* a good recording */
static size_t good_bytes;
static struct rec_header header; /* of it */

static const char *in_scratch(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_scratch(const char *name, const void *bytes, size_t count)
{
    int fd = open(in_scratch(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, count), count);
    close(fd);
}

/* Makes `name`, a copy of the good recording, holes and all. Returns a descriptor of it. */
static int copy_recording(const char *name, const char *from)
{
    struct outcome outcome =
        run_program(false, LIST("/bin/cp", "--sparse=always", from, in_scratch(name)), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int make_scratch(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/leakspy-bad.XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    const struct expected_group leak = {.op = "chan receive"};
    struct target *target =
        target_start(true, LIST(LEAKSPY_SAMPLES "/receive_without_sender"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL, &leak));
    target_kill(target, SIGKILL);

    struct stat status;
    int fd = copy_recording("good", target->recording);
    strcpy(good, path);
    assert_int_equal(fstat(fd, &status), 0);
    good_bytes = (size_t)status.st_size;
    assert_int_equal(pread(fd, &header, sizeof header, 0), sizeof header);
    close(fd);
    target_end(target);
    return 0;
}

static int remove_scratch(void **state)
{
    (void)state;
    struct outcome outcome = run_program(false, LIST("/bin/rm", "-rf", dir), NULL);
    outcome_deinit(&outcome);
    return 0;
}

/* ---- the command ---- */

/* The command ended by itself, with a status it may have, and said something if that was 2. */
static void assert_orderly(const char *what, const struct outcome *outcome)
{
    bool orderly = WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) <= 2 &&
                   WEXITSTATUS(outcome->status) != 1 &&
                   (outcome->status == 0 || strncmp(outcome->err, "leakspy: ", 9) == 0);
    if (!orderly)
        fprintf(stderr, "%s: status 0x%x\n%s\n", what, outcome->status, outcome->err);
    assert_true(orderly);
}

/* `leakspy ARGV…` fails with `status` and one line on stderr that says `why`. */
static void assert_refused(int status, const char *why, const char *const argv[])
{
    struct outcome outcome = run_program(false, argv, NULL);
    const char *newline = strchr(outcome.err, '\n');
    if (!WIFEXITED(outcome.status) || WEXITSTATUS(outcome.status) != status ||
        strncmp(outcome.err, "leakspy: ", 9) != 0 || !strstr(outcome.err, why))
        fprintf(stderr, "%s %s %s: status 0x%x, looked for \"%s\"\n%s\n", argv[0], argv[1],
                argv[1] ? argv[2] : "", outcome.status, why, outcome.err);
    assert_true(WIFEXITED(outcome.status));
    assert_int_equal(WEXITSTATUS(outcome.status), status);
    assert_memory_equal(outcome.err, "leakspy: ", 9);
    assert_non_null(strstr(outcome.err, why));
    assert_non_null(newline);
    assert_string_equal(outcome.out, "");
    outcome_deinit(&outcome);
}

static void assert_report_refused(const char *why, const char *source)
{
    assert_refused(2, why, LIST(LEAKSPY_COMMAND, "report", source));
    assert_refused(2, why, LIST(LEAKSPY_COMMAND, "report", "--format", "json", source));
}

static void empty_file__is_refused(void **state)
{
    (void)state;
    write_scratch("empty", "", 0);
    assert_report_refused("", in_scratch("empty"));
    assert_refused(2, "", LIST(LEAKSPY_COMMAND, "dump", in_scratch("empty")));
}

static void truncated_file__is_refused_or_read_as_far_as_it_goes(void **state)
{
    (void)state;
    int fd = copy_recording("cut", good);
    /* many lengths of the tables, and most of the header's fields */
    for (size_t bytes = good_bytes - 1; bytes > 0; bytes -= bytes > 4 * REC_HEADER_BYTES
                                                                ? bytes / 10
                                                            : bytes > 600 ? 97
                                                                          : 5) {
        assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
        struct outcome outcome =
            run_program(false, LIST(LEAKSPY_COMMAND, "report", in_scratch("cut")), NULL);
        assert_orderly("truncated", &outcome);
        if (bytes < sizeof header)
            assert_int_equal(WEXITSTATUS(outcome.status), 2);
        outcome_deinit(&outcome);
        if (bytes < 5)
            break;
    }
    close(fd);
}

/* A bit of the header, or of what is used of some table. */
static uint64_t choose_byte(uint32_t *random, bool of_header)
{
    *random = *random * 1664525 + 1013904223;
    const struct rec_table *table = &header.tables[(*random >> 8) % REC_TABLE_COUNT];
    uint64_t used = (uint64_t)table->stride * table->count + 1;
    *random = *random * 1664525 + 1013904223;
    return of_header ? *random % sizeof header : table->offset + *random % used;
}

static void flipped_bits__never_crash_the_command(void **state)
{
    uint32_t random = 12345;
    (void)state;
    int fd = copy_recording("flipped", good);
    for (int round = 0; round < 240; round++) {
        uint64_t at[4];
        char before[4];
        int flips = 1 + round % 4;
        for (int i = 0; i < flips; i++) {
            at[i] = choose_byte(&random, round % 2 == 0) % good_bytes;
            assert_int_equal(pread(fd, &before[i], 1, (off_t)at[i]), 1);
            char after = (char)(before[i] ^ (1 << (random >> 29)));
            assert_int_equal(pwrite(fd, &after, 1, (off_t)at[i]), 1);
        }
        const char *command = round % 3 ? "report" : "dump";
        struct outcome outcome =
            run_program(false, LIST(LEAKSPY_COMMAND, command, in_scratch("flipped")), NULL);
        assert_orderly("flipped", &outcome);
        outcome_deinit(&outcome);
        for (int i = flips; i-- > 0;)
            assert_int_equal(pwrite(fd, &before[i], 1, (off_t)at[i]), 1);
    }
    close(fd);
}

static void foreign_files__are_refused(void **state)
{
    (void)state;
    write_scratch("text", "hello, world\n", 13);
    assert_report_refused("", in_scratch("text"));
    assert_report_refused("", "/bin/true");
    assert_report_refused("", "/dev/null");
    assert_report_refused("", "/dev/zero");
    assert_report_refused("", dir);
    assert_int_equal(mkfifo(in_scratch("fifo"), 0600), 0);
    assert_report_refused("", in_scratch("fifo"));
}

static void newer_version__is_refused_with_both_numbers(void **state)
{
    char numbers[32];
    uint16_t newer = 77;
    (void)state;
    int fd = copy_recording("newer", good);
    assert_int_equal(pwrite(fd, &newer, sizeof newer, offsetof(struct rec_header, major)),
                     sizeof newer);
    close(fd);
    assert_report_refused("77", in_scratch("newer"));
    snprintf(numbers, sizeof numbers, "%d", REC_MAJOR);
    assert_report_refused(numbers, in_scratch("newer"));
}

static void vanished_file__is_refused(void **state)
{
    (void)state;
    assert_report_refused("No such file", in_scratch("vanished"));
    assert_report_refused("", "/nonexistent/folder/file.rec");
}

/* Whether tests can be run as somebody else, who can reach what was built. */
static void need_somebody_else(void)
{
    if (geteuid() != 0)
        skip();
    struct outcome outcome =
        run_program(false,
                    LIST(NOBODY, "/bin/sh", "-c", "[ -x \"$0\" ] && [ -r \"$1\" ] && [ -x \"$2\" ]",
                         LEAKSPY_COMMAND, LEAKSPY_PRELOAD, TRANSPARENT),
                    NULL);
    bool can = outcome.status == 0;
    outcome_deinit(&outcome);
    if (!can)
        skip();
}

static void unreadable_file__is_refused(void **state)
{
    (void)state;
    need_somebody_else();
    close(copy_recording("private", good));
    assert_int_equal(chmod(in_scratch("private"), 0600), 0);
    assert_refused(2, "Permission denied",
                   LIST(NOBODY, LEAKSPY_COMMAND, "report", in_scratch("private")));
}

static void process_that_is_not_there__is_refused(void **state)
{
    (void)state;
    assert_report_refused("no such process", "999999999");
    assert_report_refused("", "0");
}

/* It is looked at from outside: test_process has the details. */
static void process_that_was_not_recorded__is_told(void **state)
{
    const struct expected_group leak = {.op = "chan receive"};
    (void)state;
    struct target *target =
        target_start(false, LIST(LEAKSPY_SAMPLES "/receive_without_sender"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group_in(target->pid_text, "0", NULL, &leak));
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--threshold", "0", target->pid_text), NULL);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.err, "");
    assert_non_null(strstr(outcome.out, "chan receive"));
    outcome_deinit(&outcome);
    target_end(target);
}

static void process_of_somebody_else__is_refused(void **state)
{
    (void)state;
    need_somebody_else();
    struct target *target =
        target_start(true, LIST(LEAKSPY_SAMPLES "/receive_without_sender"), NULL);
    target_wait_line(target, "ready");
    assert_refused(2, "", LIST(NOBODY, LEAKSPY_COMMAND, "report", target->pid_text));
    target_end(target);
}

static void process_by_its_number__is_reported(void **state)
{
    const struct expected_group leak = {.op = "chan receive", .count = 1};
    (void)state;
    struct target *target =
        target_start(true, LIST(LEAKSPY_SAMPLES "/receive_without_sender"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL, &leak));
    json_t *json = report(target->pid_text, "60ms", NULL);
    assert_group(json, &leak);
    json_decref(json);
    target_end(target);
}

static void wrong_usage__is_said_with_64(void **state)
{
    (void)state;
    assert_refused(64, "", LIST(LEAKSPY_COMMAND, "frobnicate"));
    assert_refused(64, "", LIST(LEAKSPY_COMMAND, "report", "--threshold", "soon", "x"));
    assert_refused(64, "", LIST(LEAKSPY_COMMAND, "report", "--format", "xml", "x"));
    assert_refused(64, "", LIST(LEAKSPY_COMMAND, "report", "--no-such-option", "x"));
    assert_refused(64, "", LIST(LEAKSPY_COMMAND, "report", "--min-count", "-1", "x"));
    assert_refused(64, "", LIST(LEAKSPY_COMMAND, "report", "x", "y"));
    assert_refused(64, "", LIST(LEAKSPY_COMMAND, "run"));
}

static void output_that_cannot_be_written__is_said(void **state)
{
    (void)state;
    assert_refused(2, "", LIST(LEAKSPY_COMMAND, "report", "-o", "/nonexistent/report", good));
    assert_refused(2, "", LIST(LEAKSPY_COMMAND, "report", "-o", "/dev/full", good));
}

/* ---- the target ---- */

/* A program with threads and a child behaves the same with these settings. */
static void assert_runs_on(const char *const env[])
{
    assert_same_behaviour(LIST(TRANSPARENT, "fork_and_park"), env);
    assert_same_behaviour(LIST(LEAKSPY_SAMPLES "/lock_order_deadlock"), env);
}

static const char *out_setting(const char *where)
{
    static char setting[4200];
    snprintf(setting, sizeof setting, "LEAKSPY_OUT=%s", where);
    return setting;
}

static void recording_that_cannot_be_made__lets_the_program_run_on(void **state)
{
    char long_name[4096];
    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    assert_runs_on(LIST(out_setting("/nonexistent/folder/file.rec")));
    assert_runs_on(LIST(out_setting("/proc/self/file.rec")));
    assert_runs_on(LIST(out_setting("/dev/full")));
    assert_runs_on(LIST(out_setting(dir)));
    assert_runs_on(LIST(out_setting(long_name)));
    mkfifo(in_scratch("out-fifo"), 0600);
    assert_runs_on(LIST(out_setting(in_scratch("out-fifo"))));
}

static void link_in_place_of_the_recording__is_not_followed(void **state)
{
    char victim[128];
    (void)state;
    write_scratch("victim", "precious", 8);
    strcpy(victim, path);
    assert_int_equal(symlink(victim, in_scratch("link")), 0);
    assert_runs_on(LIST(out_setting(in_scratch("link"))));
    char *text = read_file(victim);
    assert_string_equal(text, "precious");
    free(text);

    char nowhere[128];
    strcpy(nowhere, in_scratch("nowhere"));
    assert_int_equal(symlink(nowhere, in_scratch("dangling-link")), 0);
    assert_runs_on(LIST(out_setting(in_scratch("dangling-link"))));
    assert_int_equal(access(nowhere, F_OK), -1);
}

static void foreign_file_in_place_of_the_recording__stays(void **state)
{
    (void)state;
    write_scratch("document", "precious", 8);
    assert_runs_on(LIST(out_setting(in_scratch("document"))));
    char *text = read_file(path);
    assert_string_equal(text, "precious");
    free(text);
}

static void read_only_folder__lets_the_program_run_on(void **state)
{
    static char preload[] = "LD_PRELOAD=" LEAKSPY_PRELOAD;
    char folder[128];
    (void)state;
    need_somebody_else();
    strcpy(folder, in_scratch("read-only"));
    assert_int_equal(mkdir(folder, 0555), 0);
    char out[200];
    snprintf(out, sizeof out, "LEAKSPY_OUT=%s/file.rec", folder);
    struct outcome bare = run_program(false, LIST(NOBODY, TRANSPARENT, "fork_and_park"), NULL);
    struct outcome preloaded = run_program(
        false, LIST(NOBODY, "/usr/bin/env", preload, out, TRANSPARENT, "fork_and_park"), NULL);
    assert_int_equal(preloaded.status, bare.status);
    assert_string_equal(preloaded.out, bare.out);
    assert_string_equal(preloaded.err, bare.err);
    outcome_deinit(&bare);
    outcome_deinit(&preloaded);
}

/* The same in a file system of `size`, mounted where nobody else sees it. */
static void assert_runs_on_in_file_system_of(const char *size)
{
    char script[1024];
    snprintf(script, sizeof script,
             "mount -t tmpfs -o size=%s none %s/full && cd %s/full && "
             "LD_PRELOAD=%s LEAKSPY_SAMPLE=5ms LEAKSPY_OUT=%s/full/x.rec exec \"$0\" \"$@\"",
             size, dir, dir, LEAKSPY_PRELOAD, dir);
    static const char *const scenarios[] = {"fork_and_park", "threads_come_and_go",
                                            "load_and_unload"};
    for (size_t i = 0; i < LENGTH(scenarios); i++) {
        struct outcome bare = run_program(false, LIST(TRANSPARENT, scenarios[i]), NULL);
        struct outcome preloaded = run_program(
            false,
            LIST("/usr/bin/unshare", "-m", "/bin/sh", "-c", script, TRANSPARENT, scenarios[i]),
            NULL);
        if (preloaded.status != bare.status)
            fprintf(stderr, "%s with %s: status 0x%x\n%s\n", scenarios[i], size, preloaded.status,
                    preloaded.err);
        assert_int_equal(preloaded.status, bare.status);
        assert_string_equal(preloaded.out, bare.out);
        assert_string_equal(preloaded.err, bare.err);
        outcome_deinit(&bare);
        outcome_deinit(&preloaded);
    }
}

static void full_file_system__lets_the_program_run_on(void **state)
{
    (void)state;
    struct outcome outcome = run_program(
        false, LIST("/usr/bin/unshare", "-m", "/bin/mount", "-t", "tmpfs", "none", "/mnt"), NULL);
    bool can = outcome.status == 0;
    outcome_deinit(&outcome);
    if (!can)
        skip();
    assert_int_equal(mkdir(in_scratch("full"), 0755), 0);
    assert_runs_on_in_file_system_of("4k");
    assert_runs_on_in_file_system_of("32k");
    assert_runs_on_in_file_system_of("128k");
    assert_runs_on_in_file_system_of("512k");
    assert_runs_on_in_file_system_of("2m");
}

#define DIGITS "1234567890123456789012345678901234567890123456789012345678901234"

static void senseless_settings__are_said_once_and_only_on_demand(void **state)
{
    static const struct {
        const char *name, *value, *shown;
    } settings[] = {
        {"LEAKSPY_SAMPLE", "banana", "banana"},
        {"LEAKSPY_SAMPLE", "", ""},
        {"LEAKSPY_SAMPLE", "-5ms", "-5ms"},
        {"LEAKSPY_SAMPLE", "\033]0;x\a\n\u202e1s", "\\x1b]0;x\\x07\\x0a\\xe2\\x80\\xae1s"},
        {"LEAKSPY_OPS", "chan,dance", "chan,dance"},
        {"LEAKSPY_MAX_TASKS", "-1", "-1"},
        {"LEAKSPY_MAX_TASKS", DIGITS, DIGITS},
        {"LEAKSPY_MAX_TASKS", DIGITS "567", DIGITS "..."},
        {"LEAKSPY_CHILDREN", "perhaps", "perhaps"},
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(settings); i++) {
        char setting[128], line[256];
        snprintf(setting, sizeof setting, "%s=%s", settings[i].name, settings[i].value);
        snprintf(line, sizeof line,
                 "leakspy: %s: '%s' is not a value that it can have; the default is used\n",
                 settings[i].name, settings[i].shown);
        assert_same_behaviour(LIST(LEAKSPY_SAMPLES "/lock_order_deadlock"), LIST(setting));
        struct outcome outcome = run_program(true, LIST(LEAKSPY_SAMPLES "/lock_order_deadlock"),
                                             LIST(setting, "LEAKSPY_VERBOSE=1"));
        assert_int_equal(outcome.status, 0);
        assert_string_equal(outcome.out, "ready\n");
        const char *said = strstr(outcome.err, line);
        if (!said)
            fprintf(stderr, "%s: not said:\n%s\n", setting, outcome.err);
        assert_non_null(said);
        assert_null(strstr(said + strlen(line), settings[i].name));
        outcome_deinit(&outcome);
    }
}

static void verbose__by_whatever_it_is_set_to_but_no(void **state)
{
    static const struct {
        const char *setting;
        bool on;
    } rows[] = {{"LEAKSPY_VERBOSE=1", true},  {"LEAKSPY_VERBOSE=2", true},
                {"LEAKSPY_VERBOSE=on", true}, {"LEAKSPY_VERBOSE=please", true},
                {"LEAKSPY_VERBOSE=0", false}, {"LEAKSPY_VERBOSE=no", false},
                {"LEAKSPY_VERBOSE=", false},  {"LEAKSPY_VERBOSE=off", false}};
    (void)state;
    for (size_t i = 0; i < LENGTH(rows); i++) {
        struct outcome outcome =
            run_program(true, LIST("/bin/echo", "done"), LIST(rows[i].setting));
        assert_string_equal(outcome.out, "done\n");
        if ((strstr(outcome.err, ": recording\n") != NULL) != rows[i].on ||
            (!rows[i].on && outcome.err[0]))
            fail_msg("%s: %s", rows[i].setting, outcome.err);
        outcome_deinit(&outcome);
    }
}

static void more_tasks_than_room__are_counted_as_lost(void **state)
{
    (void)state;
    struct target *target =
        target_start(true, LIST(LEAKSPY_SAMPLES "/server"), LIST("LEAKSPY_MAX_TASKS=64"));
    const char *line = target_wait_line(target, "listening on 127.0.0.1:");
    char port[16];
    snprintf(port, sizeof port, "%s", strrchr(line, ':') + 1);
    struct outcome load = run_program(false, LIST(LEAKSPY_SAMPLES "/load", port, "200"), NULL);
    assert_string_equal(load.out, "tasks: 2 before, 202 after 200 requests\n");
    outcome_deinit(&load);

    /* Status 2: data was lost where it mattered. The report is there all the same. */
    struct outcome outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--format", "json", target->recording), NULL);
    assert_true(WIFEXITED(outcome.status));
    assert_true(WEXITSTATUS(outcome.status) == 2 || WEXITSTATUS(outcome.status) == 0);
    json_t *json = json_loads(outcome.out, 0, NULL);
    assert_non_null(json);
    assert_true(json_integer_value(json_at(json, "totals.lost")) >= 100);
    json_decref(json);
    outcome_deinit(&outcome);
    target_end(target);
}

#define TEST(name) cmocka_unit_test_teardown(name, end_all_targets)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(empty_file__is_refused),
        TEST(truncated_file__is_refused_or_read_as_far_as_it_goes),
        TEST(flipped_bits__never_crash_the_command),
        TEST(foreign_files__are_refused),
        TEST(newer_version__is_refused_with_both_numbers),
        TEST(vanished_file__is_refused),
        TEST(unreadable_file__is_refused),
        TEST(process_that_is_not_there__is_refused),
        TEST(process_that_was_not_recorded__is_told),
        TEST(process_of_somebody_else__is_refused),
        TEST(process_by_its_number__is_reported),
        TEST(wrong_usage__is_said_with_64),
        TEST(output_that_cannot_be_written__is_said),
        TEST(recording_that_cannot_be_made__lets_the_program_run_on),
        TEST(link_in_place_of_the_recording__is_not_followed),
        TEST(foreign_file_in_place_of_the_recording__stays),
        TEST(read_only_folder__lets_the_program_run_on),
        TEST(full_file_system__lets_the_program_run_on),
        TEST(senseless_settings__are_said_once_and_only_on_demand),
        TEST(verbose__by_whatever_it_is_set_to_but_no),
        TEST(more_tasks_than_room__are_counted_as_lost),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
