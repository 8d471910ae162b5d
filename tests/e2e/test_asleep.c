/* Threads that sleep in functions of libc which call the system by themselves, or in calls without
 * libc, where no wrapper sees it: they are told as any others, also after the end of the process.
 */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM LEAKSPY_TARGETS "/asleep"
#define PROGRAM_LATE_LOCK LEAKSPY_TARGETS "/asleep_late_lock"
#define PROGRAM_EARLY_THREADS LEAKSPY_TARGETS "/asleep_early_threads"

static const struct {
    const char *name;
    struct expected_group group;
    const char *mark; /* of the line */
} ways[] = {
    {"fgets",
     {.op = "io wait", .call = "read", .object_kind = "fd", .wait_function = "in_fgets"},
     "waits here: fgets"},
    {"eventfd_read",
     {.op = "io wait", .call = "read", .object_kind = "fd", .wait_function = "in_eventfd_read"},
     "waits here: eventfd_read"},
    {"system",
     {.op = "process wait",
      .call = "wait4",
      .object_kind = "process",
      .wait_function = "in_system"},
     "waits here: system"},
    {"putc",
     {.op = "futex wait", .object_kind = "futex", .wait_function = "in_putc"},
     "waits here: putc"},
    {"cond_destroy",
     {.op = "futex wait", .object_kind = "futex", .wait_function = "in_cond_destroy"},
     "waits here: cond_destroy"},
    {"bare_read",
     {.op = "io wait", .call = "read", .object_kind = "fd", .wait_function = "in_bare_read"},
     "waits here: bare_read"},
    {"syscall",
     {.op = "io wait", .call = "read", .object_kind = "fd", .wait_function = "in_syscall"},
     "waits here: syscall"},
};

static struct expected_group expected_of(size_t way)
{
    struct expected_group group = ways[way].group;
    group.verdict = "stuck";
    group.kind = "thread";
    group.count = 1;
    group.wait_file = "asleep.c";
    group.wait_line = line_of("tests/e2e/asleep.c", ways[way].mark);
    group.spawn_function = "main";
    group.deadline = NO_DEADLINE;
    return group;
}

static void
thread_in_a_call_that_no_wrapper_sees__is_told_while_it_waits_and_no_longer(void **state)
{
    (void)state;
    for (size_t way = 0; way < LENGTH(ways); way++) {
        const struct expected_group group = expected_of(way);
        struct target *target = target_start(true, LIST(PROGRAM, ways[way].name), NULL);
        target_wait_line(target, "ready");
        json_decref(wait_for_group(target, "100ms", NULL, &group));

        assert_int_equal(write(target->stdin_fd, "go", 2), 2);
        target_wait_line(target, "went on");
        target_wait_walks(target, 2, 100);
        json_t *json = report(target->recording, "0", LIST("--all"));
        assert_null(find_group(json, &group));
        json_decref(json);
        target_finish(target);
    }
}

static void thread_in_a_call_that_no_wrapper_sees__is_told_after_kill(void **state)
{
    (void)state;
    for (size_t way = 0; way < LENGTH(ways); way++) {
        const struct expected_group group = expected_of(way);
        struct target *target = target_start(true, LIST(PROGRAM, ways[way].name), NULL);
        target_wait_line(target, "ready");
        json_decref(wait_for_group(target, "100ms", NULL, &group));
        target_kill(target, SIGKILL);
        json_t *json = report(target->recording, "100ms", NULL);
        assert_group(json, &group);
        assert_false(has_note(json, "not told"));
        json_decref(json);
        target_end(target);
    }
}

/* *state: the program, which may have a pthread_mutex_lock of its own: the loader calls libc's. */
static void deadlock_with_the_loader__is_one(void **state)
{
    const char *program = *state;
    const struct expected_group loads = {
        .verdict = "deadlocked",
        .op = "mutex lock",
        .call = "pthread_mutex_lock",
        .count = 1,
        .object_kind = "mutex",
        .wait_function = "load_another",
        .wait_file = "loader_plugin.c",
        .wait_line = line_of("tests/e2e/loader_plugin.c", "waits here: loader"),
        .spawn_function = "load"};
    const struct expected_group joins = {
        .verdict = "deadlocked", .op = "thread join", .count = 1, .wait_function = "load"};
    struct target *target = target_start(true, LIST(program, "load", LOADER_PLUGIN), NULL);
    json_decref(wait_for_group(target, "100ms", NULL, &loads));
    target_kill(target, SIGKILL);
    json_t *json = report(target->recording, "100ms", NULL);
    assert_group(json, &loads);
    assert_group(json, &joins);
    json_decref(json);
    target_end(target);
}

/* OpenMP's threads of GCC: they make their system calls without libc. */
static struct target *start_openmp(const char *how)
{
#ifndef HAVE_OPENMP
    skip();
#endif
    struct target *target = target_start(true, LIST(LEAKSPY_TARGETS "/openmp", how), NULL);
    target_wait_line(target, "ready");
    return target;
}

static void region_of_openmp_that_does_not_end__is_told_by_who_waits_for_it(void **state)
{
    (void)state;
    const struct expected_group waits = {.verdict = "stuck",
                                         .op = "futex wait",
                                         .object_kind = "futex",
                                         .count = 1,
                                         .wait_function = "main",
                                         .wait_file = "openmp.c",
                                         .wait_line =
                                             line_of("tests/e2e/openmp.c", "#pragma omp parallel"),
                                         .deadline = NO_DEADLINE};
    const struct expected_group reads = {
        .verdict = "stuck", .op = "io wait", .call = "read", .count = 1};
    const struct expected_group done = {.verdict = "waiting", .op = "futex wait", .count = 1};
    struct target *target = start_openmp("hung");
    json_decref(wait_for_group(target, "100ms", NULL, &waits));
    json_decref(wait_for_group(target, "100ms", LIST("--all"), &done));
    target_kill(target, SIGKILL);
    json_t *json = report(target->recording, "100ms", LIST("--all"));
    assert_group(json, &waits);
    assert_group(json, &reads);
    assert_group(json, &done);
    assert_int_equal(count_findings(json), 2);
    json_decref(json);
    target_end(target);
}

static void threads_of_openmp_without_work__are_idle_as_expected(void **state)
{
    (void)state;
    const struct expected_group idle = {.verdict = "waiting", .op = "futex wait", .count = 2};
    struct target *target = start_openmp("idle");
    json_decref(wait_for_group(target, "100ms", LIST("--all"), &idle));
    assert_silent(target);
    target_finish(target);
}

/* As accept waits for whoever comes next. */
static void thread_that_reads_a_line_of_stdin__is_idle_as_expected(void **state)
{
    (void)state;
    const struct expected_group group = {.verdict = "waiting",
                                         .op = "io wait",
                                         .call = "read",
                                         .count = 1,
                                         .wait_function = "wait_for_stdin",
                                         .deadline = NO_DEADLINE};
    struct target *target = target_start(true, LIST(PROGRAM, "stdin"), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "100ms", LIST("--all"), &group));
    assert_silent(target);
    target_kill(target, SIGKILL);
    json_t *json = report(target->recording, "0", LIST("--all"));
    assert_group(json, &group);
    assert_no_findings(json);
    json_decref(json);
    target_end(target);
}

/* As of a daemon, whose descriptor 0 is whatever it opened first. Or what it waits for, not in a
 * function of libc that reads a line, may be one answer. *state: the way. */
static void thread_that_reads_descriptor_0__is_stuck(void **state)
{
    const struct expected_group group = {.verdict = "stuck",
                                         .op = "io wait",
                                         .call = "read",
                                         .count = 1,
                                         .wait_function = "wait_for_stdin"};
    struct target *target = target_start(true, LIST(PROGRAM, *state), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "100ms", NULL, &group));
    target_end(target);
}

/* Which of the calls that are not published was to be left out is not known. */
static void thread_in_a_call_of_libc__where_a_part_is_recorded__is_not_told(void **state)
{
    (void)state;
    const struct expected_group group = expected_of(0);
    struct target *target =
        target_start(true, LIST(PROGRAM, ways[0].name), LIST("LEAKSPY_OPS=chan,lock,join,io"));
    target_wait_line(target, "ready");
    target_wait_walks(target, 3, 100);
    json_t *json = report(target->recording, "0", LIST("--all"));
    assert_null(find_group(json, &group));
    assert_true(has_note(json, "only a part of the waits was recorded"));
    json_decref(json);
    target_end(target);
}

/* They wait since before the recording began, in a call that was not published. */
static void threads_from_before_the_recording__are_told(void **state)
{
    const struct expected_group group = {
        .verdict = "stuck",
        .kind = "thread",
        .op = "cond wait",
        .object_kind = "futex",
        .count = 2,
        .wait_function = "wait_for_work",
        .wait_file = "early_threads.c",
        .wait_line = line_of("tests/e2e/early_threads.c", "/* waits here */"),
        .deadline = NO_DEADLINE};
    (void)state;
    struct target *target = target_start(true, LIST(PROGRAM_EARLY_THREADS, ways[0].name), NULL);
    target_wait_line(target, "ready");
    json_decref(wait_for_group(target, "100ms", NULL, &group));
    target_kill(target, SIGKILL);
    json_t *json = report(target->recording, "0", NULL);
    assert_group(json, &group);
    assert_int_equal(json_integer_value(json_at(json, "totals.lost")), 0);
    assert_int_equal(json_integer_value(json_at(json, "totals.spawned")), 5);
    json_decref(json);
    target_end(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(threads_from_before_the_recording__are_told, end_all_targets),
        cmocka_unit_test_teardown(
            thread_in_a_call_that_no_wrapper_sees__is_told_while_it_waits_and_no_longer,
            end_all_targets),
        cmocka_unit_test_teardown(thread_in_a_call_that_no_wrapper_sees__is_told_after_kill,
                                  end_all_targets),
        {"deadlock_with_the_loader__is_one", deadlock_with_the_loader__is_one, NULL,
         end_all_targets, (void *)(uintptr_t)PROGRAM},
        {"deadlock_with_the_loader__whose_lock_another_library_has_too__is_one",
         deadlock_with_the_loader__is_one, NULL, end_all_targets,
         (void *)(uintptr_t)PROGRAM_LATE_LOCK},
        cmocka_unit_test_teardown(region_of_openmp_that_does_not_end__is_told_by_who_waits_for_it,
                                  end_all_targets),
        cmocka_unit_test_teardown(threads_of_openmp_without_work__are_idle_as_expected,
                                  end_all_targets),
        cmocka_unit_test_teardown(thread_that_reads_a_line_of_stdin__is_idle_as_expected,
                                  end_all_targets),
        {"thread_that_reads_a_line_of_another_descriptor_0__is_stuck",
         thread_that_reads_descriptor_0__is_stuck, NULL, end_all_targets,
         (void *)(uintptr_t) "replaced stdin"},
        {"thread_that_reads_standard_input_without_libc__is_stuck",
         thread_that_reads_descriptor_0__is_stuck, NULL, end_all_targets,
         (void *)(uintptr_t) "bare stdin"},
        cmocka_unit_test_teardown(thread_in_a_call_of_libc__where_a_part_is_recorded__is_not_told,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
