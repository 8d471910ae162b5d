/* Each known way in which a preload library makes a program wait for ever: the program ends by
 * itself, hangs under the library that knows none of them (naive.c), and ends as it did under ours.
 */
#include "tests/e2e/harness.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STILL_MS = 1000, LOOKS = 3 };

/* Where a main thread waits: not at all, in a futex without a time limit. `switches`: how often it
 * has been given up a processor, by itself or not, in its life. */
struct look {
    bool in_futex;
    long switches;
};

static struct look look_at(pid_t pid)
{
    char path[64];
    long number = -1;
    unsigned long args[4] = {0};
    struct look look = {0};
    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    char *text = read_file(path);
    if (text &&
        sscanf(text, "%ld %lx %lx %lx %lx", &number, &args[0], &args[1], &args[2], &args[3]) == 5)
        look.in_futex = number == SYS_futex && args[3] == 0;
    free(text);
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    text = read_file(path);
    for (const char *at = text; at && (at = strstr(at, "ctxt_switches:")) != NULL; at++)
        look.switches += strtol(at + strlen("ctxt_switches:"), NULL, 10);
    free(text);
    return look;
}

static pid_t group_of(pid_t pid)
{
    char path[64];
    int group = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    char *text = read_file(path);
    const char *at = text ? strrchr(text, ')') : NULL;
    if (at)
        sscanf(at + 1, " %*c %*d %d", &group);
    free(text);
    return group;
}

/* A process of the program's whose main thread waits in a futex; 0: there is none. */
static pid_t find_waiting(const struct target *target)
{
    pid_t found = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (const struct dirent *entry; !found && (entry = readdir(dir)) != NULL;) {
        pid_t pid = (pid_t)atol(entry->d_name);
        if (pid > 0 && group_of(pid) == target->pid && look_at(pid).in_futex)
            found = pid;
    }
    closedir(dir);
    return found;
}

/* The same thread in the same wait, without having run for a moment, LOOKS times. */
static bool hangs(pid_t pid)
{
    struct look first = look_at(pid);
    for (int i = 0; first.in_futex && i < LOOKS; i++) {
        sleep_ms(STILL_MS / LOOKS);
        struct look look = look_at(pid);
        if (!look.in_futex || look.switches != first.switches)
            return false;
    }
    return first.in_futex;
}

static void assert_hangs(struct target *target)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (;;) {
        pid_t pid = find_waiting(target);
        if (pid && hangs(pid))
            return;
        if (group_of(target->pid) != target->pid || now_ms() > deadline_ms) {
            struct outcome outcome = target_wait(target);
            fail_msg("%s ended or ran on under the naive library, status %#x: %s%s",
                     target->program, outcome.status, outcome.out, outcome.err);
        }
        sleep_ms(5);
    }
}

struct row {
    const char *name;
    const char *argv[3];
    const char *env; /* of the naive library; NULL: none */
};

#define NAIVE "LD_PRELOAD=" LEAKSPY_TARGETS "/libnaive.so"

/* It is not for another reason that programs hang under it. */
static void what_is_no_way_to_a_deadlock_ends_under_the_naive_library(void **state)
{
    const char *const argv[] = {LEAKSPY_TARGETS "/deadlocks", "plain", NULL};
    (void)state;
    struct outcome outcome = run_program(false, argv, LIST(NAIVE));
    assert_int_equal(outcome.status, 0);
    assert_string_equal(outcome.out, "went on\n");
    outcome_deinit(&outcome);
    assert_same_behaviour(argv, NULL);
}

static void hangs_under_the_naive_library_alone(void **state)
{
    const struct row *row = *state;
    struct target *target = target_start(false, row->argv, LIST(NAIVE, row->env));
    assert_hangs(target);
    target_end(target);
    assert_same_behaviour(row->argv, NULL);
}

static struct row rows[] = {
    {"a_constructor_of_a_library_wants_a_lock_whose_holder_spawns",
     {LEAKSPY_TARGETS "/deadlocks", "loader"},
     NULL},
    {"a_constructor_of_a_library_waits_for_a_thread_that_it_spawns",
     {LEAKSPY_TARGETS "/deadlocks", "constructor"},
     NULL},
    {"who_goes_through_the_loaded_files_wants_a_lock_whose_holder_spawns",
     {LEAKSPY_TARGETS "/deadlocks", "files"},
     NULL},
    {"a_handler_posts_a_semaphore_wherever_it_comes",
     {LEAKSPY_TARGETS "/deadlocks", "handler"},
     NULL},
    {"a_handler_writes_wherever_it_comes", {LEAKSPY_TARGETS "/deadlocks", "tells"}, NULL},
    {"a_thread_is_cancelled_that_takes_locks", {LEAKSPY_TARGETS "/deadlocks", "cancelled"}, NULL},
    {"the_process_forks_while_the_sampler_works", {LEAKSPY_TARGETS "/deadlocks", "children"}, NULL},
    {"the_process_forks_while_a_stream_is_flushed_by_a_thread_that_spawns",
     {LEAKSPY_TARGETS "/forks", "stream"},
     "NAIVE_ATFORK=1"},
    {"all_threads_change_their_user", {LEAKSPY_TARGETS "/deadlocks", "user"}, NULL},
    {"the_program_has_an_allocator_that_locks", {LEAKSPY_TARGETS "/own_malloc"}, NULL},
};

int main(void)
{
    struct CMUnitTest tests[LENGTH(rows) + 1] = {
        [LENGTH(rows)] = cmocka_unit_test_teardown(
            what_is_no_way_to_a_deadlock_ends_under_the_naive_library, end_all_targets)};
    for (size_t i = 0; i < LENGTH(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = hangs_under_the_naive_library_alone,
                                       .teardown_func = end_all_targets,
                                       .initial_state = &rows[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
