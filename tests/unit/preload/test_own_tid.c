/* The kernel's id of a thread, as the C library keeps it. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/own_tid.h"
#include "tests/unit/preload/recording_here.h"

static void *ask(void *ids)
{
    uint32_t *pair = ids;
    pair[0] = own_tid();
    pair[1] = (uint32_t)gettid();
    return NULL;
}

static void assert_known_on_a_thread(void)
{
    uint32_t ids[2] = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask, ids), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_not_equal(ids[0], 0);
    assert_int_not_equal(ids[0], getpid());
    assert_int_equal(ids[0], ids[1]);
}

static void before_start__asked__is_the_kernels(void **state)
{
    (void)state;
    assert_int_equal(own_tid(), gettid());
    assert_known_on_a_thread();
}

static void thread__asked__has_its_own(void **state)
{
    (void)state;
    own_tid_init();
    assert_int_equal(own_tid(), getpid());
    assert_known_on_a_thread();
}

static void ask_in_child(void)
{
    uint32_t ids[2] = {0};
    pthread_t thread;
    CHECK_INT(own_tid(), gettid());
    CHECK_INT(pthread_create(&thread, NULL, ask, ids), 0);
    CHECK_INT(pthread_join(thread, NULL), 0);
    CHECK_INT(ids[0], ids[1]);
}

static void child__asked__has_its_own(void **state)
{
    (void)state;
    own_tid_init();
    assert_int_equal(here_in_child(ask_in_child), 0);
}

/* Under a filter that kills for the question. */
static void ask_without_kernel(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_gettid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    uint32_t id = (uint32_t)gettid();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        _exit(HERE_CHILD_SKIPS);
    CHECK_INT(own_tid(), id);
}

static void kernel__after_start__is_not_asked(void **state)
{
    (void)state;
    own_tid_init();
    int status = here_in_child(ask_without_kernel);
    if (status == HERE_CHILD_SKIPS)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_start__asked__is_the_kernels),
        cmocka_unit_test(thread__asked__has_its_own),
        cmocka_unit_test(child__asked__has_its_own),
        cmocka_unit_test(kernel__after_start__is_not_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
