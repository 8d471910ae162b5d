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
    assert_true(thread_waits_init(&waits, &image, libc, stacks));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_that_stands__is_as_old_as_told),
        cmocka_unit_test(thread_that_ran_and_parked_again__is_new),
        cmocka_unit_test(thread_whose_switches_were_not_read__has_an_unknown_age),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
