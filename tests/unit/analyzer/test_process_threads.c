/* Threads of a running process: what they are parked in, which are its own, and which ended. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/image/image.h"
#include "analyzer/process/process.h"
#include "tests/unit/analyzer/child.h"
#include "tests/unit/analyzer/opened.h"

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int some_data = 42;

static uint32_t word;

static void *in_futex(void *arg)
{
    (void)arg;
    prctl(PR_SET_NAME, "odd ) name (");
    shared->words[1] = now_ns();
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &word, 0 /* FUTEX_WAIT */, 0, NULL, NULL, 0);
    return NULL;
}

static void two_threads(void)
{
    pthread_t thread;
    shared->words[0] = (uint64_t)(uintptr_t)&word;
    pthread_create(&thread, NULL, in_futex, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    park();
}

static const struct image_thread *thread_of(const struct image *image, int tid)
{
    for (size_t i = 0; i < image->thread_count; i++) {
        if (image->threads[i].tid == (uint32_t)tid)
            return &image->threads[i];
    }
    fail_msg("there is no thread %d", tid);
    return NULL;
}

static void thread__tells_what_it_is_parked_in(void **state)
{
    (void)state;
    struct image image;
    struct err err;
    pid_t pid = child_start(two_threads);
    child_wait_parked(pid);
    child_wait_parked(shared->tid);
    open_image(&image, pid);
    assert_true(image.thread_count >= 2); /* a sanitizer may have one of its own */
    const struct image_thread *thread = thread_of(&image, shared->tid);
    assert_string_equal(thread->name, "odd ) name (");
    assert_true(thread->parked);
    assert_int_equal(thread->call, SYS_futex);
    assert_int_equal(thread->args[0], shared->words[0]);
    assert_int_equal(thread->args[1], 0);
    assert_int_equal(thread->registers.known, 1u << IMAGE_REGISTER_SP | 1u << IMAGE_REGISTER_PC);
    const struct image_mapping *stack =
        image_mapping_at(&image, thread->registers.value[IMAGE_REGISTER_SP]);
    assert_true(stack && stack->writable);

    /* A lower bound of the age, where the kernel tells. */
    int64_t first_ns = thread->parked_ns;
    if (first_ns >= 0)
        assert_true((uint64_t)first_ns <= now_ns() - shared->words[1]);
    /* On a busy machine it may not be told at each look. */
    int looks = 0;
    do {
        sleep_ms(30);
        assert_true(image.functions->refresh(&image, &err));
        thread = thread_of(&image, shared->tid);
    } while (first_ns >= 0 && thread->parked_ns < 0 && ++looks < 100);
    if (first_ns >= 0) {
        assert_true(thread->parked_ns > first_ns);
        assert_true((uint64_t)thread->parked_ns <= now_ns() - shared->words[1]);
    }
    image_close(&image);
    child_end(pid);
}

static const char *thread_name;

static void *nap(void *arg)
{
    prctl(PR_SET_NAME, thread_name);
    __atomic_store_n(&shared->tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    for (;;)
        sleep_ms(20);
    return arg;
}

static void have_a_thread_that_naps(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, nap, NULL);
    while (!__atomic_load_n(&shared->tid, __ATOMIC_SEQ_CST))
        sleep_ms(1);
    park();
}

/* Looks at it until it has run since `thread` was taken. */
static bool runs_again(struct image *image, const struct image_thread *thread)
{
    for (int i = 0; i < 10000; i++) {
        struct image_thread now = *thread;
        assert_true(image->functions->look(image, &now));
        if (now.parked && now.switches != thread->switches)
            return true;
        sleep_ms(1);
    }
    return false;
}

/* Of a file whose first line begins with the name. */
static void thread_with_the_name_of_a_field__is_told_like_others(void **state)
{
    static const char *const names[] = {"nr_switches:7", "\nnr_switches:7",
                                        "se.exec_start:", "\nse.exec_start:"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct image image;
        struct err err;
        thread_name = names[i];
        pid_t pid = child_start(have_a_thread_that_naps);
        child_wait_parked(pid);
        open_image(&image, pid);
        bool are_ages_told = thread_of(&image, pid)->parked_ns >= 0;
        struct image_thread thread = *thread_of(&image, shared->tid);
        for (int tries = 0; !thread.parked && tries < 1000; tries++) {
            assert_true(image.functions->refresh(&image, &err));
            thread = *thread_of(&image, shared->tid);
        }
        assert_true(thread.parked);
        assert_string_equal(thread.name, names[i]);
        if (!runs_again(&image, &thread) || (are_ages_told && thread.parked_ns < 0))
            fail_msg("\"%s\": %d switches, parked for %d ns", names[i], (int)thread.switches,
                     (int)thread.parked_ns);
        image_close(&image);
        child_end(pid);
    }
}

static void thread_that_cannot_be_looked_at__has_not_ended(void **state)
{
    (void)state;
    struct image image;
    struct rlimit limit;
    pid_t pid = child_start(park);
    child_wait_parked(pid);
    open_image(&image, pid);
    struct image_thread thread = *thread_of(&image, pid);
    assert_true(image.functions->look(&image, &thread));
    assert_true(thread.parked);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    bool found = image.functions->look(&image, &thread);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_true(found);
    assert_false(thread.parked);
    assert_int_equal(thread.registers.known, 0);

    child_end(pid);
    assert_false(image.functions->look(&image, &thread));
    image_close(&image);
}

static void *wait_for_ever(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static void end_first_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    child_ready();
    syscall(SYS_exit, 0); /* of this thread alone */
}

static void first_thread_has_ended__others_are_told(void **state)
{
    (void)state;
    struct image image;
    pid_t pid = child_start(end_first_thread);
    wait_for_end_of_first(pid);
    open_image(&image, pid);
    assert_true(image.thread_count >= 2); /* a sanitizer may have one of its own */
    const struct image_thread *first = thread_of(&image, pid);
    assert_true(first->ended);
    assert_false(first->parked);
    struct err err;
    assert_int_not_equal(image_exe_module(&image), 0);
    assert_true(image.functions->check(&image, &err));
    assert_int_equal(process_look(pid, NULL), PROCESS_ALIVE);
    image_close(&image);
    child_end(pid);
}

/* words[0]: who is to end; the others: who may. */
static void *wait_for_own_end(void *arg)
{
    uint64_t tid = (uint64_t)syscall(SYS_gettid);
    __atomic_store_n((volatile uint64_t *)arg, tid, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&shared->words[0], __ATOMIC_SEQ_CST) != tid)
        sleep_ms(1);
    syscall(SYS_exit, 0); /* of this thread alone */
    return arg;
}

static void have_threads_that_end(void)
{
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, wait_for_own_end, (void *)&shared->words[i + 1]);
        while (!__atomic_load_n(&shared->words[i + 1], __ATOMIC_SEQ_CST))
            sleep_ms(1);
    }
    child_ready();
    wait_for_own_end((void *)&shared->words[4]);
}

/* A sanitizer may have a thread of its own, which stays. */
static bool may_end(pid_t tid)
{
    for (size_t i = 1; i <= 4; i++) {
        if (shared->words[i] == (uint64_t)tid)
            return true;
    }
    return false;
}

/* Until nothing is told of a thread's memory any more. */
static void end_thread(pid_t tid)
{
    __atomic_store_n(&shared->words[0], (uint64_t)tid, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 10000 && process_auxv(tid, AT_RANDOM); i++)
        sleep_ms(1);
    assert_int_equal(process_auxv(tid, AT_RANDOM), 0);
}

/* First that with which the process began, then that which tells of the memory instead. */
static void thread_ends_meanwhile__its_process_does_not(void **state)
{
    (void)state;
    pid_t pid = child_start(have_threads_that_end);
    while (!__atomic_load_n(&shared->words[4], __ATOMIC_SEQ_CST))
        sleep_ms(1);
    for (int i = 0; i < 2 && may_end(process_live_thread(pid)); i++) {
        struct image image;
        struct err err = {0};
        int got = 0;
        open_image(&image, pid);
        pid_t task = process_live_thread(pid);
        assert_int_equal(task == pid, i == 0);
        end_thread(task);
        assert_true(mem_read(image.memory, (uint64_t)(uintptr_t)&some_data, &got, sizeof(got)));
        assert_int_equal(got, 42);
        assert_false(mem_read(image.memory, 16, &got, sizeof(got)));
        if (!image.functions->check(&image, &err) || !image.functions->refresh(&image, &err))
            fail_msg("%s: %s", err.what, err.why);
        assert_true(mem_read(image.memory, (uint64_t)(uintptr_t)&some_data, &got, sizeof(got)));
        assert_true(image.functions->check(&image, &err));
        image_close(&image);
    }
    child_end(pid);
}

/* Whose ring a thread of the kernel polls, for some milliseconds, and sleeps then. */
static void make_ring(void)
{
    struct io_uring_params params = {.flags = IORING_SETUP_SQPOLL, .sq_thread_idle = 50};
    if (syscall(SYS_io_uring_setup, 4, &params) < 0)
        shared->error = errno;
    park();
}

static size_t count_named(const struct image *image, const char *start)
{
    size_t count = 0;
    for (size_t i = 0; i < image->thread_count; i++)
        count += strncmp(image->threads[i].name, start, strlen(start)) == 0;
    return count;
}

static void worker_of_the_kernel__is_no_thread_of_the_program(void **state)
{
    (void)state;
    struct image image;
    struct err err;
    pid_t pid = child_start(make_ring);
    if (shared->error) {
        child_end(pid);
        skip(); /* there is no io_uring, or it is not allowed */
    }
    open_image(&image, pid);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(count_named(&image, "iou-"), 0);
        sleep_ms(10);
        assert_true(image.functions->refresh(&image, &err));
    }
    assert_true(thread_of(&image, pid)->parked);
    image_close(&image);
    child_end(pid);
}

#define MAX_GROUPS 4000

/* All calls are allowed, but there is a filter. */
static void wait_with_groups_and_filter(void)
{
    static gid_t groups[MAX_GROUPS];
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};
    for (gid_t i = 0; i < MAX_GROUPS; i++)
        groups[i] = 1000000000 + i;
    shared->error = setgroups(MAX_GROUPS, groups) == 0 &&
                            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0
                        ? 0
                        : errno;
    child_ready();
    for (;;)
        pause();
}

/* What is told behind the groups is known of whoever has many, above all that they have a filter.
 */
static void process_of_many_groups__is_known_whole(void **state)
{
    (void)state;
    struct process_status status;
    pid_t pid = child_start(wait_with_groups_and_filter);
    if (shared->error == EPERM) {
        child_end(pid);
        skip();
    }
    assert_int_equal(shared->error, 0);
    assert_true(process_read_status(pid, &status));
    assert_int_equal(status.process, pid);
    assert_true(status.filtered);
    assert_false(status.kernel);
    child_end(pid);
}

static void thread_id__is_taken_for_its_process(void **state)
{
    (void)state;
    struct image image;
    pid_t pid = child_start(two_threads);
    open_image(&image, shared->tid);
    assert_int_equal(image.pid, pid);
    assert_true(image.thread_count >= 2); /* a sanitizer may have one of its own */
    image_close(&image);
    child_end(pid);
}

static void *forks_and_pauses(void *unused)
{
    (void)unused;
    pid_t pid = fork();
    if (pid == 0)
        pause();
    __atomic_store_n(&shared->words[1], (uint64_t)pid, __ATOMIC_SEQ_CST);
    pause();
    return NULL;
}

static void has_children_of_two_threads(void)
{
    pthread_t thread;
    pid_t pid = fork();
    if (pid == 0)
        pause();
    shared->words[0] = (uint64_t)pid;
    pthread_create(&thread, NULL, forks_and_pauses, NULL);
    while (__atomic_load_n(&shared->words[1], __ATOMIC_SEQ_CST) == 0)
        sleep_ms(1);
    park();
}

static bool count_known_child(pid_t pid, void *arg)
{
    unsigned *seen = arg;
    for (unsigned i = 0; i < 2; i++)
        *seen += (uint64_t)pid == shared->words[i] ? 1U << i * 4 : 0;
    *seen += 1U << 8;
    return true;
}

static bool stop_at_first(pid_t pid, void *arg)
{
    (void)pid;
    ++*(unsigned *)arg;
    return false;
}

/* The kernel keeps a list of them for each thread that started some. */
static void children_of_all_threads__are_visited_once(void **state)
{
    unsigned seen = 0, visits = 0;
    (void)state;
    if (access("/proc/thread-self/children", R_OK) != 0)
        skip();
    pid_t pid = child_start(has_children_of_two_threads);
    process_children(pid, count_known_child, &seen);
    process_children(pid, stop_at_first, &visits);
    for (unsigned i = 0; i < 2 && shared->words[i] != 0; i++)
        kill((pid_t)shared->words[i], SIGKILL);
    child_end(pid);
    assert_int_equal(seen, 0x211);
    assert_int_equal(visits, 1);
    process_children(pid, count_known_child, &seen); /* it is gone */
    assert_int_equal(seen, 0x211);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread__tells_what_it_is_parked_in),
        cmocka_unit_test(thread_with_the_name_of_a_field__is_told_like_others),
        cmocka_unit_test(thread_that_cannot_be_looked_at__has_not_ended),
        cmocka_unit_test(first_thread_has_ended__others_are_told),
        cmocka_unit_test(thread_ends_meanwhile__its_process_does_not),
        cmocka_unit_test(worker_of_the_kernel__is_no_thread_of_the_program),
        cmocka_unit_test(process_of_many_groups__is_known_whole),
        cmocka_unit_test(thread_id__is_taken_for_its_process),
        cmocka_unit_test(children_of_all_threads__are_visited_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
