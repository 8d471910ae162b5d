/* The ids of threads of a core. Here the memory of the test itself stands for one. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/inspect/thread_ids.h"
#include "analyzer/process/image.h"

#define HOST_TID UINT32_C(0x7ffffff0) /* none that the kernel gives (PID_MAX_LIMIT) */

static struct image image;
static struct c_library *libc;

static int open_own(void **state)
{
    struct err err = {0};
    (void)state;
    if (!image_open_process(&image, getpid(), &err))
        fail_msg("%s: %s", err.what, err.why);
    libc = c_library_create(&image);
    free(image.threads);
    image.threads = NULL;
    return libc ? 0 : -1;
}

static int close_own(void **state)
{
    (void)state;
    c_library_destroy(libc);
    image.threads = NULL;
    image_close(&image);
    return 0;
}

static void threads_of_a_core__have_the_ids_that_their_descriptors_say(void **state)
{
    (void)state;
    static const uint64_t none[8];
    uint64_t self = (uint64_t)pthread_self();
    struct image_thread threads[] = {
        {.tid = HOST_TID, .thread_pointer = self},
        {.tid = HOST_TID + 1},
        {.tid = HOST_TID + 2, .thread_pointer = 16},
        {.tid = HOST_TID + 3, .thread_pointer = (uint64_t)none},
        {.tid = HOST_TID + 4, .thread_pointer = self}, /* it was made without one of its own */
    };
    image.threads = threads;
    image.thread_count = sizeof(threads) / sizeof(threads[0]);
    assert_true(thread_ids_take_own(&image, libc));
    assert_int_equal(threads[0].tid, gettid());
    for (uint32_t i = 1; i < image.thread_count; i++)
        assert_int_equal(threads[i].tid, HOST_TID + i);
}

/* As the sampler of the preload library has a copy of its maker's. */
static void descriptor_that_two_threads_have__is_the_first_threads(void **state)
{
    (void)state;
    uint64_t self = (uint64_t)pthread_self();
    struct image_thread threads[] = {
        {.tid = HOST_TID, .thread_pointer = self},
        {.tid = HOST_TID + 1, .thread_pointer = self, .first = true},
    };
    image.threads = threads;
    image.thread_count = sizeof(threads) / sizeof(threads[0]);
    assert_true(thread_ids_take_own(&image, libc));
    assert_int_equal(threads[0].tid, HOST_TID);
    assert_int_equal(threads[1].tid, gettid());
}

static void threads_of_a_core_that_has_the_programs_ids__keep_them(void **state)
{
    (void)state;
    uint64_t self = (uint64_t)pthread_self();
    struct image_thread threads[] = {
        {.tid = HOST_TID, .thread_pointer = self},
        {.tid = (uint32_t)gettid(), .thread_pointer = self},
    };
    image.threads = threads;
    image.thread_count = sizeof(threads) / sizeof(threads[0]);
    assert_true(thread_ids_take_own(&image, libc));
    assert_int_equal(threads[0].tid, HOST_TID);
    assert_int_equal(threads[1].tid, gettid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_of_a_core__have_the_ids_that_their_descriptors_say),
        cmocka_unit_test(descriptor_that_two_threads_have__is_the_first_threads),
        cmocka_unit_test(threads_of_a_core_that_has_the_programs_ids__keep_them),
    };
    return cmocka_run_group_tests(tests, open_own, close_own);
}
