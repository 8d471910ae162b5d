/* What other users put in the way. Most of it takes two users, and is left out where the tests do
 * not run as root. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/e2e/scratch.h"

#define UID "64999"   /* nobody's else, so that its folder in /dev/shm is ours to spoil */
#define OTHER "64998" /* who is not that user */
#define FOLDER "/dev/shm/leakspy-" UID
#define AS_USER "/usr/bin/setpriv", "--reuid=" UID, "--regid=" UID, "--clear-groups"

static char bait[64];    /* in /dev/shm, for hard links from there */
static char planted[64]; /* there, too */

static int make_scratch(void **state)
{
    (void)state;
    scratch_make(0777);
    snprintf(bait, sizeof bait, "/dev/shm/leakspy-bait-%d", (int)getpid());
    snprintf(planted, sizeof planted, "/dev/shm/leakspy-planted-%d.rec", (int)getpid());
    return 0;
}

static int remove_scratch(void **state)
{
    scratch_remove();
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
        snprintf(path, sizeof path, "%s/masked-%s", scratch_dir, masks[i]);
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

/* ---- what cannot be written ---- */

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
        TEST(report_that_cannot_be_written__leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
