/* Who holds the lock of a file that threads wait for is said while their process runs, by its
 * number and of its recording alike, and by nobody's guess. */
#include "tests/e2e/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM LEAKSPY_TARGETS "/waits_for_lock"

static char file[96];
static int fd = -1;

static int make_file(void **state)
{
    (void)state;
    snprintf(file, sizeof file, "%s/locked", scratch_folder());
    fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 ? 0 : -1;
}

static int remove_file(void **state)
{
    if (fd >= 0)
        close(fd);
    unlink(file);
    return end_all_targets(state);
}

static void lock_bytes(int command, off_t from, off_t count)
{
    struct flock part = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = count};
    assert_int_equal(fcntl(fd, command, &part), 0);
}

/* The sentence about the holder, in `to`; "": there is none. */
static const char *holder_in(const json_t *json, const char *function, char *to)
{
    const struct expected_group expected = {.op = "file lock", .wait_function = function};
    size_t i;
    json_t *sentence;
    const json_t *group = find_group(json, &expected);
    assert_non_null(group);
    to[0] = '\0';
    json_array_foreach(json_object_get(group, "evidence"), i, sentence)
    {
        if (strstr(json_string_value(sentence), "the lock "))
            snprintf(to, LONG_TEXT, "%s", json_string_value(sentence));
    }
    return to;
}

/* The same of reports that are asked for until one says something: a thread that is about to wait
 * holds up nothing yet. */
static const char *wait_for_holder(const char *source, const char *function, char *to)
{
    const struct expected_group expected = {.op = "file lock", .wait_function = function};
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    do {
        json_t *json = wait_for_group_in(source, "0", LIST("--all"), &expected);
        holder_in(json, function, to);
        json_decref(json);
    } while (!to[0] && now_ms() < deadline_ms);
    return to;
}

/* By its number, and by its recording while it runs, but not when it is gone. */
static void assert_holder(const char *word, const char *function, const char *sentence)
{
    char told[LONG_TEXT];
    struct target *bare = target_start(false, LIST(PROGRAM, file, word), NULL);
    target_wait_line(bare, "ready");
    assert_string_equal(wait_for_holder(bare->pid_text, function, told), sentence);
    target_end(bare);

    struct target *recorded = target_start(true, LIST(PROGRAM, file, word), NULL);
    target_wait_line(recorded, "ready");
    assert_string_equal(wait_for_holder(recorded->recording, function, told), sentence);
    target_kill(recorded, SIGKILL);
    json_t *json = report(recorded->recording, "0", LIST("--all"));
    assert_string_equal(holder_in(json, function, told), "");
    json_decref(json);
    target_end(recorded);
}

static const char *held_here(char to[128])
{
    snprintf(to, 128, "the lock is held by process %d (test_file_locks)", (int)getpid());
    return to;
}

static void lock_of_another_process__says_which(void **state)
{
    char sentence[128];
    (void)state;
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_holder("flock", "wait_in_flock", held_here(sentence));
    assert_int_equal(flock(fd, LOCK_UN), 0);
    lock_bytes(F_SETLK, 0, 1);
    assert_holder("posix", "wait_in_fcntl", held_here(sentence));
    assert_holder("ofd", "wait_in_ofd_fcntl", held_here(sentence));
}

/* The kernel lists who waits under one of those that have it. */
static void lock_that_is_shared__is_not_said_to_be_of_one_alone(void **state)
{
    char sentence[256];
    (void)state;
    assert_int_equal(flock(fd, LOCK_SH), 0);
    held_here(sentence);
    strcat(sentence, "; it is shared: others may have it, too");
    assert_holder("flock", "wait_in_flock", sentence);
}

static void lock_of_the_process_itself__says_so(void **state)
{
    static const char sentence[] = "the lock is held by this process itself, through descriptor ";
    char told[LONG_TEXT];
    (void)state;
    for (int preload = 0; preload < 2; preload++) {
        struct target *target = target_start(preload, LIST(PROGRAM, file, "self"), NULL);
        target_wait_line(target, "ready");
        wait_for_holder(preload ? target->recording : target->pid_text, "wait_in_second_flock",
                        told);
        assert_memory_equal(told, sentence, sizeof sentence - 1);
        target_end(target);
    }
}

static void lock_of_an_open_file__names_no_process(void **state)
{
    (void)state;
    lock_bytes(F_OFD_SETLK, 0, 1);
    assert_holder("ofd", "wait_in_ofd_fcntl",
                  "the lock is held through an open file (no process is named)");
    assert_holder("posix", "wait_in_fcntl",
                  "the lock is held through an open file (no process is named)");
}

/* The lock lives as long as the open file, which a child has still. */
static void lock_that_was_handed_on__is_not_said_to_be_of_who_took_it(void **state)
{
    char sentence[256];
    (void)state;
    assert_int_equal(flock(fd, LOCK_EX), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(1);
    }
    close(fd);
    fd = -1;
    snprintf(
        sentence, sizeof sentence,
        "the lock was taken by process %d, which has closed that file or ended: whoever has it "
        "from there holds it",
        (int)getpid());
    assert_holder("flock", "wait_in_flock", sentence);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* For different parts of the file: nothing says which thread waits for which. */
static void locks_of_two_processes__are_not_told(void **state)
{
    const struct expected_group expected[] = {
        {.op = "file lock", .wait_function = "wait_in_fcntl"},
        {.op = "file lock", .wait_function = "wait_in_fcntl_behind"}};
    char told[LONG_TEXT], sentence[128];
    int ready[2];
    (void)state;
    lock_bytes(F_SETLK, 0, 1);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct flock second = {.l_type = F_WRLCK, .l_start = 1, .l_len = 1};
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (fcntl(fd, F_SETLK, &second) == 0 && write(ready[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], told, 1), 1);
    for (int both_held_here = 0; both_held_here < 2; both_held_here++) {
        struct target *target = target_start(false, LIST(PROGRAM, file, "posix", "behind"), NULL);
        target_wait_line(target, "ready");
        json_decref(wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected[0]));
        json_t *json = wait_for_group_in(target->pid_text, "0", LIST("--all"), &expected[1]);
        for (size_t i = 0; i < LENGTH(expected); i++)
            if (!both_held_here)
                assert_string_equal(holder_in(json, expected[i].wait_function, told), "");
        json_decref(json);
        for (size_t i = 0; i < LENGTH(expected); i++)
            if (both_held_here)
                assert_string_equal(
                    wait_for_holder(target->pid_text, expected[i].wait_function, told),
                    held_here(sentence));
        target_end(target);
        if (both_held_here)
            break;
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        lock_bytes(F_SETLK, 1, 1);
    }
    close(ready[0]);
    close(ready[1]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_file, remove_file)

int main(void)
{
    if (access("/proc/locks", R_OK) != 0)
        return 77;
    const struct CMUnitTest tests[] = {
        TEST(lock_of_another_process__says_which),
        TEST(lock_that_is_shared__is_not_said_to_be_of_one_alone),
        TEST(lock_of_the_process_itself__says_so),
        TEST(lock_of_an_open_file__names_no_process),
        TEST(lock_that_was_handed_on__is_not_said_to_be_of_who_took_it),
        TEST(locks_of_two_processes__are_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
