/* What is said of threads that are looked at twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "analyzer/image/image.h"
#include "analyzer/inspect/thread_waits.h"

#define TID 100

static struct image_thread as_it_is; /* what every look sees */

static bool look(struct image *image, struct image_thread *thread)
{
    (void)image;
    *thread = as_it_is;
    return true;
}

static void read_nothing(struct mem_reader *reader, struct mem_piece *pieces, size_t count)
{
    (void)reader;
    for (size_t i = 0; i < count; i++)
        pieces[i].ok = false;
}

static struct mem_reader nothing = {read_nothing};
static const struct image_functions functions = {.look = look};
static struct image_module no_module;
static const struct preloaded none;
static struct image image;
static struct thread_waits waits;

/* Reads what a thread waits for that was told as `first` when the process was opened. */
static const struct thread_wait *read_wait(struct image_thread *first)
{
    image = (struct image){.live = true,
                           .memory = &nothing,
                           .functions = &functions,
                           .modules = &no_module,
                           .module_count = 1,
                           .threads = first,
                           .thread_count = 1};
    struct c_library *libc = c_library_create(&image);
    struct thread_stacks *stacks = thread_stacks_create(&image, NULL, c_library_layout(libc));
    assert_true(thread_waits_init(&waits, &image, libc, &none, stacks));
    assert_true(thread_waits_read(&waits));
    thread_stacks_destroy(stacks);
    c_library_destroy(libc);
    return &waits.rows[0];
}

static struct image_thread paused(uint64_t switches, int64_t parked_ns)
{
    return (struct image_thread){.tid = TID,
                                 .parked = true,
                                 .call = SYS_pause,
                                 .switches = switches,
                                 .parked_ns = parked_ns};
}

static void thread_that_stands__is_as_old_as_told(void **state)
{
    (void)state;
    struct image_thread first = as_it_is = paused(7, 5000);
    const struct thread_wait *wait = read_wait(&first);
    assert_true(wait->settled);
    assert_int_equal(wait->look.thread.parked_ns, 5000);
    thread_waits_deinit(&waits);
}

static void thread_that_ran_and_parked_again__is_new(void **state)
{
    (void)state;
    struct image_thread first = paused(6, 5000);
    as_it_is = paused(7, -1);
    const struct thread_wait *wait = read_wait(&first);
    assert_true(wait->settled);
    assert_int_equal(wait->look.thread.parked_ns, 0);
    thread_waits_deinit(&waits);
}

/* Of a process that a signal stopped, the first look reads no switches, and the second does. */
static void thread_whose_switches_were_not_read__has_an_unknown_age(void **state)
{
    (void)state;
    struct image_thread first = paused(0, -1);
    as_it_is = paused(7, -1);
    const struct thread_wait *wait = read_wait(&first);
    assert_true(wait->settled);
    assert_int_equal(wait->look.thread.parked_ns, -1);
    thread_waits_deinit(&waits);
}

/* By its thread pointer, where that is known: a core may have other ids. */
static void thread_of_the_preload_library__is_left_out(void **state)
{
    (void)state;
    struct image_thread threads[] = {
        {.tid = TID}, {.tid = TID + 1}, {.tid = TID + 2, .thread_pointer = 64}, {.tid = TID + 3}};
    static const struct {
        struct preloaded preloaded;
        uint32_t left_out; /* 0: none */
    } cases[] = {
        {{.module = 1}, 0},
        {{.module = 1, .thread_pointer = 64}, 0}, /* it has ended */
        {{.module = 1, .tid = TID + 1, .thread_pointer = 128}, TID + 1},
        {{.module = 1, .tid = TID + 2, .thread_pointer = 128}, 0},
        {{.module = 1, .tid = TID + 9, .thread_pointer = 64}, TID + 2},
    };
    image = (struct image){.threads = threads, .thread_count = 4};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool any = cases[i].left_out != 0;
        assert_true(thread_waits_init(&waits, &image, NULL, &cases[i].preloaded, NULL));
        assert_int_equal(waits.count, any ? 3 : 4);
        for (size_t k = 0; k < waits.count; k++)
            assert_int_not_equal(waits.rows[k].look.thread.tid, cases[i].left_out);
        thread_waits_deinit(&waits);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_that_stands__is_as_old_as_told),
        cmocka_unit_test(thread_that_ran_and_parked_again__is_new),
        cmocka_unit_test(thread_whose_switches_were_not_read__has_an_unknown_age),
        cmocka_unit_test(thread_of_the_preload_library__is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
