/* Forks at bad moments end under the preload as they do without: see forks.c. */
#include "tests/e2e/harness.h"

#include <string.h>

static void same(const char *name)
{
    assert_same_behaviour(LIST(LEAKSPY_TARGETS "/forks", name), NULL);
}

static void fork_while_a_stream_is_flushed_by_a_thread_that_spawns(void **state)
{
    (void)state;
    same("stream");
}

static void fork_in_many_threads_while_the_sampler_is_stopped_and_started(void **state)
{
    (void)state;
    same("crowd");
}

static void fork_in_signal_handlers_wherever_they_come(void **state)
{
    (void)state;
    same("handler");
}

static void fork_children_of_children_that_waited_or_not(void **state)
{
    (void)state;
    same("generations");
}

/* `command` prints the number of a child that is parked in `function` of `file`, and of which there
 * must be one recording. */
static void child_is_recorded(const char *const *command, const char *function, const char *file)
{
    char source[64], pid[16];
    snprintf(source, sizeof source, "tests/e2e/%s", file);
    const struct expected_group reader = {.kind = "thread",
                                          .op = "io wait",
                                          .call = "read",
                                          .count = 1,
                                          .wait_function = function,
                                          .wait_file = file,
                                          .wait_line = line_of(source, "/* parked here */")};
    struct target *target = target_start(true, command, NULL);
    snprintf(pid, sizeof pid, "%s", target_wait_line(target, "child ") + strlen("child "));
    json_t *json = wait_for_group_in(pid, "60ms", NULL, &reader);
    const char *path = json_string_value(json_at(json, "source.path"));
    assert_string_equal(json_string_value(json_at(json, "source.kind")), "recording");
    assert_string_equal(json_string_value(json_at(json, "source.end")), "running");
    assert_string_equal(strrchr(path, '-'), "-0"); /* the first of its own */
    json_decref(json);
    target_finish(target);
}

static void fork_child_whose_own_child_on_its_memory_calls_first__is_recorded(void **state)
{
    (void)state;
    child_is_recorded(LIST(LEAKSPY_TARGETS "/forks", "vforks"), "vforks", "forks.c");
}

static void child_that_is_told_twice_that_it_is_one__is_recorded_once(void **state)
{
    (void)state;
    child_is_recorded(LIST(LEAKSPY_TARGETS "/own_fork"), "child", "own_fork.c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_while_a_stream_is_flushed_by_a_thread_that_spawns),
        cmocka_unit_test(fork_in_many_threads_while_the_sampler_is_stopped_and_started),
        cmocka_unit_test(fork_in_signal_handlers_wherever_they_come),
        cmocka_unit_test(fork_children_of_children_that_waited_or_not),
        cmocka_unit_test(fork_child_whose_own_child_on_its_memory_calls_first__is_recorded),
        cmocka_unit_test(child_that_is_told_twice_that_it_is_one__is_recorded_once),
    };
    return cmocka_run_group_tests(tests, NULL, end_all_targets);
}
