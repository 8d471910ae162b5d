/* What tasks have of the threads that they run in: errno, the state of the floating point, and
 * other threads where one is blocked. */
#include "in_task.h"

#include <errno.h>
#include <fenv.h>
#include <stdatomic.h>
#include <unistd.h>

static void round_up_and_yield(void *arg)
{
    (void)arg;
    fesetround(FE_UPWARD);
    taskrt_yield();
    expect_int(fegetround(), FE_UPWARD);
}

static void rounding(void *arg)
{
    (void)arg;
    struct taskrt_task *task = spawn(round_up_and_yield, NULL);
    for (int i = 0; i < 4; i++) {
        expect_int(fegetround(), FE_TONEAREST);
        taskrt_yield();
    }
    join(task);
    expect_int(fegetround(), FE_TONEAREST);
}

static void rounding_mode__belongs_to_the_task(void **state)
{
    (void)state;
    in_task_on(1, rounding, NULL, 0);
}

#if defined(__x86_64__) /* where only those of the SSE belong to the task */
static void trap_divisions(void *arg)
{
    (void)arg;
    feclearexcept(FE_ALL_EXCEPT);
    feenableexcept(FE_DIVBYZERO);
    volatile long double one = 1;
    for (int i = 0; i < 3; i++) {
        taskrt_yield();
        expect_int((one + one) * 2, 4); /* where what is pending is raised */
        expect_int(fegetexcept(), FE_DIVBYZERO);
    }
    fedisableexcept(FE_DIVBYZERO);
}

static void divide_by_zero(void *arg)
{
    (void)arg;
    struct taskrt_task *task = spawn(trap_divisions, NULL);
    volatile long double zero = 0;
    volatile long double quotient = 0;
    for (int i = 0; i < 4; i++) {
        quotient = 1 / zero;
        expect_int(quotient > 1, 1);
        taskrt_yield();
        expect_int(fegetexcept(), 0);
    }
    join(task);
}

static void masked_exception_of_x87__is_not_raised_in_another_task(void **state)
{
    (void)state;
    in_task_on(1, divide_by_zero, NULL, 0);
}
#else
static void raise_and_yield(void *arg)
{
    (void)arg;
    feraiseexcept(FE_DIVBYZERO);
    for (int i = 0; i < 3; i++) {
        taskrt_yield();
        expect_int(fetestexcept(FE_ALL_EXCEPT), FE_DIVBYZERO);
    }
}

static void look_for_flags(void *arg)
{
    (void)arg;
    feclearexcept(FE_ALL_EXCEPT);
    struct taskrt_task *task = spawn(raise_and_yield, NULL);
    for (int i = 0; i < 4; i++) {
        taskrt_yield();
        expect_int(fetestexcept(FE_ALL_EXCEPT), 0);
    }
    join(task);
}

static void raised_flags__belong_to_the_task(void **state)
{
    (void)state;
    in_task_on(1, look_for_flags, NULL, 0);
}
#endif

__attribute__((noinline)) static void fail_with(int error)
{
    errno = error;
    __asm__ volatile("" ::: "memory");
}

/* A task that keeps a thread for itself, and if it came to another one, says so. */
struct keeper {
    pid_t thread;
    atomic_int elsewhere, over;
};

static void keep_thread(void *arg)
{
    struct keeper *keeper = arg;
    atomic_store(&keeper->elsewhere, gettid() != keeper->thread);
    while (!atomic_load(&keeper->elsewhere) && !atomic_load(&keeper->over))
        ;
}

static void move_between_threads(void *arg)
{
    (void)arg;
    for (int moves = 0; moves < 10; moves++) {
        struct keeper keeper = {.thread = gettid()};
        fail_with(1000 + moves);
        expect_int(taskrt_errno(), 1000 + moves);
        struct taskrt_task *task = spawn(keep_thread, &keeper);
        while (gettid() == keeper.thread) {
            if (atomic_load(&keeper.elsewhere)) {
                join(task);
                atomic_store(&keeper.elsewhere, 0);
                task = spawn(keep_thread, &keeper);
            }
            taskrt_yield();
        }
        fail_with(2000 + moves);
        expect_int(taskrt_errno(), 2000 + moves);
        atomic_store(&keeper.over, 1);
        join(task);
    }
}

static void errno_of_task__is_that_of_its_thread(void **state)
{
    (void)state;
    in_task_on(2, move_between_threads, NULL, 0);
}

/* A task that keeps its thread in the kernel until those that it started have run elsewhere. */
struct blocker {
    int ends[2];
    int started; /* by it, before it blocks */
    atomic_int done;
};

static void write_byte(void *arg)
{
    struct blocker *blocker = arg;
    expect_int(write(blocker->ends[1], "x", 1), 1);
}

static void start_and_block(void *arg)
{
    struct blocker *blocker = arg;
    for (int i = 0; i < blocker->started; i++)
        expect_int(taskrt_spawn(NULL, write_byte, blocker, NULL), 0);
    char byte;
    for (int i = 0; i < blocker->started; i++)
        expect_int(read(blocker->ends[0], &byte, 1), 1);
    atomic_store(&blocker->done, 1);
}

/* The other worker is never idle: it has this task all the time. */
static void yield_meanwhile(void *arg)
{
    struct blocker *blocker = arg;
    struct taskrt_task *task = spawn(start_and_block, blocker);
    int64_t until_ns = taskrt_now_ns() + 20 * TASKRT_S;
    while (!atomic_load(&blocker->done) && taskrt_now_ns() < until_ns)
        taskrt_yield();
    expect_int(atomic_load(&blocker->done), 1);
    for (int i = 0; !atomic_load(&blocker->done) && i < blocker->started; i++)
        write_byte(blocker);
    join(task);
}

static void blocked_thread__its_tasks_run_in_busy_ones(void **state)
{
    (void)state;
    for (int started = 1; started <= 5; started++) {
        for (int threads = 2; threads <= 3; threads++) {
            struct blocker blocker = {.started = started};
            assert_int_equal(pipe(blocker.ends), 0);
            in_task_on(threads, yield_meanwhile, &blocker, 0);
            close(blocker.ends[0]);
            close(blocker.ends[1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errno_of_task__is_that_of_its_thread),
        cmocka_unit_test(blocked_thread__its_tasks_run_in_busy_ones),
        cmocka_unit_test(rounding_mode__belongs_to_the_task),
#if defined(__x86_64__)
        cmocka_unit_test(masked_exception_of_x87__is_not_raised_in_another_task),
#else
        cmocka_unit_test(raised_flags__belong_to_the_task),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
