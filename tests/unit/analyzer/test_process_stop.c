/* A thread that is stopped for a moment must not notice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/image/image.h"
#include "analyzer/process/image.h"
#include "analyzer/process/process.h"
#include "tests/unit/analyzer/child.h"
#include "tests/unit/analyzer/parked_calls.h"

static long (*parks)(void);

static void body(void)
{
    shared->tid = (int)syscall(SYS_gettid);
    child_ready();
    errno = 0;
    parks();
    shared->error = errno;
    shared->returned = 1;
    for (;;)
        sleep_ms(1000);
}

static pid_t start(long (*in)(void))
{
    parks = in;
    pid_t pid = child_start(body);
    child_wait_parked(pid);
    sleep_ms(60); /* a wait that has just begun is left alone */
    return pid;
}

static void end(pid_t pid)
{
    child_end(pid);
    parked_undo();
}

static unsigned char stack[65536];

/* Looks at the child and stops its only thread. On a busy machine that may not get to run in time,
 * and is asked again then. */
static bool stop(pid_t pid, struct image_stop *ret)
{
    for (int tries = 0;; tries++) {
        struct image image;
        struct err err;
        memset(ret, 0, sizeof(*ret));
        ret->stack = stack;
        ret->stack_room = sizeof(stack);
        if (!image_open_process(&image, pid, &err))
            fail_msg("%s: %s", err.what, err.why);
        bool stopped = image.functions->stop_thread(&image, &image.threads[0], ret);
        bool asked = ret->pause_ns > 0;
        assert_int_equal(image.pauses, asked);
        assert_int_equal(image.longest_pause_ns, ret->pause_ns);
        image_close(&image);
        if (stopped || !asked || tries == 100)
            return stopped;
        child_wait_parked(pid);
        sleep_ms(60); /* a wait that has just begun is left alone */
    }
}

static void unharmed_call__goes_on(void **state)
{
    (void)state;
    for (size_t i = 0; parked_unharmed[i].in != NULL; i++) {
        struct image_stop ret;
        pid_t pid = start(parked_unharmed[i].in);
        if (!shared->returned) {
            for (int times = 0; times < 3; times++) {
                if (!stop(pid, &ret))
                    fail_msg("%s: was not stopped", parked_unharmed[i].name);
                assert_int_equal(ret.registers.known, (1u << IMAGE_REGISTERS) - 1);
                assert_true(ret.stack_bytes > 0);
                assert_int_equal(ret.stack_address, ret.registers.value[IMAGE_REGISTER_SP]);
                sleep_ms(40);
            }
        }
        /* Some of them are not to be had everywhere: what has returned must not have noticed. */
        if (shared->returned && (shared->error == 0 || shared->error == EINTR))
            fail_msg("%s: returned, errno %d", parked_unharmed[i].name, shared->error);
        end(pid);
    }
}

static void harmed_call__is_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; parked_harmed[i].in != NULL; i++) {
        struct image_stop ret;
        pid_t pid = start(parked_harmed[i].in);
        if (!shared->returned && stop(pid, &ret))
            fail_msg("%s: was stopped", parked_harmed[i].name);
        sleep_ms(10);
        if (shared->returned && shared->error == EINTR)
            fail_msg("%s: was disturbed", parked_harmed[i].name);
        if (waitpid(pid, NULL, WNOHANG) != 0)
            fail_msg("%s: was killed", parked_harmed[i].name);
        end(pid);
    }
}

static void *park_in_thread(void *arg)
{
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    parks();
    shared->returned = 1;
    return arg;
}

static void leave_to_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, park_in_thread, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    child_ready();
    syscall(SYS_exit, 0); /* of this thread alone */
}

static struct image_thread *thread_of(struct image *image, int tid)
{
    for (size_t i = 0; i < image->thread_count; i++) {
        if (image->threads[i].host_tid == (uint32_t)tid)
            return &image->threads[i];
    }
    fail_msg("there is no thread %d", tid);
    return NULL;
}

/* What its descriptors are, the first thread tells no more. */
static void thread_whose_first_has_ended__is_stopped_in_calls_on_sockets(void **state)
{
    static long (*const calls[])(void) = {parked_in_recv, parked_in_socket_read, parked_in_accept};
    (void)state;
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), O_EXCL /* PIDFD_THREAD, Linux 6.9 */);
    if (pidfd < 0)
        skip();
    close(pidfd);
    for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
        bool stopped = false;
        parks = calls[i];
        pid_t pid = child_start(leave_to_thread);
        for (int tries = 0; tries < 100 && !stopped; tries++) {
            struct image image;
            struct err err;
            struct image_stop ret = {.stack = stack, .stack_room = sizeof(stack)};
            child_wait_parked(shared->tid);
            sleep_ms(60); /* a wait that has just begun is left alone */
            assert_true(image_open_process(&image, pid, &err));
            stopped = image.functions->stop_thread(&image, thread_of(&image, shared->tid), &ret);
            image_close(&image);
        }
        assert_true(stopped);
        assert_false(shared->returned);
        end(pid);
    }
}

static void stopped_thread__tells_its_stack(void **state)
{
    (void)state;
    struct image_stop ret;
    struct image image;
    struct err err;
    pid_t pid = start(parked_in_pause);
    assert_true(stop(pid, &ret));
    assert_true(ret.pause_ns > 0);
    assert_int_not_equal(ret.thread_pointer, 0);
    child_wait_parked(pid);
    assert_true(image_open_process(&image, pid, &err));
    unsigned char *again = malloc(ret.stack_bytes);
    assert_true(mem_read(image.memory, ret.stack_address, again, ret.stack_bytes));
    assert_memory_equal(again, stack, ret.stack_bytes);
    assert_int_equal(image.threads[0].registers.value[IMAGE_REGISTER_SP], ret.stack_address);
    assert_int_equal(image.threads[0].registers.value[IMAGE_REGISTER_PC],
                     ret.registers.value[IMAGE_REGISTER_PC]);
    free(again);
    image_close(&image);
    end(pid);
}

static void running_thread__is_left_alone(void **state)
{
    (void)state;
    struct image_stop ret;
    struct image image;
    struct err err;
    pid_t pid = start(parked_in_pause);
    assert_true(image_open_process(&image, pid, &err));
    image.threads[0].parked = false;
    ret = (struct image_stop){.stack = stack, .stack_room = sizeof(stack)};
    assert_false(image.functions->stop_thread(&image, &image.threads[0], &ret));
    /* It has gone on to something else since it was looked at. */
    image.threads[0].parked = true;
    image.threads[0].args[0] ^= 1;
    assert_false(image.functions->stop_thread(&image, &image.threads[0], &ret));
    assert_int_equal(image.pauses, 0);
    image_close(&image);
    end(pid);
}

static void traced_thread__is_left_alone(void **state)
{
    (void)state;
    struct image_stop ret;
    pid_t pid = start(parked_in_pause);
    assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
    assert_false(stop(pid, &ret));
    struct process_status status;
    assert_true(process_read_status(pid, &status));
    assert_int_equal(status.tracer, getpid());
    end(pid);
}

static void suspended_process__stays_suspended(void **state)
{
    (void)state;
    struct image_stop ret;
    pid_t pid = start(parked_in_pause);
    kill(pid, SIGSTOP);
    assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
    assert_false(stop(pid, &ret));
    struct process_status status;
    assert_true(process_read_status(pid, &status));
    assert_int_equal(status.state, 'T');
    kill(pid, SIGCONT);
    end(pid);
}

static void killed_while_it_stops_a_thread__thread_goes_on(void **state)
{
    (void)state;
    pid_t pid = start(parked_in_pause);
    for (int i = 0; i < 40; i++) {
        pid_t looker = fork();
        if (looker == 0) {
            struct image image;
            struct err err;
            struct image_stop ret = {.stack = stack, .stack_room = sizeof(stack)};
            if (!image_open_process(&image, pid, &err))
                _exit(1);
            for (;;) {
                image.threads[0].parked_ns = -1; /* stop it as often as possible */
                image.functions->stop_thread(&image, &image.threads[0], &ret);
            }
        }
        nanosleep(&(struct timespec){0, 3000000 + i * 37000L}, NULL);
        kill(looker, SIGKILL);
        assert_int_equal(waitpid(looker, NULL, 0), looker);
        struct process_status status = {0};
        for (int tries = 0; tries < 1000 && status.state != 'S'; tries++) {
            assert_true(process_read_status(pid, &status));
            assert_int_equal(status.tracer, 0);
        }
        assert_int_equal(status.state, 'S');
        assert_false(shared->returned);
    }
    end(pid);
}

/* Keeps the process `pid`, and itself, on one processor. */
static bool keep_on(pid_t pid, int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(pid, sizeof(set), &set) == 0;
}

/* A process that leaves its processor to no other one, for a moment. */
static pid_t start_hog(int cpu)
{
    pid_t hog = fork();
    if (hog == 0) {
        struct sched_param param = {.sched_priority = 1};
        if (!keep_on(0, cpu) || sched_setscheduler(0, SCHED_FIFO, &param) != 0)
            _exit(1);
        shared->words[3] = 1;
        alarm(1);
        for (;;)
            ;
    }
    return hog;
}

/* It is asked to stop, and does not get to run for that. */
static void thread_that_cannot_stop__is_given_up_for_good(void **state)
{
    (void)state;
    cpu_set_t before;
    struct image_stop ret = {.stack = stack, .stack_room = sizeof(stack)};
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    bool late = false, able = CPU_ISSET(0, &before) && CPU_ISSET(1, &before);
    for (int tries = 0; able && !late && tries < 10; tries++) {
        struct image image;
        struct err err;
        pid_t pid = start(parked_in_timed_poll);
        assert_true(image_open_process(&image, pid, &err));
        assert_true(keep_on(pid, 1) && keep_on(0, 0));
        shared->words[3] = 0;
        pid_t hog = start_hog(1);
        while (!shared->words[3] && waitpid(hog, NULL, WNOHANG) == 0)
            sleep_ms(1);
        able = shared->words[3];
        late = able && !image.functions->stop_thread(&image, &image.threads[0], &ret) &&
               ret.pause_ns > 0;
        /* The report says so, and the thread is nobody's while the image is still open. */
        struct process_status status = {0};
        if (late) {
            assert_int_equal(image.pauses, 1);
            assert_int_equal(image.longest_pause_ns, ret.pause_ns);
            assert_true(process_read_status(pid, &status));
            assert_int_equal(status.tracer, 0);
        }
        kill(hog, SIGKILL);
        waitpid(hog, NULL, 0);
        sched_setaffinity(0, sizeof(before), &before);
        if (late) {
            child_wait_parked(pid);
            assert_true(process_read_status(pid, &status));
            assert_int_equal(status.state, 'S');
            assert_false(shared->returned);
        }
        image_close(&image);
        end(pid);
    }
    if (!late)
        skip(); /* no processor to be taken here */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unharmed_call__goes_on),
        cmocka_unit_test(harmed_call__is_left_alone),
        cmocka_unit_test(thread_whose_first_has_ended__is_stopped_in_calls_on_sockets),
        cmocka_unit_test(stopped_thread__tells_its_stack),
        cmocka_unit_test(running_thread__is_left_alone),
        cmocka_unit_test(traced_thread__is_left_alone),
        cmocka_unit_test(suspended_process__stays_suspended),
        cmocka_unit_test(thread_that_cannot_stop__is_given_up_for_good),
        cmocka_unit_test(killed_while_it_stops_a_thread__thread_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
