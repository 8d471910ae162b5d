/* How many threads a run has. */
#include "in_task.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The machine: the process may run on three of its processors, one of which is the last. */
enum { ALLOWED = 3 };
static size_t processors = 8;

/* As the kernel does it, which fills no set that is too small for all of its processors. */
int sched_getaffinity(pid_t pid, size_t bytes, cpu_set_t *set)
{
    if (pid != 0 || bytes * 8 < processors) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(0, bytes, set);
    CPU_SET_S(2, bytes, set);
    CPU_SET_S(processors - 1, bytes, set);
    return 0;
}

static void count_workers(void *arg)
{
    *(uint32_t *)arg = taskrt_inspect_workers.count;
}

/* `wish` NULL: none. */
static uint32_t count_with(const char *wish)
{
    uint32_t count = 0;
    if (wish)
        setenv("TASKRT_THREADS", wish, 1);
    else
        unsetenv("TASKRT_THREADS");
    assert_int_equal(taskrt_run(count_workers, &count), 0);
    return count;
}

static void wish__counts_if_it_is_a_whole_positive_number(void **state)
{
    (void)state;
    static const struct {
        const char *wish;
        uint32_t count;
    } rows[] = {{"4", 4},        {"1", 1},        {"04", 4},       {NULL, ALLOWED},
                {"", ALLOWED},   {"0", ALLOWED},  {"-1", ALLOWED}, {"+4", ALLOWED},
                {" 4", ALLOWED}, {"4x", ALLOWED}, {"x4", ALLOWED}, {"4.5", ALLOWED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(count_with(rows[i].wish), rows[i].count);
}

static void many_processors__a_thread_for_each_that_is_allowed(void **state)
{
    (void)state;
    static const size_t numbers[] = {8, 1024, 1025, 8192};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        processors = numbers[i];
        assert_int_equal(count_with(NULL), ALLOWED);
    }
}

static void more_processors_than_any_set_has_room_for__a_thread_for_each_there_is(void **state)
{
    (void)state;
    processors = 100000;
    assert_int_equal(count_with(NULL), sysconf(_SC_NPROCESSORS_ONLN));
}

/* More than a worker's stack, which glibc takes them from. */
static _Thread_local volatile char scratch[512 << 10];

static void touch_scratch(void *arg)
{
    scratch[sizeof scratch - 1] = 1;
    taskrt_waitgroup_done(arg);
}

static void use_thread_locals(void *arg)
{
    struct taskrt_waitgroup group = {.opaque = {0}};
    expect_int(taskrt_waitgroup_add(&group, 64), 0);
    for (int i = 0; i < 64; i++)
        expect_int(taskrt_spawn(NULL, touch_scratch, &group, NULL), 0);
    expect_int(taskrt_waitgroup_wait(&group), 0);
    count_workers(arg);
}

static void large_thread_locals__all_threads_start(void **state)
{
    (void)state;
    uint32_t count = 0;
    in_task_on(4, use_thread_locals, &count, 0);
    assert_int_equal(count, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wish__counts_if_it_is_a_whole_positive_number),
        cmocka_unit_test(many_processors__a_thread_for_each_that_is_allowed),
        cmocka_unit_test(more_processors_than_any_set_has_room_for__a_thread_for_each_there_is),
        cmocka_unit_test(large_thread_locals__all_threads_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
