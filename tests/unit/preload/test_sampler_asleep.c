/* What the sampler makes of threads asleep in calls that nobody publishes. */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/asleep.h"
#include "preload/blocked.h"
#include "preload/clock.h"
#include "tests/unit/preload/locking_here.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/sampler_here.h"

static pthread_t asker;

static int empty[2]; /* a pipe */

static long (*reads)(int fd, void *to, size_t bytes);

/* Takes a free lock, and then sleeps in a call that has no hook here. */
static void *take_lock_and_read(void *unused)
{
    char byte;
    here_slot = recorder_self();
    here_lock(0);
    while (reads(empty[0], &byte, 1) == 1 && byte != 'e') {
        here_lock(0);
        __atomic_store_n(&here_asked, 2, __ATOMIC_RELEASE);
    }
    return unused;
}

static void wait_until_it_reads(void)
{
    struct blocked_call call;
    uint64_t until_ns = clock_now_ns() + HERE_LIMIT_S * NS_PER_S;
    while (__atomic_load_n(&here_asked, __ATOMIC_ACQUIRE) == 0 ||
           !blocked_call(OWN_PROCESS, here_slot->os_tid, &call) || call.running ||
           call.number != SYS_read) {
        assert_true(clock_now_ns() < until_ns);
        sched_yield();
    }
}

static void start_reader_by(long (*how)(int fd, void *to, size_t bytes))
{
    reads = how;
    asleep_init((const void *)pthread_mutex_lock);
    recorder_thread.task = &recorder_thread.sink; /* the test itself is no part of it */
    assert_int_equal(pipe(empty), 0);
    here_sampler_start(false);
    here_asked = 0;
    assert_int_equal(pthread_create(&asker, NULL, take_lock_and_read, NULL), 0);
    wait_until_it_reads();
}

static void start_reader(void)
{
    start_reader_by(read);
}

/* A call without libc, of one of these libraries. */
static void start_bare_reader(const char *path)
{
    long (*how)(int fd, void *to, size_t bytes) = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_NODELETE);
    assert_non_null(library);
    *(void **)&how = dlsym(library, "fixture_read");
    assert_non_null(how);
    dlclose(library);
    start_reader_by(how);
}

static void end_reader(void)
{
    here_sampler_stop(false);
    assert_int_equal(write(empty[1], "e", 1), 1);
    pthread_join(asker, NULL);
    close(empty[0]);
    close(empty[1]);
}

static const struct rec_asleep *told_of_slot(void)
{
    return &recorder.asleep[here_slot - recorder.tasks];
}

static void thread_asleep__is_told_at_the_second_look_with_what_it_sleeps_in(void **state)
{
    (void)state;
    start_reader();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(here_slot), 0);
    uint64_t first_ns = here_slot->since_ns;
    here_sampler_walk();
    const struct rec_asleep *told = told_of_slot();
    assert_int_equal(rec_task_wait(here_slot), blocked_sleeps(OWN_PROCESS, here_slot->os_tid));
    assert_int_equal(told->wait, rec_task_wait(here_slot));
    assert_int_equal(told->task, here_slot->id);
    assert_int_equal(told->object, empty[0]);
    assert_int_equal(recorder.calls[told->call].op, REC_OP_IO_WAIT);
    assert_true(here_slot->since_ns == first_ns);
    assert_true(here_slot->wait_site != 0);
    here_sampler_walk();
    assert_true(here_slot->since_ns == first_ns);
    end_reader();
}

/* It sleeps in the same call again, having published just what it had published before. */
static void thread_asleep__that_went_on__is_told_no_longer(void **state)
{
    (void)state;
    start_reader();
    here_sampler_walk();
    here_sampler_walk();
    uint32_t before = rec_task_wait(here_slot);
    uint64_t first_ns = here_slot->since_ns;
    assert_true(before != 0);
    assert_int_equal(write(empty[1], "x", 1), 1);
    while (__atomic_load_n(&here_asked, __ATOMIC_ACQUIRE) != 2)
        sched_yield();
    assert_int_equal(rec_task_wait(here_slot), 0); /* by the lock that it took */
    wait_until_it_reads();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(here_slot), 0);
    here_sampler_walk();
    assert_true(rec_task_wait(here_slot) != 0 && rec_task_wait(here_slot) != before);
    assert_true(here_slot->since_ns > first_ns);
    end_reader();
}

/* Its here_slot has no row for that, or there is no memory behind it: it is not read either. */
static void thread_asleep__without_room_for_what_it_sleeps_in__is_not_told(void **state)
{
    (void)state;
    struct rec_table *table = &recorder.header->tables[REC_TABLE_ASLEEP - 1];
    struct rec_asleep *rows = recorder.asleep;
    uint64_t capacity = table->capacity;
    start_reader();
    table->capacity = 0;
    recorder.asleep = mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(recorder.asleep, MAP_FAILED);
    for (int i = 0; i < 4; i++) {
        here_sampler_walk();
        assert_int_equal(rec_task_wait(here_slot), 0);
    }
    munmap(recorder.asleep, 1 << 20);
    recorder.asleep = rows;
    table->capacity = capacity;
    end_reader();
}

static void thread_asleep__where_a_part_of_the_waits_is_recorded__is_not_told(void **state)
{
    (void)state;
    uint32_t classes = recorder_options.classes;
    recorder_options.classes = REC_CLASS_ALL & ~(uint32_t)REC_CLASS_SLEEP;
    start_reader();
    here_sampler_walk();
    here_sampler_walk();
    assert_int_equal(rec_task_wait(here_slot), 0);
    recorder_options.classes = classes;
    end_reader();
}

static void thread_asleep__in_a_call_without_libc__is_told(void **state)
{
    (void)state;
    start_bare_reader(FIXTURE_BARE);
    here_sampler_walk();
    here_sampler_walk();
    const struct rec_asleep *told = told_of_slot();
    assert_true(rec_task_wait(here_slot) != 0);
    assert_int_equal(told->wait, rec_task_wait(here_slot));
    assert_int_equal(told->object, empty[0]);
    assert_int_equal(recorder.calls[told->call].op, REC_OP_IO_WAIT);
    assert_true(here_slot->wait_site != 0);
    end_reader();
}

/* So do its threads that have no goroutine to run. */
static void thread_asleep__in_a_library_of_go__is_not_told(void **state)
{
    (void)state;
    start_bare_reader(FIXTURE_BARE_GO);
    for (int walks = 0; walks < 3; walks++) /* what it knows of the library it keeps */
        here_sampler_walk();
    assert_int_equal(rec_task_wait(here_slot), 0);
    end_reader();
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(thread_asleep__is_told_at_the_second_look_with_what_it_sleeps_in),
        WITH_RECORDING(thread_asleep__that_went_on__is_told_no_longer),
        WITH_RECORDING(thread_asleep__without_room_for_what_it_sleeps_in__is_not_told),
        WITH_RECORDING(thread_asleep__where_a_part_of_the_waits_is_recorded__is_not_told),
        WITH_RECORDING(thread_asleep__in_a_call_without_libc__is_told),
        WITH_RECORDING(thread_asleep__in_a_library_of_go__is_not_told),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
