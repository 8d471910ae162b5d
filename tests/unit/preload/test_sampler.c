/* What the sampler makes of threads that ended, and of the names of new stacks. */
#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/clock.h"
#include "preload/names.h"
#include "preload/sites.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/sampler_here.h"

/* --- threads that ended ---------------------------------------------------------------------- */

static void *tell_number(void *ret)
{
    *(uint32_t *)ret = (uint32_t)syscall(SYS_gettid);
    return NULL;
}

/* The slot of a joinable thread that has ended, as the sampler has not seen yet. */
static struct rec_task *end_thread(void)
{
    uint32_t number = 0;
    pthread_t thread;
    struct rec_task *task = recorder_spawn(REC_KIND_THREAD, REC_TASK_JOINABLE, 0, 0, "");
    assert_int_equal(pthread_create(&thread, NULL, tell_number, &number), 0);
    pthread_join(thread, NULL);
    task->os_tid = number;
    recorder_end(task);
    return task;
}

/* The kernel forgets a thread a moment after it can be joined. */
static void walk_until_it_is_seen(const struct rec_task *task)
{
    uint64_t until_ns = clock_now_ns() + HERE_LIMIT_S * NS_PER_S;
    do {
        assert_true(clock_now_ns() < until_ns);
        here_sampler_walk();
    } while (task->state != REC_TASK_FINISHED || task->seen_gen != REC_SEEN_FINISHED);
}

static void thread__in_the_slot_of_one_that_was_joined__ended_when_it_did(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    here_sampler_start(false);
    struct rec_task *task = end_thread();
    walk_until_it_is_seen(task);
    recorder_release(task);
    uint64_t before_ns = clock_now_ns();
    assert_ptr_equal(end_thread(), task);
    assert_int_not_equal(task->seen_gen, REC_SEEN_FINISHED); /* until the next look */
    walk_until_it_is_seen(task);
    here_sampler_stop(false);
    assert_true(task->since_ns >= before_ns);
    recorder_release(task);
}

/* --- names --------------------------------------------------------------------------------- */

static uint64_t naming_takes_ns; /* of a processor */
static bool naming_is_broken_off;

static void name_slowly(struct frames_new *frames, uint32_t count)
{
    uint64_t until_ns = clock_own_cpu_ns() + naming_takes_ns;
    (void)frames, (void)count;
    while (clock_own_cpu_ns() < until_ns)
        ;
    if (naming_is_broken_off)
        here_sampler_break_off();
}

static int end_naming(void **state)
{
    names_runtime = NULL;
    naming_takes_ns = 0;
    naming_is_broken_off = false;
    return here_close(state);
}

static void names__of_new_stacks__count_for_the_pause_after_a_walk(void **state)
{
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    names_runtime = name_slowly;
    naming_takes_ns = NS_PER_S / 100;
    assert_int_equal(site_store((uint64_t[]){(uint64_t)&name_slowly + 1}, 1, 0), 1);
    here_sampler_start(false);
    here_sampler_walk();
    uint64_t pause_ns = here_sampler_pause_ns();
    here_sampler_stop(false);
    assert_true(pause_ns >= 19 * naming_takes_ns);
}

/* Of two modules, one is named before somebody waits for the sampler's end. */
static void names__that_were_broken_off__are_found_by_the_next_sampler(void **state)
{
    uint64_t here = (uint64_t)&name_slowly + 1, libc = (uint64_t)dlsym(RTLD_DEFAULT, "getppid") + 1;
    (void)state;
    recorder_thread.task = &recorder_thread.sink;
    names_runtime = name_slowly;
    naming_is_broken_off = true;
    assert_int_equal(site_store((uint64_t[]){here, libc}, 2, 0), 1);
    here_sampler_start(false);
    here_sampler_walk();
    uint32_t named = recorder_rows(REC_TABLE_FRAMES) - 1;
    here_sampler_stop(false);
    naming_is_broken_off = false;
    here_sampler_start(false);
    here_sampler_walk();
    uint32_t named_then = recorder_rows(REC_TABLE_FRAMES) - 1;
    here_sampler_stop(false);
    assert_int_equal(named, 1);
    assert_int_equal(named_then, 2);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)
#define WITH_NAMES(test) cmocka_unit_test_setup_teardown(test, here_open, end_naming)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(thread__in_the_slot_of_one_that_was_joined__ended_when_it_did),
        WITH_NAMES(names__of_new_stacks__count_for_the_pause_after_a_walk),
        WITH_NAMES(names__that_were_broken_off__are_found_by_the_next_sampler),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
