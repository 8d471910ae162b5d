/* Tasks in C++: what is thrown in one is handled there. */
#include "in_task.h"
#include "throwing.h"

#define TASKS 4

static void throw_in_tasks(void *arg)
{
    (void)arg;
    struct throwing throwing[TASKS];
    struct taskrt_task *tasks[TASKS];
    for (int i = 0; i < TASKS; i++) {
        throwing[i] = (struct throwing){.value = 10 + i, .turns = 100};
        tasks[i] = spawn(wait_while_handling, &throwing[i]);
    }
    for (int i = 0; i < TASKS; i++) {
        join(tasks[i]);
        expect_int(throwing[i].wrong, 0);
    }
}

static void wait__in_catch_or_destructor__exception_stays_with_its_task(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 4; threads++)
        in_task_on(threads, throw_in_tasks, NULL, 0);
}

static void run_it(void *arg)
{
    in_task_on(*(int *)arg, throw_in_tasks, NULL, 0);
}

static void run__in_catch__exception_is_there_afterwards(void **state)
{
    (void)state;
    for (int threads = 1; threads <= 3; threads++)
        assert_int_equal(run_while_handling(run_it, &threads, 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wait__in_catch_or_destructor__exception_stays_with_its_task),
        cmocka_unit_test(run__in_catch__exception_is_there_afterwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
