/* What is known of a C library whose threads have a file of their own. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "analyzer/inspect/c_library.h"
#include "analyzer/process/image.h"

static void *libc, *libpthread;
static struct image image;
static struct c_library *known;

/* The library that the test itself runs with is not to be found. */
static void leave_only(const char *const *files, size_t count)
{
    for (uint32_t i = 1; i < image.module_count; i++) {
        bool is_one = false;
        for (size_t k = 0; k < count; k++)
            is_one = is_one || strcmp(image.modules[i].path, files[k]) == 0;
        if (!is_one)
            image.modules[i].path = "";
    }
}

static int open_old(void **state)
{
    static const char *const files[] = {LEAKSPY_OLD_LIBC, LEAKSPY_OLD_LIBPTHREAD};
    struct err err = {0};
    (void)state;
    libc = dlopen(files[0], RTLD_NOW | RTLD_LOCAL);
    libpthread = dlopen(files[1], RTLD_NOW | RTLD_LOCAL);
    if (!libc || !libpthread)
        fail_msg("%s", dlerror());
    if (!image_open_process(&image, getpid(), &err))
        fail_msg("%s: %s", err.what, err.why);
    leave_only(files, 2);
    known = c_library_create(&image);
    return known ? 0 : -1;
}

static int close_old(void **state)
{
    (void)state;
    c_library_destroy(known);
    image_close(&image);
    dlclose(libpthread);
    dlclose(libc);
    return 0;
}

/* A return address in a function. */
static uint64_t pc_in(void *library, const char *function)
{
    void *address = dlsym(library, function);
    assert_non_null(address);
    return (uint64_t)address + 1;
}

static void layout_and_list__are_of_the_file_that_has_them(void **state)
{
    (void)state;
    const struct thread_list_layout list = c_library_thread_list(known);
    assert_true(c_library_is_glibc(known));
    assert_int_equal(c_library_layout(known).tid, 720);
    assert_int_equal(c_library_layout(known).start_routine, 1600);
    assert_int_equal(list.list, 704);
    assert_int_equal(list.cancelhandling, 776);
    assert_int_equal(list.heads[0], (uint64_t)dlsym(libpthread, "stack_used"));
    assert_int_equal(list.heads[1], (uint64_t)dlsym(libpthread, "__stack_user"));
}

static void frame_in_either_file__is_the_library_s(void **state)
{
    (void)state;
    const struct thread_call futex = {.op = REC_OP_FUTEX_WAIT};
    const uint64_t own = (uint64_t)close_old + 1;
    const uint64_t pcs[] = {pc_in(libpthread, "sem_wait"), own, pc_in(libpthread, "start_thread"),
                            pc_in(libc, "clone")};
    const struct thread_function *function = c_library_parked_in(known, pcs, 4, &futex);
    assert_non_null(function);
    assert_string_equal(function->name, "sem_wait");
    assert_null(c_library_parked_in(known, pcs + 1, 3, &futex));
    assert_int_equal(c_library_outermost(known, pcs, 4), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_and_list__are_of_the_file_that_has_them),
        cmocka_unit_test(frame_in_either_file__is_the_library_s),
    };
    return cmocka_run_group_tests(tests, open_old, close_old);
}
