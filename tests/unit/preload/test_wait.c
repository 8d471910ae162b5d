/* The hand-over of a wait from its task to whoever reads the slot: gen and the other fields belong
 * together, whenever a signal handler comes and parks in between. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "preload/clock.h"
#include "preload/waits.h"
#include "tests/unit/preload/parts.h"
#include "tests/unit/preload/recording_here.h"

/* All fields of a wait that the test publishes follow from its object. */
static uint16_t call_of(uint64_t object)
{
    return (uint16_t)(object * 7);
}

static uint32_t arg_of(uint64_t object)
{
    return (uint32_t)(object * 31 + 5);
}

static uint16_t flags_of(uint64_t object)
{
    return (uint16_t)((object ^ 0x55) &
                      ~(REC_WAIT_RESTORED | REC_WAIT_PASSING | REC_WAIT_PASSING_COUNTED));
}

static bool belongs_together(const struct rec_task *task)
{
    return task->call == call_of(task->object) && task->arg == arg_of(task->object) &&
           (task->wait_flags & ~REC_WAIT_RESTORED) == flags_of(task->object);
}

static void call(void *function)
{
    (*(void (**)(void))function)();
}

static void park(struct rec_task *task, uint64_t object, void (*meanwhile)(void))
{
    const struct parts_wait what = {call_of(object), flags_of(object), arg_of(object), object};
    parts_park(task, &what, meanwhile != NULL ? call : NULL, &meanwhile);
}

static struct rec_task *slot;

static void assert_waits_on(uint64_t object)
{
    assert_int_not_equal(slot->gen, 0);
    assert_int_equal(slot->object, object);
    assert_int_equal(slot->call, call_of(object));
    assert_int_equal(slot->arg, arg_of(object));
    assert_int_equal(slot->wait_flags & ~REC_WAIT_RESTORED, flags_of(object));
}

/* --- without signals
 * ------------------------------------------------------------------------------ */

static uint32_t seen_gen[3];

static void look_inner(void)
{
    assert_waits_on(12);
    seen_gen[1] = slot->gen;
}

static void nest(void)
{
    const struct rec_task before = *slot;
    seen_gen[0] = slot->gen;
    assert_waits_on(11);
    park(slot, 12, look_inner);
    assert_waits_on(11);
    assert_int_equal(slot->gen, before.gen);
    assert_int_equal(slot->cfa, before.cfa);
    assert_int_equal(slot->fp, before.fp);
    park(slot, 13, NULL);
    assert_waits_on(11);
    assert_int_equal(slot->gen, before.gen);
    assert_int_equal(slot->seq, before.seq + 2);
}

static void wait__over__leaves_gen_zero(void **state)
{
    (void)state;
    slot = recorder_self();
    park(slot, 10, NULL);
    assert_int_equal(slot->gen, 0);
    assert_int_equal(slot->seq, 1);
    park(slot, 11, NULL);
    assert_int_equal(slot->gen, 0);
    assert_int_equal(slot->seq, 2);
}

static void wait__inside_a_wait__restores_the_outer_one(void **state)
{
    (void)state;
    slot = recorder_self();
    park(slot, 11, nest);
    assert_int_equal(slot->gen, 0);
    assert_int_not_equal(seen_gen[0], seen_gen[1]);
}

/* A lock that was free: the task waits only once the sampler says so, and of that wait only. */
static void passing_wait__that_the_sampler_knows__is_one(void **state)
{
    (void)state;
    slot = recorder_self();
    park(slot, 10, NULL);
    slot->seen_gen = slot->seq;
    assert_int_equal(rec_task_wait(slot), 0);
    wait_publish_passing(slot, wait_passing(3, 14, 0x1000, 0x2000));
    assert_int_equal(slot->gen, 0);
    assert_int_equal(slot->seq, 1);
    slot->detail_b = rec_passing_key(slot);
    assert_int_equal(rec_task_wait(slot), 0); /* it is the wait before that it knows */
    slot->detail_flags = REC_DETAIL_PASSING;
    slot->seen_gen = 77;
    assert_int_equal(rec_task_wait(slot), 0); /* it was seen asleep once */
    slot->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    assert_int_equal(rec_task_wait(slot), 77);
    assert_true(rec_task_is_seen(slot));
    /* It got the lock, and wants it again. */
    wait_publish_passing(slot, wait_passing(3, 14, 0x1000, 0x2000));
    assert_int_equal(rec_task_wait(slot), 0);
    slot->detail_b = rec_passing_key(slot);
    assert_int_equal(rec_task_wait(slot), 77);
    slot->object = 15;
    assert_int_equal(rec_task_wait(slot), 0);
    slot->object = 14;
    park(slot, 11, nest);
    wait_publish_passing(slot, wait_passing(3, 14, 0x1000, 0x2000));
    assert_int_equal(rec_task_wait(slot), 0);
}

/* A lock that is taken over and over is published once, until something is told of it. */
static void passing_wait__that_is_published__need_not_be_again(void **state)
{
    (void)state;
    const struct passing passing = wait_passing(3, 14, 0x1000, 0x2000);
    const struct passing others[] = {
        wait_passing(4, 14, 0x1000, 0x2000), wait_passing(3, 15, 0x1000, 0x2000),
        wait_passing(3, 14, 0x1010, 0x2000), wait_passing(3, 14, 0x1000, 0x2010)};
    slot = recorder_self();
    wait_publish_passing(slot, passing);
    assert_true(wait_is_published(slot, passing));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        assert_false(wait_is_published(slot, others[i]));
    slot->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    assert_false(wait_is_published(slot, passing));
    slot->detail_flags = 0;
    assert_true(wait_is_published(slot, passing));
    park(slot, 3, NULL); /* the same call, which had to wait */
    assert_false(wait_is_published(slot, passing));
}

/* The numbers of sleeps and of waits may be the same. */
static void wait__with_the_number_of_a_sleep__is_not_known(void **state)
{
    (void)state;
    slot = recorder_self();
    wait_publish_passing(slot, wait_passing(3, 14, 0x1000, 0x2000));
    slot->detail_flags = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    slot->detail_b = rec_passing_key(slot);
    slot->seen_gen = 1;
    struct wait wait;
    wait_begin(&wait, slot, 4, 0, 10, 0);
    assert_int_equal(rec_task_wait(slot), 1);
    assert_false(rec_task_is_seen(slot));
    slot->detail_flags = 0;
    assert_true(rec_task_is_seen(slot));
    wait_end(&wait);
}

static void generation__at_its_end__skips_zero(void **state)
{
    (void)state;
    slot = recorder_self();
    slot->seq = UINT32_MAX - 1;
    park(slot, 1, NULL);
    assert_int_equal(slot->seq, UINT32_MAX);
    park(slot, 12, look_inner);
    assert_int_equal(seen_gen[1], 1);
    slot->seq = UINT32_MAX;
    park(slot, 11, nest);
    assert_int_equal(slot->gen, 0);
}

/* --- a handler at every instruction
 * ---------------------------------------------------------------- */

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define CAN_STEP 1
#define TRAP_FLAG 0x100

/* The processor stops after every instruction of a wait, and the handler looks at the slot as a
 * reader would that comes at that moment. At one of the instructions it parks itself. */
static struct {
    uint32_t instructions; /* so far */
    uint32_t park_at;      /* 0: never */
    uint32_t parked;
    uint32_t torn;       /* instructions at which a reader would see fields of two waits */
    uint32_t torn_alone; /* the same, where gen is also what seq is */
    uint32_t lost;       /* a wait was there before the handler parked, and not after */
    uint32_t spoiled;    /* errno was not what it was */
    volatile uint32_t stop;
    uint32_t warm_up; /* not stepping yet */
    uint32_t changed; /* it was there after, with other fields */
    uint64_t last_object;
} stepping;

#define WAIT_BYTES (offsetof(struct rec_task, runtime_id) - offsetof(struct rec_task, call))

static void on_step(int number, siginfo_t *info, void *context)
{
    (void)number, (void)info;
    if (stepping.stop) {
        ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
        return;
    }
    stepping.instructions++;
    if (slot->gen != 0 && !belongs_together(slot)) {
        stepping.torn++;
        stepping.torn_alone += slot->gen == slot->seq;
    }
    if (stepping.instructions == stepping.park_at) {
        const struct rec_task before = *slot;
        stepping.parked++;
        errno = EADDRINUSE;
        park(slot, 99, NULL);
        stepping.lost += slot->gen != before.gen;
        stepping.spoiled += errno != EADDRINUSE;
        struct rec_task after = *slot;
        after.wait_flags = (uint16_t)((after.wait_flags & ~REC_WAIT_RESTORED) |
                                      (before.wait_flags & REC_WAIT_RESTORED));
        stepping.changed += after.gen != 0 && memcmp(&after.call, &before.call, WAIT_BYTES) != 0;
    }
}

static inline void step_on(void)
{
    stepping.stop = 0;
    if (stepping.warm_up)
        return;
    __asm__ volatile("pushfq; orq %0, (%%rsp); popfq" : : "i"(TRAP_FLAG) : "memory", "cc");
}

/* The handler clears the flag, at the next instruction. */
static inline void step_off(void)
{
    stepping.stop = 1;
}

static void look_at_step(void)
{
    step_off();
    assert_waits_on(42);
    assert_int_not_equal(slot->gen, 0);
    stepping.last_object = slot->object;
    step_on();
}

static void look_at_nested_step(void)
{
    step_off();
    assert_waits_on(43);
    step_on();
}

static void park_inside(void)
{
    park(slot, 43, look_at_nested_step);
    look_at_step();
}

/* Once without, so that the unwinder, which blocks signals to learn, knows these frames; once with
 * a handler that only looks, which counts the instructions; then once for each of them, or for
 * `most_runs` of them. */
static uint32_t step_through(void (*meanwhile)(void), uint32_t most_runs)
{
    uint32_t total = 1, torn = 0, stride = 1;
    for (uint32_t run = 0; run == 0 || (run - 1) * stride <= total; run++) {
        uint32_t at = run == 0 ? 0 : (run - 1) * stride;
        memset(&stepping, 0, sizeof(stepping));
        stepping.warm_up = run == 0;
        stepping.park_at = at;
        step_on();
        park(slot, 42, meanwhile);
        step_off();

        assert_int_equal(slot->gen, 0);
        assert_int_equal(stepping.last_object, 42);
        assert_int_equal(stepping.torn_alone, 0);
        if (run == 0)
            continue;
        if (at == 0) {
            total = stepping.instructions;
            stride = total / most_runs + 1;
            assert_int_equal(stepping.torn, 0);
            assert_in_range(total, 20, 20000);
        } else {
            assert_int_equal(stepping.parked, 1);
            assert_int_equal(stepping.lost, 0);
            assert_int_equal(stepping.changed, 0);
            assert_int_equal(stepping.spoiled, 0);
            torn += stepping.torn > 0;
        }
    }
    print_message("%u instructions, torn for a moment after a handler at %u of them\n", total,
                  torn);
    return torn;
}

static void step(void (*meanwhile)(void), uint32_t most_runs, uint32_t most_torn)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO}, before;
    slot = recorder_self();
    assert_int_equal(sigaction(SIGTRAP, &action, &before), 0);
    uint32_t torn = step_through(meanwhile, most_runs);
    sigaction(SIGTRAP, &before, NULL);
    assert_in_range(torn, 0, most_torn);
}

/* Between the store of a gen and the check of seq that follows it, what a handler left behind may
 * stand under our gen, for the few instructions until the check: seq then differs from gen. That is
 * so only after a handler that came while the fields were being written. */
static void wait__with_a_handler_at_every_instruction__is_never_torn_for_long(void **state)
{
    (void)state;
    step(look_at_step, 1000, 40);
}

static void nested_wait__with_a_handler_at_every_instruction__restores(void **state)
{
    (void)state;
    step(park_inside, 100, 20);
}
#endif

/* --- handlers at any time, and a reader
 * -------------------------------------------------------------- */

enum { WAITS = 50000, HANDLERS = 100, OBJECTS = 1 << 20, MAX_S = 20, CHECKED_NS = 3000 };

/* Which object each generation was published with, as the owner knows it: object + 1. */
static uint64_t published[OBJECTS];
static int over;
static uint32_t handler_waits, errnos_spoiled;

static void publish(void)
{
    uint32_t gen = slot->gen;
    if (gen < OBJECTS)
        __atomic_store_n(&published[gen], slot->object + 1, __ATOMIC_RELEASE);
    for (volatile int i = 0; i < 5000; i++) /* so that a reader may come */
        ;
}

static void on_timer(int number)
{
    static uint64_t next = 1000000000;
    (void)number;
    int error = errno;
    __atomic_fetch_add(&handler_waits, 1, __ATOMIC_RELAXED);
    park(slot, __atomic_add_fetch(&next, 1, __ATOMIC_RELAXED), publish);
    errnos_spoiled += errno != error;
    errno = error;
}

struct reader {
    uint64_t looks, found, torn, wrong;
};

/* What a handler left behind may stand under our gen until the check of seq, some instructions
 * later: seq then differs from gen. What stands there for longer, which is far less than a wait
 * lasts here, nobody mends. */
static bool stays(uint32_t gen, uint32_t seq)
{
    uint64_t until_ns = clock_now_ns() + CHECKED_NS;
    while (clock_now_ns() < until_ns)
        if (__atomic_load_n(&slot->gen, __ATOMIC_ACQUIRE) != gen ||
            __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE) != seq)
            return false;
    return true;
}

/* As the sampler: a gen that was there at the look before, a copy, and gen, seq and id unchanged.
 */
static void *read_slot(void *arg)
{
    struct reader *reader = arg;
    uint32_t before = 0;
    while (!__atomic_load_n(&over, __ATOMIC_ACQUIRE)) {
        uint32_t gen = __atomic_load_n(&slot->gen, __ATOMIC_ACQUIRE);
        bool known = gen == before;
        struct rec_task copy;
        before = gen;
        reader->looks++;
        if (gen == 0 || !known)
            continue;
        copy.seq = __atomic_load_n(&slot->seq, __ATOMIC_RELAXED);
        copy.call = __atomic_load_n(&slot->call, __ATOMIC_RELAXED);
        copy.wait_flags = __atomic_load_n(&slot->wait_flags, __ATOMIC_RELAXED);
        copy.arg = __atomic_load_n(&slot->arg, __ATOMIC_RELAXED);
        copy.object = __atomic_load_n(&slot->object, __ATOMIC_RELAXED);
        uint64_t expected = gen < OBJECTS ? __atomic_load_n(&published[gen], __ATOMIC_ACQUIRE) : 0;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&slot->gen, __ATOMIC_RELAXED) != gen ||
            __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) != copy.seq)
            continue;
        if (gen != copy.seq && !(copy.wait_flags & REC_WAIT_RESTORED))
            continue;
        __atomic_fetch_add(&reader->found, 1, __ATOMIC_RELAXED);
        bool torn = !belongs_together(&copy);
        bool wrong = expected != 0 && expected != copy.object + 1;
        if ((torn || wrong) && (gen == copy.seq || stays(gen, copy.seq))) {
            reader->torn += torn;
            reader->wrong += !torn;
        }
    }
    return NULL;
}

static void start_timer(int signal_number, long period_ns, timer_t *ret)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal_number};
    struct itimerspec times = {.it_value.tv_nsec = period_ns, .it_interval.tv_nsec = period_ns};
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, ret), 0);
    assert_int_equal(timer_settime(*ret, 0, &times, NULL), 0);
}

/* Two timers, whose handlers interrupt the waits and each other. */
static void waits__with_handlers_that_wait__are_read_whole(void **state)
{
    struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
    struct reader reader = {0};
    pthread_t thread;
    timer_t timers[2];
    (void)state;
    slot = recorder_self();
    memset(published, 0, sizeof(published));
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    assert_int_equal(pthread_create(&thread, NULL, read_slot, &reader), 0);
    start_timer(SIGUSR1, 500000, &timers[0]);
    start_timer(SIGUSR2, 710000, &timers[1]);
    uint64_t end_ns = clock_now_ns() + MAX_S * NS_PER_S;
    uint32_t waits = 0;
    /* At least a second's worth, so that handlers come often; on a busy machine, until they have,
     * and the reader has. */
    uint64_t least_ns = clock_now_ns() + NS_PER_S;
    while (clock_now_ns() < end_ns &&
           (waits < WAITS || handler_waits < HANDLERS || clock_now_ns() < least_ns ||
            __atomic_load_n(&reader.found, __ATOMIC_RELAXED) == 0))
        park(slot, ++waits, publish);
    timer_delete(timers[0]);
    timer_delete(timers[1]);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    print_message("%u waits, %u of handlers, %lu looks, %lu waits read\n", waits, handler_waits,
                  (unsigned long)reader.looks, (unsigned long)reader.found);
    assert_int_equal(slot->gen, 0);
#ifndef __SANITIZE_THREAD__
    assert_int_equal(errnos_spoiled, 0);
#endif
    assert_int_equal(reader.torn, 0);
    assert_int_equal(reader.wrong, 0);
    assert_in_range(handler_waits, HANDLERS, UINT32_MAX);
    assert_in_range(reader.found, 1, UINT64_MAX);
}

/* --- handlers that leave by longjmp
 * ------------------------------------------------------------------ */

static sigjmp_buf way_out;

static void leave(void)
{
    siglongjmp(way_out, 1);
}

__attribute__((noinline)) static void park_and_leave(int depth)
{
    volatile char room[256];
    room[0] = (char)depth;
    if (depth > 0)
        park_and_leave(depth - 1);
    else
        park(slot, 50, leave);
    room[1] = room[0];
}

static void look_after_leaving(void)
{
    assert_waits_on(51);
}

static void wait__left_by_longjmp__is_not_restored_by_the_next(void **state)
{
    (void)state;
    slot = recorder_self();
    if (sigsetjmp(way_out, 1) == 0)
        park_and_leave(20);
    assert_int_not_equal(slot->gen, 0); /* nobody could take it back */
    park(slot, 51, look_after_leaving);
    assert_int_equal(slot->gen, 0);
}

/* The frame that the wait was in is there again, for another one. */
static void wait__left_by_longjmp__is_not_restored_by_the_next_at_its_place(void **state)
{
    (void)state;
    slot = recorder_self();
    if (sigsetjmp(way_out, 1) == 0)
        park(slot, 50, leave);
    assert_int_not_equal(slot->gen, 0);
    park(slot, 51, look_after_leaving);
    assert_int_equal(slot->gen, 0);
}

/* Where the frame was that the wait was in, there is one of the program's, which waits itself. */
__attribute__((noinline)) static void park_inside_a_frame(struct rec_task *task,
                                                          const struct parts_wait *what,
                                                          void (*meanwhile)(void *), void *arg)
{
    assert_int_equal(task->cfa, (uint64_t)__builtin_dwarf_cfa());
    parts_park(task, what, meanwhile, arg);
    assert_int_equal(task->gen, 0);
}

/* Both are called from one place, so that their frames begin at the same place. */
static void wait__left_by_longjmp__is_not_restored_inside_a_frame_at_its_place(void **state)
{
    static void (*const ways[])(struct rec_task *, const struct parts_wait *, void (*)(void *),
                                void *) = {parts_park, park_inside_a_frame};
    static void (*const meanwhile[])(void) = {leave, look_after_leaving};
    (void)state;
    slot = recorder_self();
    for (volatile uint64_t i = 0; i < 2; i++) {
        uint64_t object = 50 + i;
        const struct parts_wait what = {call_of(object), flags_of(object), arg_of(object), object};
        if (sigsetjmp(way_out, 1) == 0)
            ways[i](slot, &what, call, (void *)(uintptr_t)&meanwhile[i]);
        assert_int_equal(slot->gen != 0, i == 0);
    }
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_RECORDING(wait__over__leaves_gen_zero),
        WITH_RECORDING(wait__inside_a_wait__restores_the_outer_one),
        WITH_RECORDING(passing_wait__that_the_sampler_knows__is_one),
        WITH_RECORDING(passing_wait__that_is_published__need_not_be_again),
        WITH_RECORDING(wait__with_the_number_of_a_sleep__is_not_known),
        WITH_RECORDING(generation__at_its_end__skips_zero),
#ifdef CAN_STEP
        WITH_RECORDING(wait__with_a_handler_at_every_instruction__is_never_torn_for_long),
        WITH_RECORDING(nested_wait__with_a_handler_at_every_instruction__restores),
#endif
        WITH_RECORDING(waits__with_handlers_that_wait__are_read_whole),
        WITH_RECORDING(wait__left_by_longjmp__is_not_restored_by_the_next),
        WITH_RECORDING(wait__left_by_longjmp__is_not_restored_by_the_next_at_its_place),
        WITH_RECORDING(wait__left_by_longjmp__is_not_restored_inside_a_frame_at_its_place),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
