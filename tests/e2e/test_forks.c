/* Forks at bad moments end under the preload as they do without: see forks.c. */
#include "tests/e2e/harness.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_while_a_stream_is_flushed_by_a_thread_that_spawns),
        cmocka_unit_test(fork_in_many_threads_while_the_sampler_is_stopped_and_started),
        cmocka_unit_test(fork_in_signal_handlers_wherever_they_come),
        cmocka_unit_test(fork_children_of_children_that_waited_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, end_all_targets);
}
