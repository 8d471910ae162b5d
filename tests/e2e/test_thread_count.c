/* A program that counts its threads finds those that it made, and what it waits for afterwards is
 * told all the same: see counts_threads.c. */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM LEAKSPY_TARGETS "/counts_threads"

static const char *const often[] = {"LEAKSPY_SAMPLE=5ms", NULL};

static void program_that_counts_its_threads__finds_its_own(void **state)
{
    static const char *const ends[] = {"reads", "joins", "exits"};
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        assert_same_behaviour(LIST(PROGRAM, ends[i]), often);
    struct outcome outcome = run_program(true, LIST(PROGRAM, "reads"), often);
    assert_non_null(strstr(outcome.out, "program: fstatat64: 1\n"));
    assert_non_null(strstr(outcome.out, "child: fopen: 1\n"));
    outcome_deinit(&outcome);
}

/* How it ends, and the groups that there are then, and no others. */
static void is_told(const char *end, const struct expected_group *expected, size_t groups)
{
    struct target *target = target_start(true, LIST(PROGRAM, end), often);
    target_wait_line(target, "in the end: 1");
    for (size_t i = 0; i < groups; i++)
        json_decref(wait_for_group(target, "60ms", NULL, &expected[i]));
    json_t *json = report(target->recording, "60ms", LIST("--all"));
    assert_int_equal(json_array_size(json_at(json, "groups")), groups);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    target_finish(target);
}

/* The second is the first thread, which joins the other. */
static const struct expected_group parked[] = {{.kind = "thread",
                                                .op = "io wait",
                                                .call = "read",
                                                .count = 1,
                                                .wait_function = "park",
                                                .wait_file = "counts_threads.c"},
                                               {.kind = "thread", .op = "thread join", .count = 1}};

static void wait_after_it_counted__is_told(void **state)
{
    (void)state;
    is_told("reads", parked, 1);
}

static void thread_that_it_started_then__is_told(void **state)
{
    (void)state;
    is_told("joins", parked, 2);
}

static void first_thread_that_ended_then__is_told_no_more(void **state)
{
    (void)state;
    is_told("exits", parked, 1);
}

/* The thread that the program did not make. */
static pid_t sampler_of(const struct target *target)
{
    char path[64];
    pid_t sampler = 0;
    snprintf(path, sizeof path, "/proc/%s/task", target->pid_text);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (atoi(entry->d_name) != 0 && atoi(entry->d_name) != target->pid)
            sampler = atoi(entry->d_name);
    closedir(folder);
    assert_int_not_equal(sampler, 0);
    return sampler;
}

/* As a slow disk may. */
static pid_t hold_sampler(const struct target *target)
{
    int status;
    pid_t sampler = sampler_of(target);
    assert_int_equal(ptrace(PTRACE_SEIZE, sampler, 0, 0), 0);
    assert_int_equal(ptrace(PTRACE_INTERRUPT, sampler, 0, 0), 0);
    assert_int_equal(waitpid(sampler, &status, __WALL), sampler);
    return sampler;
}

static void ask(const struct target *target)
{
    assert_int_equal(write(target->stdin_fd, "?", 1), 1);
}

/* How long the end of the sampler is waited for. */
enum { WAITED_FOR_MS = 1000 };

/* Whether the program waits, as for the end of the sampler. */
static bool waits_in_futex(const struct target *target)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/syscall", target->pid_text);
    char *text = read_file(path);
    bool waits = text && atoi(text) == SYS_futex; /* 0, a read, where it runs */
    free(text);
    return waits;
}

/* A program that is asked while its sampler is held for a while. It counts itself alone; NULL: that
 * took so long that it need not have waited any more. */
static struct target *ask_with_the_sampler_held(void)
{
    struct target *target = target_start(true, LIST(PROGRAM, "asked"), often);
    target_wait_line(target, "in the end: 1");
    target_wait_walks(target, 2, 5);
    pid_t sampler = hold_sampler(target);
    int64_t began_ms = now_ms();
    ask(target);
    while (!waits_in_futex(target) && now_ms() - began_ms < WAITED_FOR_MS)
        sleep_ms(1);
    sleep_ms(400);
    ptrace(PTRACE_DETACH, sampler, 0, 0);
    bool alone = strcmp(target_wait_line(target, "asked: "), "asked: 1") == 0;
    assert_true(alone || now_ms() - began_ms >= WAITED_FOR_MS);
    if (alone)
        return target;
    target_end(target);
    return NULL;
}

static void sampler_that_takes_its_time_to_end__is_not_counted(void **state)
{
    enum { TRIES = 10, QUESTIONS = 20 };
    struct target *target = NULL;
    (void)state;
    for (int i = 0; !target && i < TRIES; i++)
        target = ask_with_the_sampler_held();
    assert_non_null(target);

    target_wait_walks(target, 2, 5);
    pid_t sampler = hold_sampler(target);
    int64_t began_ms = now_ms();
    for (int i = 0; i < QUESTIONS; i++) { /* nobody waits for ever, nor for each time anew */
        ask(target);
        target_wait_line(target, "asked: 2");
    }
    assert_in_range(now_ms() - began_ms, 0, QUESTIONS * WAITED_FOR_MS * 3 / 4);
    ptrace(PTRACE_DETACH, sampler, 0, 0);
    target_finish(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(program_that_counts_its_threads__finds_its_own),
        cmocka_unit_test(wait_after_it_counted__is_told),
        cmocka_unit_test(thread_that_it_started_then__is_told),
        cmocka_unit_test(first_thread_that_ended_then__is_told_no_more),
        cmocka_unit_test(sampler_that_takes_its_time_to_end__is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, end_all_targets);
}
