/* Files that are made to mislead: what they name is not read where it could hold up or give away
 * something, and their names are shown and not obeyed. */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/scratch.h"

#define EVIL                                                                                       \
    "\033]0;owned\a\n99 stuck: forged \u202e\xc2\x9b"                                              \
    "31m\x9b[2J"

static int make_scratch(void **state)
{
    (void)state;
    scratch_make(0777);
    return 0;
}

static int remove_scratch(void **state)
{
    scratch_remove();
    return end_all_targets(state);
}

/* A recording of a leak in a copy of a sample that lies at `exe`. */
static void record_leak(const char *exe, const char *path)
{
    const struct expected_group leak = {.op = "chan receive"};
    struct outcome outcome =
        run_program(false, LIST("/bin/cp", LEAKSPY_SAMPLES "/receive_without_sender", exe), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    struct target *target = target_start(true, LIST(exe), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL, &leak));
    target_kill(target, SIGKILL);
    outcome = run_program(false, LIST("/bin/cp", "--sparse=always", target->recording, path), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    target_end(target);
}

static struct outcome report_all(const char *path)
{
    return run_program(false,
                       LIST("/usr/bin/timeout", "60", LEAKSPY_COMMAND, "report", "--all",
                            "--threshold", "0", path),
                       NULL);
}

static void module_that_is_a_pipe_a_device_or_a_secret__is_not_read(void **state)
{
    (void)state;
    char exe[256], rec[256];
    strcpy(exe, in_scratch("program"));
    strcpy(rec, in_scratch("rec"));
    record_leak(exe, rec);
    static const char *const kinds[] = {"fifo", "/dev/zero", "/etc/shadow", "/proc/self/mem"};
    for (size_t i = 0; i < LENGTH(kinds); i++) {
        assert_int_equal(unlink(exe), 0);
        if (kinds[i][0] == '/')
            assert_int_equal(symlink(kinds[i], exe), 0);
        else
            assert_int_equal(mkfifo(exe, 0666), 0);
        struct outcome outcome = report_all(rec);
        assert_int_equal(outcome.status, 0);
        assert_non_null(strstr(outcome.out, "chan receive"));
        assert_null(strstr(outcome.out, "root:"));
        outcome_deinit(&outcome);
    }
}

/* A debug file is looked for at paths that the file itself names; libdw opens what is there. */
static void debug_file_that_is_a_pipe__holds_up_nothing(void **state)
{
    (void)state;
    if (access("/usr/bin/objcopy", X_OK) != 0)
        skip();
    char exe[256], rec[256], debug[256];
    strcpy(exe, in_scratch("linked"));
    strcpy(rec, in_scratch("rec"));
    strcpy(debug, in_scratch("linked.debug"));
    struct outcome outcome = run_program(
        false,
        LIST("/bin/sh", "-c",
             "objcopy --only-keep-debug \"$1\" \"$3\" && cd \"$(dirname \"$3\")\" && "
             "objcopy --strip-debug --remove-section=.note.gnu.build-id "
             "--add-gnu-debuglink=linked.debug \"$1\" \"$2\" && rm \"$3\" && mkfifo \"$3\"",
             "sh", LEAKSPY_SAMPLES "/receive_without_sender", exe, debug),
        NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);

    const struct expected_group leak = {.op = "chan receive"};
    struct target *target = target_start(true, LIST(exe), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL, &leak));
    outcome = report_all(target->recording);
    assert_int_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.out, "chan receive"));
    outcome_deinit(&outcome);
    target_end(target);
}

/* Nothing that a terminal obeys: no control character, neither of ASCII's nor of Unicode's (C1),
 * nor half of one, and no mark of the direction of writing. */
static bool is_clean(const char *text)
{
    static const char *const marks[] = {"\u200e", "\u200f", "\u2028", "\u2029", "\u202a",
                                        "\u202d", "\u202e", "\u2066", "\u2069", "\u061c"};
    for (size_t i = 0; i < LENGTH(marks); i++)
        if (strstr(text, marks[i]))
            return false;
    while (*text) {
        unsigned char c = (unsigned char)*text, next = (unsigned char)text[1];
        size_t bytes = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if ((c < 0x20 && c != '\n') || c == 0x7f || (c >= 0x80 && c < 0xc2) ||
            (c == 0xc2 && next < 0xa0))
            return false;
        for (size_t i = 1; i < bytes; i++)
            if (((unsigned char)text[i] & 0xc0) != 0x80)
                return false;
        text += bytes;
    }
    return true;
}

static bool is_ascii(const char *text)
{
    while (*text && (unsigned char)*text < 0x80)
        text++;
    return *text == '\0';
}

/* A sample whose path, functions and source file have names like orders to a terminal. */
static struct target *start_evil(void)
{
    char evil[256];
    struct target *target;
    strcpy(evil, in_scratch(EVIL));
    /* As long as the names that they replace. */
    struct outcome outcome =
        run_program(false,
                    LIST("/bin/sh", "-ec",
                         "LC_ALL=C sed \"s/await_result/$(printf 'f\\033]0;func\\302\\233\\a')/g; "
                         "s/receive_without_sender\\.c/$(printf "
                         "'file\\033[2J\\302\\2331m\\342\\200\\256rigid....')/g\" "
                         "<\"$1\" >\"$2\"; chmod +x \"$2\"",
                         "sh", LEAKSPY_SAMPLES "/receive_without_sender", evil),
                    NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    const struct expected_group leak = {.op = "chan receive"};
    target = target_start(true, LIST(evil, EVIL), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "60ms", NULL, &leak));
    return target;
}

/* What `leakspy ARGV... SOURCE` prints of it; `shows`: the names are in it. */
static void assert_harmless(const char *const argv[], const char *source, bool shows)
{
    const char *words[10] = {LEAKSPY_COMMAND};
    size_t count = 1;
    bool json = false;
    for (; argv[count - 1]; count++) {
        words[count] = argv[count - 1];
        json = json || strcmp(words[count], "--format=json") == 0;
    }
    words[count] = source;
    struct outcome outcome = run_program(false, words, NULL);
    if (outcome.status != 0 || !is_clean(outcome.out) || !is_clean(outcome.err))
        fail_msg("%s %s %s: status 0x%x\n%s\n%s", words[1], count > 2 ? words[2] : "",
                 source ? source : "", outcome.status, outcome.out, outcome.err);
    if (json) {
        json_t *parsed = json_loads(outcome.out, 0, NULL); /* refuses what is not UTF-8 */
        assert_non_null(parsed);
        json_decref(parsed);
        assert_true(is_ascii(outcome.out)); /* nor is there a control character of Unicode's */
    } else if (shows && !strstr(outcome.out, "\\x1b]0;owned\\x07\\")) {
        fail_msg("%s %s: the name is not shown:\n%s", words[1], source ? source : "", outcome.out);
    }
    outcome_deinit(&outcome);
}

static void assert_reports_harmless(const char *source)
{
    assert_harmless(LIST("report", "--all", "--threshold=0"), source, true);
    assert_harmless(LIST("report", "--all", "--threshold=0", "--color=never"), source, true);
    assert_harmless(LIST("report", "--threshold=0", "--format=json"), source, false);
}

static void names_in_a_core__are_shown_and_not_obeyed(void **state)
{
    (void)state;
    struct target *target = start_evil();
    assert_reports_harmless(target_write_core(target, target->dir));
    target_end(target);
}

static void names_of_the_target__are_shown_and_not_obeyed(void **state)
{
    (void)state;
    char rec[300];
    struct target *target = start_evil();
    snprintf(rec, sizeof rec, "%s/%s.rec", scratch_dir, EVIL);
    struct outcome outcome =
        run_program(false, LIST("/bin/cp", "--sparse=always", target->recording, rec), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
    const char *const sources[] = {target->recording, rec, target->pid_text};
    for (size_t i = 0; i < LENGTH(sources); i++)
        assert_reports_harmless(sources[i]);
    assert_harmless(LIST("report", "--all", "--threshold=0", "--watch=300ms"), target->pid_text,
                    true);
    assert_harmless(LIST("dump"), rec, true);
    assert_harmless(LIST("list"), NULL, true);
    assert_harmless(LIST("list", "--format=json"), NULL, false);

    /* By the process itself, which was not preloaded. */
    struct target *bare = target_start(false, LIST(in_scratch(EVIL), EVIL), NULL);
    target_wait_line(bare, "ready");
    assert_harmless(LIST("report", "--all", "--threshold=0"), bare->pid_text, true);
    assert_harmless(LIST("report", "--all", "--threshold=0", "--watch=300ms"), bare->pid_text,
                    true);
    assert_harmless(LIST("report", "--threshold=0", "--format=json"), bare->pid_text, false);
    outcome = run_program(
        false, LIST(LEAKSPY_COMMAND, "report", "--all", "--threshold=0", bare->pid_text), NULL);
    assert_non_null(strstr(outcome.out, "f\\x1b]0;func"));
    assert_non_null(strstr(outcome.out, "file\\x1b[2J\\xc2\\x9b1m\\xe2\\x80\\xaerigid....:"));
    outcome_deinit(&outcome);

    /* One line of error, however many a name has. */
    strcat(rec, ".none");
    outcome = run_program(false, LIST(LEAKSPY_COMMAND, "report", rec), NULL);
    assert_true(is_clean(outcome.err));
    assert_int_equal(outcome.err[strlen(outcome.err) - 1], '\n');
    assert_ptr_equal(strchr(outcome.err, '\n'), outcome.err + strlen(outcome.err) - 1);
    outcome_deinit(&outcome);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(module_that_is_a_pipe_a_device_or_a_secret__is_not_read),
        TEST(debug_file_that_is_a_pipe__holds_up_nothing),
        TEST(names_of_the_target__are_shown_and_not_obeyed),
        TEST(names_in_a_core__are_shown_and_not_obeyed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
