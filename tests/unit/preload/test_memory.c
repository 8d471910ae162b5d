/* Reading memory that may not be there. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/clock.h"
#include "preload/memory.h"
#include "tests/unit/preload/recording_here.h"

#define PAGE 4096UL

/* Pages that are there, and an unmapped page on both sides. */
static char *map_pages(size_t count)
{
    char *at =
        mmap(NULL, (count + 2) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(at, MAP_FAILED);
    munmap(at, PAGE);
    munmap(at + (count + 1) * PAGE, PAGE);
    for (size_t i = 0; i < count * PAGE; i++)
        at[PAGE + i] = (char)(i * 31 + i / 256);
    return at + PAGE;
}

static void mapped_memory__read__is_copied(void **state)
{
    char *pages = map_pages(3);
    char copy[2 * PAGE];
    (void)state;
    assert_true(memory_read((uint64_t)pages, copy, 1));
    assert_int_equal(copy[0], pages[0]);
    assert_true(memory_read((uint64_t)pages + 100, copy, sizeof(copy)));
    assert_memory_equal(copy, pages + 100, sizeof(copy));
    assert_int_equal(memory_read_some((uint64_t)pages + 7, copy, 5000), 5000);
    assert_memory_equal(copy, pages + 7, 5000);
    munmap(pages, 3 * PAGE);
}

static void unmapped_memory__read__fails(void **state)
{
    char *pages = map_pages(1);
    char copy[16];
    (void)state;
    assert_false(memory_read((uint64_t)pages - 16, copy, 16));
    assert_false(memory_read((uint64_t)pages + PAGE, copy, 1));
    assert_false(memory_read(0, copy, 1));
    assert_false(memory_read(8, copy, 8));
    assert_false(memory_read(UINT64_MAX - 7, copy, 8));
    assert_false(memory_read(UINT64_MAX - 3, copy, 8)); /* past the end of all addresses */
    assert_false(memory_read(UINT64_C(0x8000000000000000), copy, 8));
    munmap(pages, PAGE);
    assert_false(memory_read((uint64_t)pages, copy, 8));
}

static void memory_that_ends__read__is_copied_up_to_there(void **state)
{
    char *pages = map_pages(2);
    char copy[PAGE];
    (void)state;
    for (size_t there = 1; there < 300; there += 13) {
        char *from = pages + 2 * PAGE - there;
        memset(copy, '#', sizeof(copy));
        assert_int_equal(memory_read_some((uint64_t)from, copy, there), there);
        assert_int_equal(memory_read_some((uint64_t)from, copy, sizeof(copy)), there);
        assert_memory_equal(copy, from, there);
        assert_int_equal(copy[there], '#');
        assert_false(memory_read((uint64_t)from, copy, there + 1));
    }
    munmap(pages, 2 * PAGE);
}

static void memory_without_permission__read__fails(void **state)
{
    char *pages = map_pages(1);
    char copy[8];
    (void)state;
    assert_int_equal(mprotect(pages, PAGE, PROT_NONE), 0);
    assert_false(memory_read((uint64_t)pages, copy, sizeof(copy)));
    munmap(pages, PAGE);
}

/* A page that comes and goes, 'a' on every byte: what is read is whole or nothing. */
struct flicker {
    char *page;
    int stop;
};

static void *come_and_go(void *arg)
{
    struct flicker *flicker = arg;
    while (!__atomic_load_n(&flicker->stop, __ATOMIC_RELAXED)) {
        if (mmap(flicker->page, PAGE, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != flicker->page)
            abort();
        memset(flicker->page, 'a', PAGE);
        munmap(flicker->page, PAGE);
    }
    return NULL;
}

static void memory_that_comes_and_goes__read__never_faults(void **state)
{
    enum { READS = 50000, MAX_S = 60 };
    struct flicker flicker = {.page = map_pages(1)};
    pthread_t thread;
    uint64_t end_ns = clock_now_ns() + MAX_S * NS_PER_S;
    long reads = 0, failed = 0, zero = 0, whole = 0;
    (void)state;
    memset(flicker.page, 'a', PAGE);
    assert_int_equal(pthread_create(&thread, NULL, come_and_go, &flicker), 0);
    /* On a busy machine the page may be there, or not, for all of a turn on a processor. */
    for (; reads < READS || ((failed == 0 || whole == 0) && clock_now_ns() < end_ns); reads++) {
        char copy[64];
        if (!memory_read((uint64_t)flicker.page + 64, copy, sizeof(copy)))
            failed++;
        else if (copy[0] == 0 || copy[sizeof(copy) - 1] == 0)
            zero++; /* mapped, and not written yet */
        else if (copy[0] == 'a' && copy[sizeof(copy) - 1] == 'a')
            whole++;
    }
    __atomic_store_n(&flicker.stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    assert_int_equal(failed + zero + whole, reads);
    assert_int_not_equal(failed, 0);
    assert_int_not_equal(whole, 0);
}

static void reserve_in_child(void)
{
    char *memory = memory_reserve(1 << 20);
    CHECK_INT(memory != NULL, 1);
    CHECK_INT(memory[0], 0);
    CHECK_INT(memory[(1 << 20) - 1], 0);
    CHECK_INT(memory_reserve(SIZE_MAX / 2) == NULL, 1);
}

static void memory__reserved__is_zero_or_refused(void **state)
{
    (void)state;
    assert_int_equal(here_in_child(reserve_in_child), HERE_CHILD_FINE);
}

static void locked_memory__cleared__is_zero(void **state)
{
    const size_t bytes = 1 << 16;
    char *memory = memory_reserve_unforked(bytes);
    (void)state;
    assert_non_null(memory);
    if (mlock(memory, bytes) != 0)
        skip();
    memset(memory, 1, bytes);
    memory_clear(memory, bytes);
    for (size_t i = 0; i < bytes; i++)
        assert_int_equal(memory[i], 0);
    munlock(memory, bytes);
    memset(memory, 1, bytes);
    memory_clear(memory, bytes);
    assert_int_equal(memory[0] | memory[bytes - 1], 0);
    munmap(memory, bytes);
}

/* After fork it is another process that reads itself: not its parent. */
static int probe = 1;

static void read_own(void)
{
    int copy = 0;
    probe = 2;
    CHECK_INT(memory_read((uint64_t)&probe, &copy, sizeof(copy)), 1);
    CHECK_INT(copy, 2);
    memory_init_fallback(true); /* not needed here, and harmless */
    CHECK_INT(memory_read((uint64_t)&probe, &copy, sizeof(copy)), 1);
    CHECK_INT(memory_read(0, &copy, sizeof(copy)), 0);
}

static void fork_child__read__sees_its_own_memory(void **state)
{
    (void)state;
    assert_int_equal(here_in_child(read_own), HERE_CHILD_FINE);
    assert_int_equal(probe, 1);
}

/* Where a filter refuses the way to copy, the sampler, and it alone, has another. */
static void read_without_the_call(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    int copy = 0;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        _exit(HERE_CHILD_SKIPS);
    recorder_thread.sampler = true;
    CHECK_INT(memory_read((uint64_t)&probe, &copy, sizeof(copy)), 0);
    memory_init_fallback(false);
    CHECK_INT(memory_read((uint64_t)&probe, &copy, sizeof(copy)), 0);
    memory_init_fallback(true);
    CHECK_INT(memory_read((uint64_t)&probe, &copy, sizeof(copy)), 1);
    CHECK_INT(copy, probe);
    recorder_thread.sampler = false; /* other threads have other descriptors */
    CHECK_INT(memory_read((uint64_t)&probe, &copy, sizeof(copy)), 0);
    recorder_thread.sampler = true; /* the next one; what was open before is gone */
    close_range(3, ~0U, 0);
    memory_init_fallback(true);
    CHECK_INT(memory_read((uint64_t)&probe, &copy, sizeof(copy)), 1);
    CHECK_INT(memory_read(0, &copy, sizeof(copy)), 0);
}

static void memory__without_the_call_that_copies_it__is_read_by_the_sampler(void **state)
{
    (void)state;
    int status = here_in_child(read_without_the_call);
    if (status == HERE_CHILD_SKIPS)
        skip();
    assert_int_equal(status, HERE_CHILD_FINE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped_memory__read__is_copied),
        cmocka_unit_test(unmapped_memory__read__fails),
        cmocka_unit_test(memory_that_ends__read__is_copied_up_to_there),
        cmocka_unit_test(memory_without_permission__read__fails),
        cmocka_unit_test(memory_that_comes_and_goes__read__never_faults),
        cmocka_unit_test(memory__reserved__is_zero_or_refused),
        cmocka_unit_test(locked_memory__cleared__is_zero),
        cmocka_unit_test(fork_child__read__sees_its_own_memory),
        cmocka_unit_test(memory__without_the_call_that_copies_it__is_read_by_the_sampler),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
