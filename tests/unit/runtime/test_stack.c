/* Stacks: an overflow hits a guard, in each of the ways a guard can be made. Every case runs in a
 * process of its own, because how guards are made is settled with the first task.
 */
#include "in_task.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The sanitizers shall not take the signal. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "handle_segv=0:handle_sigbus=0:handle_abort=0:use_sigaltstack=0";
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
    return "handle_segv=0:handle_sigbus=0:handle_abort=0";
}

enum { HIT_GUARD = 40, HIT_ELSEWHERE = 41, SURVIVED = 42 };

static volatile uintptr_t guard_end; /* stack_low of the task that overflows */
static volatile size_t dive_bytes;   /* how deep to go */

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    _exit(at < guard_end && at >= guard_end - 16384 ? HIT_GUARD : HIT_ELSEWHERE);
}

/* Writes nearly every byte on its way, as it would not with a sanitizer's room around the block. */
__attribute__((noinline, no_sanitize("address"))) static int dive(uintptr_t top)
{
    volatile char block[512];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = 1;
    if (top - (uintptr_t)__builtin_frame_address(0) < dive_bytes)
        block[1] = (char)dive(top);
    return block[511] + block[1];
}

static void overflow(void *arg)
{
    (void)arg;
    guard_end = task_word(taskrt_self(), taskrt_inspect.stack_low);
    dive((uintptr_t)__builtin_frame_address(0));
    taskrt_yield();
}

static void overflow_beside_others(void *arg)
{
    taskrt_sleep(TASKRT_MS); /* the first task has run on its stack */
    join(spawn(overflow, arg));
}

static char message[256]; /* what the child wrote to stderr */

/* Runs fn in a task of a child process; its exit status, or minus the signal that killed it. */
static int run_child(const char *guard, taskrt_fn *fn, size_t bytes)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_int_not_equal(child, -1);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        setenv("TASKRT_GUARD", guard, 1);
        setenv("TASKRT_THREADS", "1", 1);
        static char stack[65536];
        stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
        struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigaltstack(&alternate, NULL);
        sigaction(SIGSEGV, &action, NULL);
        dive_bytes = bytes;
        taskrt_run(fn, NULL);
        _exit(SURVIVED);
    }
    close(ends[1]);
    size_t length = 0;
    ssize_t got;
    while (length + 1 < sizeof message &&
           (got = read(ends[0], message + length, sizeof message - 1 - length)) > 0)
        length += (size_t)got;
    message[length] = '\0';
    close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void overflow__hits_the_guard(void **state)
{
    (void)state;
    assert_int_equal(run_child("", overflow_beside_others, 1U << 20), HIT_GUARD);
    assert_int_equal(run_child("mprotect", overflow_beside_others, 1U << 20), HIT_GUARD);
}

static void no_guard__canary_aborts_with_a_message(void **state)
{
    (void)state;
    assert_int_equal(run_child("canary", overflow_beside_others, 66000), -SIGABRT);
    assert_non_null(strstr(message, "stack overflow in task 2"));
}

static void deep_but_not_too_deep__survives(void **state)
{
    (void)state;
    const char *guards[] = {"", "mprotect", "canary"};
    for (int i = 0; i < 3; i++)
        assert_int_equal(run_child(guards[i], overflow_beside_others, 48000), SURVIVED);
}

static void park_on_nothing(void *arg)
{
    taskrt_receive(arg, NULL);
}

static void many_mprotected(void *arg)
{
    (void)arg;
    struct taskrt_chan *chan = taskrt_chan_create(0, 0);
    int count = WITH_TSAN ? 2000 : 40000; /* 80,000 mappings would be too many */
    for (int i = 0; i < count; i++)
        if (taskrt_spawn(NULL, park_on_nothing, chan, NULL) != 0)
            _exit(1);
    taskrt_sleep(TASKRT_MS);
}

static void more_tasks_than_guards__go_on_with_canaries(void **state)
{
    (void)state;
    assert_int_equal(run_child("mprotect", many_mprotected, 0), SURVIVED);
}

static void fill(void *arg)
{
    size_t bytes = *(size_t *)arg;
    uintptr_t low = task_word(taskrt_self(), taskrt_inspect.stack_low);
    uintptr_t high = task_word(taskrt_self(), taskrt_inspect.stack_high);
    expect_int(high - low >= bytes, 1);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    expect_int(here > low && here < high, 1);
    dive_bytes = bytes - 8192;
    dive(here);
}

static void sizes(void *arg)
{
    (void)arg;
    size_t largest = WITH_TSAN ? 4U << 20 : 64U << 20; /* its own stack of calls has a limit */
    for (size_t bytes = 16384; bytes <= largest; bytes *= 4) {
        struct taskrt_options options = {.stack_bytes = bytes + bytes / 2};
        struct taskrt_task *task = NULL;
        for (int round = 0; round < 3; round++) { /* new, then used ones */
            expect_int(taskrt_spawn(&options, fill, &bytes, &task), 0);
            join(task);
        }
    }
}

static void stack_sizes__can_be_used(void **state)
{
    (void)state;
    in_task_on(1, sizes, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overflow__hits_the_guard),
        cmocka_unit_test(no_guard__canary_aborts_with_a_message),
        cmocka_unit_test(deep_but_not_too_deep__survives),
        cmocka_unit_test(more_tasks_than_guards__go_on_with_canaries),
        cmocka_unit_test(stack_sizes__can_be_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
