/* A program whose threads always get on is never told to be deadlocked, and one that is, at once.
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#define REPORTS 100

/* Whether a thread waits for a lock in one more report on the program. */
static bool is_told_to_wait(const struct target *target, int number)
{
    const struct expected_group lock = {.op = "mutex lock"};
    const struct expected_group deadlocked = {.verdict = "deadlocked"};
    json_t *json = report(target->pid_text, number % 2 ? "0" : "10s", LIST("--all"));
    if (find_group(json, &deadlocked)) {
        char *text = json_dumps(find_group(json, &deadlocked), JSON_INDENT(1));
        fail_msg("report %d: %s", number, text);
    }
    bool waits = find_group(json, &lock) != NULL;
    json_decref(json);
    return waits;
}

static void threads_that_keep_an_order__are_never_deadlocked(void **state)
{
    char path[512];
    int reports = 0, waits = 0;
    (void)state;
    snprintf(path, sizeof path, "%s/ordered_locks", LEAKSPY_TARGETS);
    struct target *target = target_start(false, LIST(path), NULL);
    target_wait_line(target, "ready");
    while (reports < REPORTS)
        waits += is_told_to_wait(target, reports++);
    /* There has to be something to be wrong about, also where the threads seldom run. */
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    while (waits <= REPORTS / 2 && now_ms() < deadline_ms)
        waits += is_told_to_wait(target, reports++);
    assert_true(waits > REPORTS / 2);
    target_end(target);
}

/* The word in memory that a thread waits for in the kernel; 0: it does not. */
static unsigned long futex_of(const struct target *target, const char *tid)
{
    char path[64];
    long number = -1;
    unsigned long word = 0;
    snprintf(path, sizeof path, "/proc/%s/task/%.16s/syscall", target->pid_text, tid);
    char *text = read_file(path);
    if (!text || sscanf(text, "%ld %lx", &number, &word) != 2 || number != SYS_futex)
        word = 0;
    free(text);
    return word;
}

/* Whether two threads besides the main one wait, and not for the same: then it is for two locks. */
static bool two_wait(const struct target *target)
{
    char path[64];
    unsigned long words[2] = {0};
    size_t count = 0;
    snprintf(path, sizeof path, "/proc/%s/task", target->pid_text);
    DIR *tasks = opendir(path);
    assert_non_null(tasks);
    for (const struct dirent *entry; count < LENGTH(words) && (entry = readdir(tasks));)
        if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != target->pid)
            words[count++] = futex_of(target, entry->d_name);
    closedir(tasks);
    return words[0] && words[1] && words[0] != words[1];
}

static void threads_that_do_not__are_deadlocked_by_one_report(void **state)
{
    const struct expected_group deadlocked = {
        .verdict = "deadlocked", .kind = "thread", .op = "mutex lock", .count = 2};
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/lock_order_deadlock", LEAKSPY_SAMPLES);
    for (int i = 0; i < 5; i++) {
        struct target *target = target_start(false, LIST(path), NULL);
        target_wait_line(target, "ready");
        int64_t deadline_ms = now_ms() + PATIENCE_MS;
        while (!two_wait(target) && now_ms() < deadline_ms)
            sleep_ms(5);
        for (int again = 0; again < 3; again++) {
            json_t *json = report(target->pid_text, "0", NULL);
            assert_group(json, &deadlocked);
            json_decref(json);
        }
        target_end(target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(threads_that_keep_an_order__are_never_deadlocked,
                                  end_all_targets),
        cmocka_unit_test_teardown(threads_that_do_not__are_deadlocked_by_one_report,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
