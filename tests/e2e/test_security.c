/* What somebody else puts in the way: other users, and files that are made to mislead. Half of it
 * takes two users, and is left out where the tests do not run as root. */
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define UID "64999"   /* nobody's else, so that its folder in /dev/shm is ours to spoil */
#define OTHER "64998" /* who is not that user */
#define FOLDER "/dev/shm/leakspy-" UID
#define AS_USER "/usr/bin/setpriv", "--reuid=" UID, "--regid=" UID, "--clear-groups"
#define EVIL                                                                                       \
    "\033]0;owned\a\n99 stuck: forged \u202e\xc2\x9b"                                              \
    "31m\x9b[2J"

static char dir[64];
static char bait[64];    /* in /dev/shm, for hard links from there */
static char planted[64]; /* there, too */

static const char *in_scratch(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void remove_all(const char *what)
{
    struct outcome outcome = run_program(false, LIST("/bin/rm", "-rf", what), NULL);
    outcome_deinit(&outcome);
}

static int make_scratch(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/leakspy-safe.XXXXXX");
    snprintf(bait, sizeof bait, "/dev/shm/leakspy-bait-%d", (int)getpid());
    snprintf(planted, sizeof planted, "/dev/shm/leakspy-planted-%d.rec", (int)getpid());
    return mkdtemp(dir) && chmod(dir, 0777) == 0 ? 0 : -1;
}

static int remove_scratch(void **state)
{
    remove_all(dir);
    remove_all(bait);
    remove_all(planted);
    if (getuid() == 0)
        remove_all(FOLDER);
    return end_all_targets(state);
}

static void need_root(void)
{
    if (getuid() != 0 || access("/usr/bin/setpriv", X_OK) != 0)
        skip();
    remove_all(FOLDER);
}

/* The user's program runs as if nothing was, and nothing was written where it should not be. */
static void assert_nothing_recorded(const char *where)
{
    const char *preload = "LD_PRELOAD=" LEAKSPY_PRELOAD;
    struct outcome outcome =
        run_program(false, LIST(AS_USER, "/usr/bin/env", preload, "/bin/echo", "as ever"), NULL);
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "as ever\n");
    assert_string_equal(outcome.err, "");
    outcome_deinit(&outcome);
    outcome = run_program(false, LIST("/usr/bin/find", where, "-name", "*.rec"), NULL);
    assert_string_equal(outcome.out, "");
    outcome_deinit(&outcome);
}

static void folder_that_another_user_planted__is_not_used(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(mkdir(FOLDER, 0777), 0);
    assert_int_equal(chmod(FOLDER, 0777), 0);
    assert_nothing_recorded(FOLDER);
}

static void folder_that_others_may_write_in__is_not_used(void **state)
{
    (void)state;
    need_root();
    assert_int_equal(mkdir(FOLDER, 0770), 0);
    assert_int_equal(chmod(FOLDER, 0770), 0);
    assert_int_equal(chown(FOLDER, (uid_t)atoi(UID), (gid_t)atoi(UID)), 0);
    assert_nothing_recorded(FOLDER);
    struct outcome outcome = run_program(false, LIST(AS_USER, LEAKSPY_COMMAND, "list"), NULL);
    assert_int_not_equal(outcome.status, 0);
    assert_non_null(strstr(outcome.err, "others may write in it"));
    outcome_deinit(&outcome);
}

static void folder_that_is_a_link__is_not_used(void **state)
{
    (void)state;
    need_root();
    char target[256];
    strcpy(target, in_scratch("elsewhere"));
    assert_int_equal(mkdir(target, 0700), 0);
    assert_int_equal(chown(target, (uid_t)atoi(UID), (gid_t)atoi(UID)), 0);
    assert_int_equal(symlink(target, FOLDER), 0);
    assert_nothing_recorded(target);
    assert_int_equal(unlink(FOLDER), 0);
}

/* Makes a good recording at `path`. */
static void record(const char *path)
{
    struct outcome outcome =
        run_program(false, LIST(LEAKSPY_COMMAND, "run", "-o", path, "--", "/bin/true"), NULL);
    assert_int_equal(outcome.status, 0);
    outcome_deinit(&outcome);
}

static void recording__is_of_nobody_else(void **state)
{
    (void)state;
    need_root();
    static const char *const commands[] = {"cat \"$1\"", "echo x >>\"$1\"", "truncate -s 0 \"$1\""};
    char path[256];
    strcpy(path, in_scratch("mine"));
    umask(0);
    record(path);
    umask(022);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    for (size_t i = 0; i < LENGTH(commands); i++) {
        struct outcome outcome =
            run_program(false, LIST(AS_USER, "/bin/sh", "-c", commands[i], "sh", path), NULL);
        assert_int_not_equal(outcome.status, 0);
        outcome_deinit(&outcome);
    }
}

/* Starts the leaking sample as the user, recorded where that is by default. */
static struct target *start_of_user(char recording[256])
{
    struct target *target =
        target_start(false,
                     LIST(AS_USER, "/usr/bin/env", "LD_PRELOAD=" LEAKSPY_PRELOAD,
                          "LEAKSPY_SAMPLE=20ms", LEAKSPY_SAMPLES "/receive_without_sender"),
                     NULL);
    target_wait_line(target, "ready");
    snprintf(target->recording, sizeof target->recording, FOLDER "/%d-0.rec", (int)target->pid);
    strcpy(recording, target->recording);
    const struct expected_group leak = {.op = "chan receive"};
    json_decref(wait_for_group(target, "60ms", NULL, &leak));
    return target;
}

/* What another user tries to do to a recording, "$1", in the folder "$2"; "$3" is their own file.
 */
static const char *const attacks[] = {
    "cat \"$1\"",
    "ls \"$2\"",
    "echo x >>\"$1\"",
    "truncate -s 0 \"$1\"",
    "chmod 666 \"$1\"",
    "rm -f \"$1\"",
    "mv -f \"$1\" \"$3\"",
    "mv -f \"$3\" \"$1\"",
    "cp -f \"$3\" \"$2/1-0.rec\"",
    "ln \"$1\" \"$3.link\"",
    "ln -sf \"$3\" \"$2/1-0.rec\"",
    "rmdir \"$2\"",
    "mv \"$2\" \"$2.moved\"",
    "rm -rf \"$2\"; ! [ -d \"$2\" ]",
    "ln -sfn /tmp \"$2\"; [ -L \"$2\" ]",
};

/* Runs a script as that user, with "$1" to "$4". */
static struct outcome run_as(const char *who, const char *script, const char *const words[4])
{
    char uid[32], gid[32];
    snprintf(uid, sizeof uid, "--reuid=%s", who);
    snprintf(gid, sizeof gid, "--regid=%s", who);
    return run_program(false,
                       LIST("/usr/bin/setpriv", uid, gid, "--clear-groups", "/bin/sh", "-ec",
                            script, "sh", words[0], words[1], words[2], words[3]),
                       NULL);
}

static void assert_may(const char *who, const char *script, const char *const words[4])
{
    struct outcome outcome = run_as(who, script, words);
    if (outcome.status != 0)
        fail_msg("user %s: %s: status 0x%x: %s", who, script, outcome.status, outcome.err);
    outcome_deinit(&outcome);
}

/* What the umask takes is not the user's own right to read it; nor that of recordings to come. */
static void recording__made_under_any_umask__is_its_users_to_read(void **state)
{
    static const char *const masks[] = {"0177", "0277", "0777"};
    static const char script[] =
        "export LD_PRELOAD=" LEAKSPY_PRELOAD "\n"
        "(umask $1; /bin/true; LEAKSPY_OUT=\"$2\" /bin/true); /bin/true\n"
        "unset LD_PRELOAD\n"
        "[ \"$(stat -c %a \"$3\" \"$3\"/* \"$2\" | tr '\\n' ' ')\" = '700 600 600 600 ' ]\n"
        "rm \"$3\"/*; chmod $4 \"$3\"; LD_PRELOAD=" LEAKSPY_PRELOAD " /bin/true\n"
        "[ \"$(stat -c %a \"$3\" \"$3\"/* | tr '\\n' ' ')\" = '700 600 ' ]";
    static const char *const left[] = {"0600", "0500", "0"}; /* by a program before */
    (void)state;
    need_root();
    for (size_t i = 0; i < LENGTH(masks); i++) {
        char path[256];
        remove_all(FOLDER);
        snprintf(path, sizeof path, "%s/masked-%s", dir, masks[i]);
        assert_may(UID, script, (const char *const[]){masks[i], path, FOLDER, left[i]});
    }
}

static void recording__is_read_planted_swapped_or_cut_by_nobody_else(void **state)
{
    const struct expected_group leak = {.op = "chan receive", .count = 1};
    struct stat before, after;
    char recording[256], own[256];
    (void)state;
    need_root();
    struct target *target = start_of_user(recording);
    strcpy(own, in_scratch("own"));
    const char *const words[4] = {recording, FOLDER, own, ""};
    assert_int_equal(stat(recording, &before), 0);
    for (size_t i = 0; i < LENGTH(attacks); i++) {
        assert_may(OTHER, "echo mine >\"$3\"", words);
        struct outcome outcome = run_as(OTHER, attacks[i], words);
        if (outcome.status == 0)
            fail_msg("another user may: %s", attacks[i]);
        outcome_deinit(&outcome);
    }
    assert_int_equal(stat(recording, &after), 0);
    assert_int_equal(after.st_ino, before.st_ino);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(after.st_nlink, 1);
    assert_int_equal(after.st_mode & 07777, 0600);
    assert_may(UID, "cat \"$1\" >/dev/null; [ \"$(ls \"$2\")\" = \"${1##*/}\" ]", words);
    json_t *json = report(recording, "60ms", NULL);
    assert_group(json, &leak);
    json_decref(json);
    target_end(target);
}

/* ---- what stands where the recording should be, in /dev/shm, where everybody may write ---- */

/* "$1": that place. "$2": a recording of the user's that is over. "$3": a document of theirs. "$4":
 * a recording that is over, of the other user's. */
static const struct plant {
    const char *as, *script;
    bool replaced; /* by the new recording */
} plants[] = {
    {OTHER, "echo mine >\"$1\"", false},
    {OTHER, "echo mine >\"$1\"; chmod 666 \"$1\"", false},
    {OTHER, "cp \"$4\" \"$1\"; chmod 666 \"$1\"", false},
    {OTHER, "truncate -s 1M \"$1\"; chmod 666 \"$1\"", false},
    {OTHER, "mkdir -m 777 \"$1\"", false},
    {OTHER, "mkfifo -m 666 \"$1\"", false},
    {OTHER, "ln -s \"$3\" \"$1\"", false},
    {OTHER, "ln -s \"$2\" \"$1\"", false},
    {OTHER, "ln -s \"$3.new\" \"$1\"", false},
    /* By root: everybody else may not, unless fs.protected_hardlinks is 0. */
    {"0", "ln \"$3\" \"$1\"", false},
    {"0", "ln \"$2\" \"$1\"", true},
};

static const char prepare[] =
    "LD_PRELOAD=" LEAKSPY_PRELOAD " LEAKSPY_OUT=\"$2\" /bin/true; "
    "cp \"$2\" \"$2.same\"; cp \"$2\" \"$4\"; echo precious >\"$3\"; "
    "chown " UID " \"$2\" \"$3\"; chown " OTHER " \"$4\"; chmod 600 \"$2\" \"$3\"";

/* What it leads to is as it was, and nothing was recorded beside it. */
static const char is_unchanged[] =
    "cmp \"$2\" \"$2.same\"; [ \"$(cat \"$3\")\" = precious ]; "
    "[ ! -e \"$3.new\" ]; [ \"$(echo \"$1.\"*)\" = \"$1.*\" ]; [ $(stat -c %u%a \"$2\") = " UID
    "600 ]";

static const char look_at_it[] =
    "stat -c '%i %u %a %s %Y' \"$1\"; ! [ -f \"$1\" ] || cksum <\"$1\"";

static void what_is_planted_in_dev_shm__changes_nothing(void **state)
{
    char out[96], over[96], document[96], foreign[96];
    (void)state;
    need_root();
    snprintf(out, sizeof out, "LEAKSPY_OUT=%s", planted);
    assert_int_equal(mkdir(bait, 0755), 0);
    snprintf(over, sizeof over, "%s/over", bait);
    snprintf(document, sizeof document, "%s/document", bait);
    snprintf(foreign, sizeof foreign, "%s/foreign", bait);
    const char *const words[4] = {planted, over, document, foreign};
    for (size_t i = 0; i < LENGTH(plants); i++) {
        remove_all(planted);
        assert_may("0", "rm -f \"$2\"* \"$3\"* \"$4\"", words);
        assert_may("0", prepare, words);
        assert_may(plants[i].as, plants[i].script, words);
        struct outcome before = run_as("0", look_at_it, words);
        struct outcome ran =
            run_program(false,
                        LIST(AS_USER, "/usr/bin/env", "LD_PRELOAD=" LEAKSPY_PRELOAD, out,
                             "/bin/echo", "as ever"),
                        NULL);
        struct outcome after = run_as("0", look_at_it, words);
        assert_int_equal(ran.status, 0);
        assert_string_equal(ran.out, "as ever\n");
        assert_string_equal(ran.err, "");
        if ((strcmp(before.out, after.out) != 0) != plants[i].replaced)
            fail_msg("%s: before and after:\n%s%s", plants[i].script, before.out, after.out);
        assert_may("0", is_unchanged, words);
        outcome_deinit(&before);
        outcome_deinit(&ran);
        outcome_deinit(&after);
    }
}

/* ---- what files say ---- */

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
    snprintf(rec, sizeof rec, "%s/%s.rec", dir, EVIL);
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

static void report_that_cannot_be_written__leaves_no_file(void **state)
{
    (void)state;
    char rec[256], out[256];
    strcpy(rec, in_scratch("rec"));
    strcpy(out, in_scratch("new"));
    record(rec);
    static const char *const commands[] = {"report", "dump"};
    for (size_t i = 0; i < LENGTH(commands); i++) {
        struct outcome outcome = run_program(
            false,
            LIST("/bin/sh", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$1\" \"$2\" -o \"$3\" \"$4\"",
                 "sh", LEAKSPY_COMMAND, commands[i], out, rec),
            NULL);
        assert_int_equal(outcome.status, 2 << 8);
        assert_int_equal(access(out, F_OK), -1);
        outcome_deinit(&outcome);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(folder_that_another_user_planted__is_not_used),
        TEST(folder_that_others_may_write_in__is_not_used),
        TEST(folder_that_is_a_link__is_not_used),
        TEST(recording__is_of_nobody_else),
        TEST(recording__made_under_any_umask__is_its_users_to_read),
        TEST(recording__is_read_planted_swapped_or_cut_by_nobody_else),
        TEST(what_is_planted_in_dev_shm__changes_nothing),
        TEST(module_that_is_a_pipe_a_device_or_a_secret__is_not_read),
        TEST(debug_file_that_is_a_pipe__holds_up_nothing),
        TEST(names_of_the_target__are_shown_and_not_obeyed),
        TEST(names_in_a_core__are_shown_and_not_obeyed),
        TEST(report_that_cannot_be_written__leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
