/* The sampler's thread: started, stopped and given what it stands on without libc's help. */
#include "preload/sampler_thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>

#include "preload/arch.h"
#include "preload/clock.h"
#include "preload/credentials.h"
#include "preload/memory.h"
#include "preload/recorder.h"
#include "preload/sampler.h"
#include "preload/sampler_tls.h"
#include "preload/signals.h"
#include "preload/sys.h"

#define STACK_BYTES (128U << 10)
#define LAST_WALK_MS 200 /* that an exit waits for the last walk at most */
#define MAX_MOMENTS 5000 /* of 20 us and more each */

enum turn { TURN_FREE, TURN_TAKEN, TURN_AWAITED };

/* Whoever starts or stops the sampler has it, with all signals blocked. */
static uint32_t busy;    /* enum turn */
static uint32_t stopped; /* calls that want it stopped, and have not returned */

static uint32_t left_files; /* the sampler has closed its copies of the program's descriptors */
static bool is_last;        /* there shall be no other one */

static bool left_alone; /* the program changed its credentials, and the sampler did not */

static uint32_t running;     /* 1 from the start of the thread to its end */
static uint32_t stopping;    /* futex; enum sampler_stop */
static int last_status;      /* of a thread that left without libc; else 0 */
static uint32_t tid;         /* cleared and woken by the kernel when the thread is gone */
static uint32_t started_tid; /* of the last one; 0: it is certain that it is gone */
static char *memory;         /* stack and thread-local storage */
static char *thread_pointer; /* the sampler's */

/* Which thread is none of the program's, for those who look at the process or a core of it without
 * a recording (analyzer/inspect/preloaded.c). */
#define EXPORT_AS(name) __attribute__((visibility("default"), alias(#name)))
extern uint32_t leakspy_sampler_tid EXPORT_AS(tid);
extern char *leakspy_sampler_thread_pointer EXPORT_AS(thread_pointer);

enum sampler_stop sampler_asked(void)
{
    return (enum sampler_stop)__atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
}

enum sampler_stop sampler_rest(uint64_t pause_ns)
{
    struct timespec pause = {.tv_sec = (time_t)(pause_ns / NS_PER_S),
                             .tv_nsec = (long)(pause_ns % NS_PER_S)};
    enum sampler_stop asked = sampler_asked();
    if (asked == SAMPLER_GO_ON || asked == SAMPLER_WATCH_END)
        sys_call(SYS_futex, &stopping, FUTEX_WAIT_PRIVATE, asked, &pause);
    return sampler_asked();
}

static long start_thread(char *stack_top, char *tls)
{
    long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = (long)&tid;
    register long r8 __asm__("r8") = (long)tls;
    register int (*r9)(void) __asm__("r9") = sampler_run;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     ".cfi_remember_state\n\t"
                     ".cfi_undefined %%rip\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "callq *%%r9\n\t"
                     "movl %%eax, %%edi\n\t"
                     "movl %[exit], %%eax\n\t"
                     "syscall\n\t"
                     ".cfi_restore_state\n"
                     "1:"
                     : "=a"(result)
                     : "a"(SYS_clone), "D"(flags), "S"(stack_top), "d"(&tid), "r"(r10), "r"(r8),
                       "r"(r9), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory");
    return result;
#else
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = flags;
    register long x1 __asm__("x1") = (long)stack_top;
    register long x2 __asm__("x2") = (long)&tid;
    register long x3 __asm__("x3") = (long)tls;
    register long x4 __asm__("x4") = (long)&tid;
    register int (*x5)(void) __asm__("x5") = sampler_run;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, 0\n\t"
                     "blr x5\n\t"
                     "mov x8, %[exit]\n\t"
                     "svc 0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), [exit] "i"(SYS_exit)
                     : "memory", "x30");
    return x0;
#endif
}

static uint64_t take_turn(void)
{
    uint64_t before = signals_block();
    uint32_t was = TURN_FREE;
    if (!__atomic_compare_exchange_n(&busy, &was, TURN_TAKEN, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        while (__atomic_exchange_n(&busy, TURN_AWAITED, __ATOMIC_ACQUIRE) != TURN_FREE)
            sys_call(SYS_futex, &busy, FUTEX_WAIT_PRIVATE, TURN_AWAITED, 0);
    return before;
}

static void end_turn(uint64_t before)
{
    if (__atomic_exchange_n(&busy, TURN_FREE, __ATOMIC_RELEASE) == TURN_AWAITED)
        sys_call(SYS_futex, &busy, FUTEX_WAKE_PRIVATE, 1);
    signals_restore(before);
}

/* Whether there is a sampler, or one that has ended and is not to be had again: where it may not
 * look any more, it ends by itself. One that was told to stop, and did so after nobody waited for
 * it any longer, does not count. */
static bool has_sampler(void)
{
    return __atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0 &&
           !(__atomic_load_n(&tid, __ATOMIC_ACQUIRE) == 0 && sampler_asked() == SAMPLER_STOP_NOW);
}

/* With the turn. */
static void start_sampler(void)
{
    if (recorder.header == NULL || stopped > 0 || is_last || has_sampler())
        return;
    if (memory == NULL)
        memory = memory_reserve_unforked(STACK_BYTES + sampler_tls_bytes() + 8192);
    if (memory == NULL)
        return;
    credentials_forget();
    __atomic_store_n(&left_files, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&left_alone, false, __ATOMIC_RELAXED);
    __atomic_store_n(&tid, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&stopping, SAMPLER_GO_ON, __ATOMIC_RELEASE);
    __atomic_store_n(&running, 1, __ATOMIC_RELEASE);
    thread_pointer = sampler_tls_make(memory + STACK_BYTES);
    long started = start_thread(memory + STACK_BYTES, thread_pointer);
    if (started >= 0) {
        started_tid = (uint32_t)started;
        return;
    }
    __atomic_store_n(&tid, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&running, 0, __ATOMIC_RELEASE); /* whoever makes a thread tries again */
}

void sampler_ensure(void)
{
    if (recorder.header == NULL || recorder_quiet || !sampler_tls_is_known() || has_sampler())
        return;
    uint64_t before = take_turn();
    start_sampler();
    end_turn(before);
}

/* Tells the sampler to end, and waits until the kernel has forgotten it, `within` at most. False:
 * it still runs. With the turn. */
static bool stop_sampler(enum sampler_stop how, const struct timespec *within)
{
    uint32_t value;
    if (__atomic_load_n(&running, __ATOMIC_ACQUIRE) == 0)
        return true;
    __atomic_store_n(&stopping, how, __ATOMIC_RELEASE);
    sys_call(SYS_futex, &stopping, FUTEX_WAKE_PRIVATE, 1);
    /* The kernel's wake-up is a shared one, and so is the wait for it. */
    while ((value = __atomic_load_n(&tid, __ATOMIC_ACQUIRE)) != 0)
        if (sys_call(SYS_futex, &tid, FUTEX_WAIT, value, within) == -ETIMEDOUT)
            return false;
    __atomic_store_n(&running, 0, __ATOMIC_RELEASE);
    return true;
}

/* A child that nobody told us of: the sampler, and whatever is under way with it, is its parent's.
 */
static bool is_parents(void)
{
    return recorder.header == NULL || (uint32_t)sys_call(SYS_getpid, 0) != recorder.header->pid;
}

/* Long enough for another thread to go on. */
static void wait_a_moment(void)
{
    static const struct timespec moment = {.tv_nsec = 20000};
    static const uint32_t never = 0;
    sys_call(SYS_futex, &never, FUTEX_WAIT_PRIVATE, 0, &moment);
}

void sampler_has_left_files(void)
{
    __atomic_store_n(&left_files, 1, __ATOMIC_RELEASE);
}

void sampler_start_last(void)
{
    if (is_parents())
        return;
    sampler_ensure();
    uint64_t before = take_turn();
    for (int tries = 0; tries < MAX_MOMENTS && __atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0 &&
                        __atomic_load_n(&left_files, __ATOMIC_ACQUIRE) == 0;
         tries++)
        wait_a_moment();
    is_last = running != 0;
    end_turn(before);
}

/* The kernel clears `tid` when the thread has let go of the memory. It counts the thread until a
 * moment later, when it does not know its number any more. */
static void await_uncounted(void)
{
    for (int tries = 0; tries < MAX_MOMENTS; tries++) {
        if (sys_call(SYS_tgkill, recorder.header->pid, started_tid, 0) != 0)
            return;
        wait_a_moment();
    }
}

static bool stop_now(const struct timespec *within)
{
    if (!stop_sampler(SAMPLER_STOP_NOW, within))
        return false;
    if (started_tid != 0)
        await_uncounted();
    started_tid = 0;
    return true;
}

/* It takes its time where the kernel has it wait for a slow disk, to which a recording is written.
 * So much of that is waited for, however often this is asked meanwhile. */
#define PATIENCE_NS NS_PER_S

bool sampler_end_for_now(void)
{
    static uint64_t asked_ns; /* with the turn */
    if (is_parents())
        return false;
    uint64_t before = take_turn();
    bool ends = running != 0 && !is_last;
    if (ends) {
        uint64_t now_ns = clock_now_ns();
        if (!sampler_is_ending())
            asked_ns = now_ns;
        uint64_t passed_ns = now_ns - asked_ns;
        uint64_t left_ns = passed_ns < PATIENCE_NS ? PATIENCE_NS - passed_ns : 0;
        stop_now(&(struct timespec){.tv_sec = (time_t)(left_ns / NS_PER_S),
                                    .tv_nsec = (long)(left_ns % NS_PER_S)});
    }
    end_turn(before);
    return ends;
}

bool sampler_is_ending(void)
{
    return __atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0 &&
           sampler_asked() == SAMPLER_STOP_NOW && __atomic_load_n(&tid, __ATOMIC_ACQUIRE) != 0;
}

bool sampler_stop(void)
{
    static const struct timespec within = {.tv_sec = 1};
    if (is_parents())
        return false;
    uint64_t before = take_turn();
    bool ran = running != 0 || stopped > 0;
    if (ran)
        stopped++;
    stop_now(&within);
    end_turn(before);
    return ran;
}

void sampler_go_on(void)
{
    if (is_parents())
        return;
    uint64_t before = take_turn();
    if (stopped > 0 && --stopped == 0 && !recorder_quiet)
        start_sampler();
    end_turn(before);
}

enum sampler_change sampler_before_change(bool undone)
{
    if (undone) {
        __atomic_store_n(&left_alone, true, __ATOMIC_RELAXED);
        return SAMPLER_LEFT_ALONE;
    }
    return sampler_stop() ? SAMPLER_STOPPED : SAMPLER_UNTOUCHED;
}

/* Another thread may have changed the rest: only together they gave it up. */
void sampler_after_change(enum sampler_change change)
{
    if (change == SAMPLER_LEFT_ALONE && !recorder_quiet &&
        !credentials_have_way_back(CREDENTIALS_KEPT, CREDENTIALS_KEPT) && sampler_stop())
        change = SAMPLER_STOPPED;
    if (change == SAMPLER_STOPPED)
        sampler_go_on();
}

void sampler_settle(void)
{
    if (__atomic_load_n(&left_alone, __ATOMIC_RELAXED) && sampler_stop())
        sampler_go_on();
}

void sampler_last_walk(void)
{
    static const struct timespec within = {.tv_nsec = LAST_WALK_MS * 1000000L};
    if (is_parents())
        return;
    uint64_t before = take_turn();
    stop_sampler(SAMPLER_STOP_AFTER_WALK, &within);
    end_turn(before);
}

void sampler_watch_end(int status)
{
    uint32_t was = SAMPLER_GO_ON;
    __atomic_store_n(&last_status, status, __ATOMIC_RELEASE);
    if (__atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0 &&
        __atomic_compare_exchange_n(&stopping, &was, SAMPLER_WATCH_END, false, __ATOMIC_RELEASE,
                                    __ATOMIC_RELAXED) &&
        !recorder_quiet)
        sys_call(SYS_futex, &stopping, FUTEX_WAKE_PRIVATE, 1);
}

void sampler_thread_ends(void)
{
    if (__atomic_load_n(&last_status, __ATOMIC_RELAXED) != 0)
        __atomic_store_n(&last_status, 0, __ATOMIC_RELEASE);
}

int sampler_last_status(void)
{
    return __atomic_load_n(&last_status, __ATOMIC_ACQUIRE);
}

void sampler_forget(void)
{
    last_status = 0;
    busy = TURN_FREE;
    stopped = 0;
    running = 0;
    stopping = 0;
    tid = 0;
    started_tid = 0;
    left_files = 0;
    is_last = false;
}
