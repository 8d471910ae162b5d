/* The hand-over of a wait from its task to whoever reads the slot: gen and the other fields belong
 * together, whenever a signal handler comes and parks in between. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "preload/clock.h"
#include "tests/unit/preload/recording_here.h"
#include "tests/unit/preload/waiting_here.h"

/* --- a handler at every instruction ----------------------------------------------------------- */

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
    if (here_slot->gen != 0 && !here_belongs_together(here_slot)) {
        stepping.torn++;
        stepping.torn_alone += here_slot->gen == here_slot->seq;
    }
    if (stepping.instructions == stepping.park_at) {
        const struct rec_task before = *here_slot;
        stepping.parked++;
        errno = EADDRINUSE;
        here_park(here_slot, 99, NULL);
        stepping.lost += here_slot->gen != before.gen;
        stepping.spoiled += errno != EADDRINUSE;
        struct rec_task after = *here_slot;
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
    here_assert_waits_on(42);
    assert_int_not_equal(here_slot->gen, 0);
    stepping.last_object = here_slot->object;
    step_on();
}

static void look_at_nested_step(void)
{
    step_off();
    here_assert_waits_on(43);
    step_on();
}

static void park_inside(void)
{
    here_park(here_slot, 43, look_at_nested_step);
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
        here_park(here_slot, 42, meanwhile);
        step_off();

        assert_int_equal(here_slot->gen, 0);
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
    here_slot = recorder_self();
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

/* --- handlers at any time, and a reader ------------------------------------------------------- */

enum { WAITS = 50000, HANDLERS = 100, OBJECTS = 1 << 20, MAX_S = 20, CHECKED_NS = 3000 };

/* Which object each generation was published with, as the owner knows it: object + 1. */
static uint64_t published[OBJECTS];
static int over;
static uint32_t handler_waits, errnos_spoiled;

static void publish(void)
{
    uint32_t gen = here_slot->gen;
    if (gen < OBJECTS)
        __atomic_store_n(&published[gen], here_slot->object + 1, __ATOMIC_RELEASE);
    for (volatile int i = 0; i < 5000; i++) /* so that a reader may come */
        ;
}

static void on_timer(int number)
{
    static uint64_t next = 1000000000;
    (void)number;
    int error = errno;
    __atomic_fetch_add(&handler_waits, 1, __ATOMIC_RELAXED);
    here_park(here_slot, __atomic_add_fetch(&next, 1, __ATOMIC_RELAXED), publish);
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
        if (__atomic_load_n(&here_slot->gen, __ATOMIC_ACQUIRE) != gen ||
            __atomic_load_n(&here_slot->seq, __ATOMIC_ACQUIRE) != seq)
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
        uint32_t gen = __atomic_load_n(&here_slot->gen, __ATOMIC_ACQUIRE);
        bool known = gen == before;
        struct rec_task copy;
        before = gen;
        reader->looks++;
        if (gen == 0 || !known)
            continue;
        copy.seq = __atomic_load_n(&here_slot->seq, __ATOMIC_RELAXED);
        copy.call = __atomic_load_n(&here_slot->call, __ATOMIC_RELAXED);
        copy.wait_flags = __atomic_load_n(&here_slot->wait_flags, __ATOMIC_RELAXED);
        copy.arg = __atomic_load_n(&here_slot->arg, __ATOMIC_RELAXED);
        copy.object = __atomic_load_n(&here_slot->object, __ATOMIC_RELAXED);
        uint64_t expected = gen < OBJECTS ? __atomic_load_n(&published[gen], __ATOMIC_ACQUIRE) : 0;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&here_slot->gen, __ATOMIC_RELAXED) != gen ||
            __atomic_load_n(&here_slot->seq, __ATOMIC_RELAXED) != copy.seq)
            continue;
        if (gen != copy.seq && !(copy.wait_flags & REC_WAIT_RESTORED))
            continue;
        __atomic_fetch_add(&reader->found, 1, __ATOMIC_RELAXED);
        bool torn = !here_belongs_together(&copy);
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
    here_slot = recorder_self();
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
        here_park(here_slot, ++waits, publish);
    timer_delete(timers[0]);
    timer_delete(timers[1]);
    __atomic_store_n(&over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    print_message("%u waits, %u of handlers, %lu looks, %lu waits read\n", waits, handler_waits,
                  (unsigned long)reader.looks, (unsigned long)reader.found);
    assert_int_equal(here_slot->gen, 0);
#ifndef __SANITIZE_THREAD__
    assert_int_equal(errnos_spoiled, 0);
#endif
    assert_int_equal(reader.torn, 0);
    assert_int_equal(reader.wrong, 0);
    assert_in_range(handler_waits, HANDLERS, UINT32_MAX);
    assert_in_range(reader.found, 1, UINT64_MAX);
}

#define WITH_RECORDING(test) cmocka_unit_test_setup_teardown(test, here_open, here_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef CAN_STEP
        WITH_RECORDING(wait__with_a_handler_at_every_instruction__is_never_torn_for_long),
        WITH_RECORDING(nested_wait__with_a_handler_at_every_instruction__restores),
#endif
        WITH_RECORDING(waits__with_handlers_that_wait__are_read_whole),
    };
    return cmocka_run_group_tests(tests, here_start, here_stop);
}
