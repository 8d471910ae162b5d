/* Stacks, of the calling thread and of parked ones, whatever the published registers say. */
#include <alloca.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "preload/arch.h"
#include "preload/modules.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/random.h"

static struct unwind_stack stack;

/* As a wrapper does it: from its own caller on. Who asks for its frame address has a frame. */
__attribute__((noinline)) static void take_own(void)
{
    unwind_own((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_dwarf_cfa(),
               *(const uint64_t *)__builtin_frame_address(0), 0, 0, NULL, &stack);
}

#define MARK __asm__ volatile("" ::: "memory") /* no tail call */

/* Each level is a frame of the same call: through a pointer, since GCC would put several levels
 * into one frame where it optimizes most. */
static void recurse(int depth);
static void (*volatile recurse_deeper)(int depth) = recurse;

__attribute__((noinline)) static void recurse(int depth)
{
    if (depth > 0)
        recurse_deeper(depth - 1);
    else
        take_own();
    MARK;
}

static void deep_stack__unwound__is_cut(void **state)
{
    (void)state;
    recurse(10000);
    assert_int_equal(stack.count, UNWIND_MAX_FRAMES);
    assert_int_equal(stack.flags, REC_SITE_CUT);
    assert_int_equal(stack.pcs[3], stack.pcs[2]); /* the same call, again and again */
}

static void *thread_of_five(void *arg)
{
    (void)arg;
    recurse(5);
    return NULL;
}

static void whole_stack__unwound__ends_where_the_thread_began(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, thread_of_five, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(stack.flags, 0);
    assert_in_range(stack.count, 8, 14);
    for (int i = 2; i <= 5; i++)
        assert_int_equal(stack.pcs[i], stack.pcs[1]);
}

/* A frame whose size is known at run time only, around one that is realigned. */
__attribute__((noinline)) static void aligned(void)
{
    _Alignas(128) volatile char room[256];
    room[0] = 1;
    take_own();
    room[1] = room[0];
}

/* Both in one: GCC notes where the caller's stack pointer was in the frame itself. */
__attribute__((noinline)) static void aligned_and_sized_by(size_t bytes)
{
    _Alignas(64) volatile char room[64];
    volatile char *more = alloca(bytes);
    room[0] = more[0] = 1;
    aligned();
    more[1] = room[0];
}

/* Its caller is found by its own stack pointer; with another, what is in `room`. */
__attribute__((noinline)) static void plain(size_t bytes)
{
    volatile char room[104];
    for (size_t i = 0; i < sizeof(room); i++)
        room[i] = 'M';
    aligned_and_sized_by(bytes);
    room[1] = room[0];
}

__attribute__((noinline)) static void sized_by(size_t bytes)
{
    volatile char *room = alloca(bytes);
    room[0] = 1;
    plain(bytes + 48);
    room[1] = room[0];
}

static void *hard_frames(void *arg)
{
    struct module_range module;
    (void)arg;
    sized_by(100);
    size_t count = stack.count;
    uint64_t outer = stack.pcs[count - 1];
    sized_by(5000);
    if (stack.flags != 0 || stack.count != count || stack.pcs[count - 1] != outer)
        return here_complaint("another stack");
    for (size_t i = 0; i < count; i++)
        if (!module_find(stack.pcs[i], &module))
            return here_complaint("a frame that is none");
    return NULL;
}

static void frames_of_any_size__unwound__are_passed(void **state)
{
    pthread_t thread;
    void *complaint;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, hard_frames, NULL), 0);
    pthread_join(thread, &complaint);
    here_assert_none(complaint);
}

/* --- parked threads ------------------------------------------------------------------------------
 */

struct parked {
    sem_t ready, go;
    uint64_t cfa, fp;
};

__attribute__((noinline)) static void park(struct parked *parked)
{
    parked->cfa = (uint64_t)__builtin_dwarf_cfa();
    parked->fp = (uint64_t)__builtin_frame_address(0);
    sem_post(&parked->ready);
    while (sem_wait(&parked->go) != 0)
        ;
}

static void park_below(struct parked *parked, int depth);
static void (*volatile park_deeper)(struct parked *parked, int depth) = park_below;

__attribute__((noinline)) static void park_below(struct parked *parked, int depth)
{
    if (depth > 0)
        park_deeper(parked, depth - 1);
    else
        park(parked);
    MARK;
}

static void *park_thread(void *arg)
{
    park_below(arg, 6);
    return NULL;
}

static void parked_thread__unwound_by_another__shows_its_frames(void **state)
{
    struct parked parked;
    pthread_t thread;
    (void)state;
    sem_init(&parked.ready, 0, 0);
    sem_init(&parked.go, 0, 0);
    assert_int_equal(pthread_create(&thread, NULL, park_thread, &parked), 0);
    while (sem_wait(&parked.ready) != 0)
        ;
    unwind_parked(parked.cfa, parked.fp, &stack);
    sem_post(&parked.go);
    pthread_join(thread, NULL);
    assert_int_equal(stack.flags, 0);
    assert_in_range(stack.count, 9, 14);
    for (int i = 2; i <= 6; i++)
        assert_int_equal(stack.pcs[i], stack.pcs[1]);
}

static void garbage__unwound__does_no_harm(void **state)
{
    uint64_t seed = 88172645463325252ULL, words[256];
    size_t broken = 0;
    (void)state;
    for (int i = 0; i < 100000; i++) {
        uint64_t random = next_random(&seed);
        uint64_t fp = i % 4 == 0 ? random : (uint64_t)&words[random % 250];
        words[random % 256] = i % 3 == 0 ? random >> 17 : (uint64_t)&words[(random >> 8) % 256];
        unwind_parked(i % 2 == 0 ? fp + 16 : random, fp, &stack);
        assert_in_range(stack.count, 0, UNWIND_MAX_FRAMES);
        broken += (stack.flags & REC_SITE_BROKEN) != 0;
    }
    assert_in_range(broken, 1, 100000);
}

/* --- modules
 * -------------------------------------------------------------------------------------- */

static void address__of_a_file__is_recorded_with_its_module_once(void **state)
{
    struct module_range range;
    int local;
    (void)state;
    uint64_t here = (uint64_t)&recurse;
    assert_true(module_find(here, &range));
    assert_in_range(here, range.start, range.end - 1);
    assert_int_not_equal(range.eh_frame_hdr, 0);
    assert_false(module_find((uint64_t)&local, &range));
    unwind_lock();
    uint32_t row = module_record(here), again = module_record(here + 1);
    uint32_t none = module_record((uint64_t)&local), other = module_record((uint64_t)&module_find);
    bool gone = module_sweep();
    unwind_unlock();
    assert_int_not_equal(row, 0);
    assert_int_equal(again, row);
    assert_int_equal(none, 0);
    assert_int_not_equal(other, row);
    assert_false(gone);
    assert_string_equal(recorder.strings + recorder.modules[row].path,
                        recorder.strings + recorder.header->exe);
    assert_int_equal(recorder.modules[row].unloaded_epoch, 0);
}

static bool blocks(int number)
{
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    return sigismember(&blocked, number) == 1;
}

static void *fork_meanwhile(void *unused)
{
    sigset_t one;
    (void)unused;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL); /* the one that made it had them blocked */
    unwind_before_fork();
    if (recorder_thread.inside)
        return here_complaint("it has a lock that another fork has");
    if (!blocks(SIGUSR1))
        return here_complaint("a handler may run in the child");
    unwind_after_fork(false);
    return blocks(SIGUSR1) ? here_complaint("signals stay blocked") : NULL;
}

static void fork__that_waits_for_another_one__goes_on_with_signals_blocked(void **state)
{
    pthread_t thread;
    void *complaint;
    (void)state;
    unwind_before_fork();
    assert_true(recorder_thread.inside);
    assert_int_equal(pthread_create(&thread, NULL, fork_meanwhile, NULL), 0);
    assert_int_equal(pthread_join(thread, &complaint), 0);
    assert_true(blocks(SIGUSR1));
    unwind_after_fork(false);
    assert_false(blocks(SIGUSR1));
    here_assert_none(complaint);
    assert_true(unwind_lock());
    unwind_unlock();
}

/* A handler of a fork that forks, and what it does meanwhile. */
static void fork__in_a_handler_of_another_one__leaves_it_as_it_was(void **state)
{
    (void)state;
    unwind_before_fork();
    assert_true(recorder_thread.inside);
    unwind_before_fork();
    assert_false(unwind_lock());
    unwind_after_fork(false);
    assert_true(recorder_thread.inside);
    assert_true(blocks(SIGUSR1));
    unwind_after_fork(false);
    assert_false(recorder_thread.inside);
    assert_false(blocks(SIGUSR1));
    assert_true(unwind_lock());
    unwind_unlock();
}

static void fork_child__of_a_handler_of_another_fork__has_nothing_to_give_back(void **state)
{
    (void)state;
    unwind_before_fork();
    unwind_before_fork();
    unwind_after_fork(true);
    assert_false(recorder_thread.inside);
    assert_false(blocks(SIGUSR1));
    unwind_after_fork(false);
    assert_false(blocks(SIGUSR1));
    assert_true(unwind_lock());
    unwind_unlock();
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(deep_stack__unwound__is_cut),
        WITH_RECORDING(whole_stack__unwound__ends_where_the_thread_began),
        WITH_RECORDING(frames_of_any_size__unwound__are_passed),
        WITH_RECORDING(parked_thread__unwound_by_another__shows_its_frames),
        WITH_RECORDING(garbage__unwound__does_no_harm),
        WITH_RECORDING(address__of_a_file__is_recorded_with_its_module_once),
        WITH_RECORDING(fork__that_waits_for_another_one__goes_on_with_signals_blocked),
        WITH_RECORDING(fork__in_a_handler_of_another_one__leaves_it_as_it_was),
        WITH_RECORDING(fork_child__of_a_handler_of_another_fork__has_nothing_to_give_back),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
