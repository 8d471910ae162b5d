/* A program that counts its threads finds those that it made, and what it waits for afterwards is
 * told all the same: see counts_threads.c. */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
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

/* How it ends, and the groups that there are then. */
static void is_told(const char *end, size_t groups, const struct expected_group *expected)
{
    struct target *target = target_start(true, LIST(PROGRAM, end), often);
    target_wait_line(target, "in the end: 1");
    json_decref(wait_for_group(target, "60ms", NULL, expected));
    json_t *json = report(target->recording, "60ms", LIST("--all"));
    assert_int_equal(json_array_size(json_at(json, "groups")), groups);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    json_decref(json);
    target_finish(target);
}

static const struct expected_group parked = {.kind = "thread",
                                             .op = "io wait",
                                             .call = "read",
                                             .count = 1,
                                             .wait_function = "park",
                                             .wait_file = "counts_threads.c"};

static void wait_after_it_counted__is_told(void **state)
{
    (void)state;
    is_told("reads", 1, &parked);
}

static void thread_that_it_started_then__is_told(void **state)
{
    (void)state;
    is_told("joins", 2, &parked);
}

static void first_thread_that_ended_then__is_told_no_more(void **state)
{
    (void)state;
    is_told("exits", 1, &parked);
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

static void sampler_that_takes_its_time_to_end__is_not_counted(void **state)
{
    (void)state;
    struct target *target = target_start(true, LIST(PROGRAM, "asked"), often);
    target_wait_line(target, "in the end: 1");
    target_wait_walks(target, 2, 5);
    pid_t sampler = hold_sampler(target);
    ask(target);
    sleep_ms(400);
    ptrace(PTRACE_DETACH, sampler, 0, 0);
    target_wait_line(target, "asked: 1");

    target_wait_walks(target, 2, 5);
    sampler = hold_sampler(target);
    ask(target);
    int64_t began_ms = now_ms();
    target_wait_line(target, "asked: 2"); /* nobody waits for ever */
    for (int i = 0; i < 5; i++) {         /* nor for each time anew */
        ask(target);
        target_wait_line(target, "asked: 2");
    }
    assert_in_range(now_ms() - began_ms, 0, 3000);
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
