/* A lock that is free is taken nearly unseen. Where another thread is quicker, or has it the next
 * time, the wait is found all the same; and who got the lock is never told to wait for it. */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The report says nothing else in the end: on a busy machine the sampler may be late to see that a
 * wait is one of those that are expected. */
static void wait_for_this_alone(struct target *target, const struct expected_group *expected)
{
    int64_t deadline_ms = now_ms() + PATIENCE_MS;
    for (;;) {
        json_t *json = wait_for_group(target, "100ms", NULL, expected);
        size_t findings = count_findings(json);
        json_decref(json);
        if (findings == 1)
            return;
        assert_true(now_ms() < deadline_ms);
        sleep_ms(50);
    }
}

/* A thread that main has started, and which waits in `function`; NULL: nobody knows where. */
static struct expected_group stuck_in_a_mutex(const char *function, const char *file, int line)
{
    return (struct expected_group){
        .verdict = "stuck",
        .kind = "thread",
        .op = "mutex lock",
        .call = "pthread_mutex_lock",
        .object_kind = "mutex",
        .count = 1,
        .wait_function = function,
        .wait_file = file,
        .wait_line = line,
        .spawn_function = function ? "main" : NULL,
        .spawn_file = file,
        .deadline = NO_DEADLINE,
    };
}

static void thread_that_was_late__is_stuck_until_it_gets_the_lock(void **state)
{
    char path[512];
    (void)state;
    snprintf(path, sizeof path, "%s/passing_lock", LEAKSPY_TARGETS);
    const struct expected_group late = stuck_in_a_mutex(
        "late_one", "passing_lock.c", line_of("tests/e2e/passing_lock.c", "take(5);"));
    struct target *target = target_start(true, LIST(path), NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "100ms", NULL, &late);
    const json_t *group = find_group(json, &late);
    assert_non_null(json_object_get(json_object_get(group, "object"), "owner_task"));
    assert_false(json_is_null(json_object_get(json_object_get(group, "object"), "owner_task")));
    /* The caller itself is the innermost frame. */
    const json_t *frame = json_array_get(json_object_get(group, "wait_stack"), 0);
    assert_string_equal(json_string_value(json_object_get(frame, "function")), "take");
    assert_int_equal(
        json_integer_value(json_object_get(frame, "line")),
        line_of("tests/e2e/passing_lock.c", "CHECK(pthread_mutex_lock(&late_lock_mutex) == 0);"));
    json_decref(json);

    assert_int_equal(write(target->stdin_fd, "\n", 1), 1);
    assert_string_equal(target_wait_line(target, "locked"), "locked, errno untouched");
    target_wait_walks(target, 4, 200);
#if defined(__x86_64__)
    /* What it waits for now, and nothing else. */
    const struct expected_group futex = {
        .verdict = "stuck",
        .op = "futex wait",
        .count = 1,
        .wait_file = "passing_lock.c",
        .wait_line = line_of("tests/e2e/passing_lock.c", "/* waits here: futex */"),
        .deadline = NO_DEADLINE};
    wait_for_this_alone(target, &futex);
#else
    assert_silent(target);
#endif
    json = report(target->recording, "0", LIST("--all"));
    const struct expected_group lock = {.op = "mutex lock"};
    assert_null(find_group(json, &lock));
    json_decref(json);
    target_finish(target);
}

static void assert_told(const json_t *json, const struct expected_group *again)
{
    json_int_t owner = 0, grown = 0;
    int at_least = 1;
    const json_t *group = find_group(json, again);
    assert_non_null(group);
    assert_int_equal(json_unpack((json_t *)group, "{s:{s:I}, s:{s:I}, s:b}", "object", "owner_task",
                                 &owner, "growth", "count", &grown, "oldest_at_least", &at_least),
                     0);
    assert_int_equal(owner, 1);
    assert_int_equal(grown, 1);
    assert_false(at_least);
}

static void assert_each_wait_is_told(const char *program, const char *argument,
                                     const struct expected_group *again)
{
    struct target *target =
        target_start(true, (const char *const[]){program, argument, NULL}, NULL);
    target_wait_line(target, "ready");
    json_t *json = wait_for_group(target, "100ms", NULL, again);
    assert_told(json, again);
    json_decref(json);

    assert_int_equal(write(target->stdin_fd, "\n", 1), 1);
    target_wait_line(target, "ready");
    target_wait_walks(target, 2, 20); /* until then, it may be told to be in the wait before */
    json = wait_for_group(target, "100ms", NULL, again);
    assert_told(json, again);
    json_decref(json);
    target_kill(target, SIGKILL);
    json = report(target->recording, "50ms", NULL); /* until the last look */
    assert_told(json, again);
    json_decref(json);
    target_end(target);
}

static const char *lock_again(void)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/lock_again", LEAKSPY_TARGETS);
    return path;
}

static void thread_that_takes_a_lock_again__is_stuck_in_it(void **state)
{
    (void)state;
    const struct expected_group again = stuck_in_a_mutex(
        "take_again", "lock_again.c", line_of("tests/e2e/lock_again.c", "/* here */"));
    assert_each_wait_is_told(lock_again(), NULL, &again);
}

/* There, nobody can tell which files are loaded. */
static void thread_that_takes_a_lock_again__without_proc__is_stuck_in_it(void **state)
{
    (void)state;
    const struct expected_group again = stuck_in_a_mutex(NULL, NULL, 0);
    struct outcome bare = run_program(false, LIST(lock_again(), "no-proc"), NULL);
    bool possible = bare.status != W_EXITCODE(77, 0);
    outcome_deinit(&bare);
    if (!possible)
        skip();
    assert_each_wait_is_told(lock_again(), "no-proc", &again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(thread_that_takes_a_lock_again__is_stuck_in_it, end_all_targets),
        cmocka_unit_test_teardown(thread_that_takes_a_lock_again__without_proc__is_stuck_in_it,
                                  end_all_targets),
        cmocka_unit_test_teardown(thread_that_was_late__is_stuck_until_it_gets_the_lock,
                                  end_all_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
