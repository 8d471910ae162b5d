#include "preload/sampler.h"

#include <errno.h>
#include <linux/close_range.h>
#include <link.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "preload/adapter.h"
#include "preload/arch.h"
#include "preload/blocked.h"
#include "preload/clock.h"
#include "preload/descriptor.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/names.h"
#include "preload/recorder.h"
#include "preload/sites.h"
#include "preload/sys.h"
#include "preload/unwind.h"

#define STACK_BYTES (128U << 10)
#define LIBC_BYTES 4096 /* of libc's record of a thread, at the thread pointer */
#define TLS_MOST                                                                                   \
    (INT64_C(64) << 20)           /* storage that is larger than this is left alone: no sampler */
#define WALK_SHARE 20             /* a walk takes one part in this many of the time, */
#define LONGEST_PAUSE_NS NS_PER_S /* unless that would make it too rare */
#define LAST_WALK_MS 200          /* that an exit waits for the last walk at most */
#define REFRESHES_A_WALK 10000
#define THREADS_EVERY 8           /* walks between two looks for threads that are gone */
#define HEARTBEAT_TASKS (1 << 14) /* tasks between two updates of last_walk_ns */

static uint32_t running;  /* 1 from the start of the thread to its end */
static uint32_t stopping; /* futex; enum stop: the sampler shall end */
enum stop { STOP_NOT, STOP_NOW, STOP_AFTER_WALK };
static uint32_t tid;                  /* cleared and woken by the kernel when the thread is gone */
static char *memory;                  /* stack and thread-local storage */
static uint64_t tls_below, tls_above; /* bytes of storage below and above the thread pointer */
static uint64_t tls_copied;           /* of those below, what every thread has */
static bool tls_known;                /* ours is among them */
static bool own_files;

/* --- walking --------------------------------------------------------------------------------- */

static const struct adapter *const adapters[] = {&adapter_pthread, &adapter_taskrt, &adapter_libgo};

static void put_cases(struct rec_task *task, const struct wait_detail *detail)
{
    /* Rows belong to a slot for good: a select of as many cases uses them again. */
    if (task->case_count < detail->case_count) {
        uint32_t first = recorder_take(REC_TABLE_CASES, detail->case_count);
        if (first == 0)
            return;
        task->case_count = 0;
        task->case_first = first;
    }
    memcpy(&recorder.cases[task->case_first], detail->cases,
           detail->case_count * sizeof(detail->cases[0]));
    task->case_count = detail->case_count;
}

static void describe(struct rec_task *task, const struct rec_task *copy)
{
    static struct wait_detail detail;
    enum rec_op op = recorder.calls[copy->call].op;
    memset(&detail, 0, offsetof(struct wait_detail, cases));
    for (size_t i = 0; i < sizeof(adapters) / sizeof(*adapters); i++)
        if (adapters[i]->kind == copy->kind)
            adapters[i]->describe(copy, op, &detail);
    if (op == REC_OP_IO_WAIT && own_files && !(copy->wait_flags & REC_WAIT_FDS))
        detail.flags |= descriptor_is_listening((int)copy->object) ? REC_DETAIL_LISTENING : 0;
    task->detail_a = detail.a;
    task->detail_b = detail.b;
    task->detail_flags = detail.flags | (task->detail_flags & REC_DETAIL_NO_STACK);
    if (detail.case_count > 0)
        put_cases(task, &detail);
}

static bool moved(const struct rec_task *task, const struct rec_task *copy)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&task->gen, __ATOMIC_RELAXED) != copy->gen ||
           __atomic_load_n(&task->seq, __ATOMIC_RELAXED) != copy->seq ||
           __atomic_load_n(&task->id, __ATOMIC_RELAXED) != copy->id;
}

static void take_stack(struct rec_task *task, const struct rec_task *copy)
{
    static struct unwind_stack stack;
    unwind_parked(copy->cfa, copy->fp, &stack);
    if (moved(task, copy))
        return;
    uint32_t site = site_store(stack.pcs, stack.count, stack.flags);
    if (site != 0) {
        __atomic_store_n(&task->wait_site, site, __ATOMIC_RELEASE);
        return;
    }
    task->detail_flags |= REC_DETAIL_NO_STACK;
    if (stack.count == 0)
        recorder_count(&recorder.header->lost_stacks);
}

/* How many known waits a walk still may look at again, for a new owner or another length: with more
 * than that, the newest matter most, and they come first. */
static uint32_t refreshes;

static void look_at(struct rec_task *task, uint64_t now_ns, bool last)
{
    uint32_t seq = __atomic_load_n(&task->seq, __ATOMIC_ACQUIRE);
    uint32_t gen = __atomic_load_n(&task->gen, __ATOMIC_ACQUIRE);
    if (gen == 0)
        return;
    if (task->seen_gen != gen) {
        task->since_ns = now_ns;
        task->wait_site = 0;
        task->detail_flags = 0;
        __atomic_store_n(&task->seen_gen, gen, __ATOMIC_RELEASE);
        if (!last)
            return;
    }
    struct rec_task copy = *task;
    if (copy.gen != gen || copy.seq != seq || moved(task, &copy))
        return;
    bool fresh = copy.wait_site == 0 && !(copy.detail_flags & REC_DETAIL_NO_STACK);
    if (!fresh && refreshes == 0)
        return;
    if (copy.kind == REC_KIND_THREAD && own_files && !blocked_below(copy.os_tid, copy.cfa)) {
        task->seen_gen = 0; /* it is not parked, or not yet: the next look is the first */
        return;
    }
    if (fresh)
        take_stack(task, &copy);
    else
        refreshes--;
    describe(task, &copy);
}

/* A thread's slot is its own until the kernel has forgotten the thread: destructors run after its
 * function has returned. Threads that were adopted, or left by a bare system call, end here only.
 */
static void look_for_end(struct rec_task *task)
{
    uint64_t id = task->id;
    uint32_t os_tid = task->os_tid;
    if (task->kind != REC_KIND_THREAD || os_tid == 0 ||
        sys_call(SYS_tgkill, recorder.header->pid, os_tid, 0) != -ESRCH || !recorder_hold(task, id))
        return;
    uint8_t ending = REC_TASK_ENDING;
    recorder_end(task);
    if (__atomic_load_n(&task->flags, __ATOMIC_ACQUIRE) & REC_TASK_JOINABLE)
        __atomic_compare_exchange_n(&task->state, &ending, REC_TASK_FINISHED, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    if (!(__atomic_load_n(&task->flags, __ATOMIC_ACQUIRE) & REC_TASK_JOINABLE))
        recorder_release(task); /* also one that was detached in this moment */
    recorder_let_go(task);
}

/* Since when a thread waits to be joined. */
static void note_finished(struct rec_task *task, uint64_t now_ns)
{
    if (task->seen_gen == REC_SEEN_FINISHED)
        return;
    task->since_ns = now_ns;
    __atomic_store_n(&task->seen_gen, REC_SEEN_FINISHED, __ATOMIC_RELEASE);
}

/* `last`: there will be no second look, so that stacks are taken at the first. */
static void walk(uint32_t number, bool last)
{
    struct rec_header *header = recorder.header;
    uint32_t count = __atomic_load_n(&header->tables[REC_TABLE_TASKS - 1].count, __ATOMIC_ACQUIRE);
    uint64_t now_ns = clock_now_ns();
    refreshes = REFRESHES_A_WALK;
    for (uint32_t row = 1; row < count; row++) {
        struct rec_task *task = &recorder.tasks[row];
        if (row % HEARTBEAT_TASKS == 0)
            __atomic_store_n(&header->last_walk_ns, now_ns = clock_now_ns(), __ATOMIC_RELEASE);
        uint8_t state = __atomic_load_n(&task->state, __ATOMIC_ACQUIRE);
        if (state == REC_TASK_FINISHED)
            note_finished(task, now_ns);
        if (state != REC_TASK_LIVE && state != REC_TASK_ENDING)
            continue;
        look_at(task, now_ns, last);
        if (state == REC_TASK_ENDING || number % THREADS_EVERY == 0)
            look_for_end(task);
    }
    __atomic_store_n(&header->last_walk_ns, clock_now_ns(), __ATOMIC_RELEASE);
}

/* What new stacks have brought, and modules that are gone. */
static void tidy(void)
{
    unwind_lock();
    if (module_sweep())
        unwind_flush();
    unwind_unlock();
    if (own_files)
        names_update();
}

static void run(void)
{
    uint64_t pause_ns = recorder.header->sample_period_ns;
    /* With a table of our own, what we open and close is never seen by the program, not even as a
     * number that is taken for a moment. */
    own_files = sys_call(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE) == 0;
    sys_call(SYS_setpriority, PRIO_PROCESS, 0, 19);
    sys_call(SYS_prctl, PR_SET_NAME, "leakspy");
    if (own_files)
        memory_init_fallback();
    for (uint32_t number = 1;; number++) {
        struct timespec pause = {.tv_sec = (time_t)(pause_ns / NS_PER_S),
                                 .tv_nsec = (long)(pause_ns % NS_PER_S)};
        sys_call(SYS_futex, &stopping, FUTEX_WAIT_PRIVATE, 0, &pause);
        uint32_t stop = __atomic_load_n(&stopping, __ATOMIC_ACQUIRE);
        uint64_t start_ns = clock_now_ns();
        if (stop != STOP_NOW)
            walk(number, stop == STOP_AFTER_WALK);
        uint64_t took_ns = clock_now_ns() - start_ns;
        if (stop != STOP_NOW)
            tidy();
        if (stop != STOP_NOT)
            return;
        pause_ns = took_ns * (WALK_SHARE - 1);
        if (pause_ns > LONGEST_PAUSE_NS)
            pause_ns = LONGEST_PAUSE_NS;
        if (pause_ns < recorder.header->sample_period_ns)
            pause_ns = recorder.header->sample_period_ns;
    }
}

/* --- the thread ------------------------------------------------------------------------------ */

static int measure_tls(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    (void)arg;
    if (bytes < offsetof(struct dl_phdr_info, dlpi_tls_data) + sizeof(info->dlpi_tls_data) ||
        info->dlpi_tls_data == NULL)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_TLS)
            continue;
        int64_t from = (char *)info->dlpi_tls_data - arch_thread_pointer();
        int64_t to = from + (int64_t)info->dlpi_phdr[i].p_memsz;
        if (from < -TLS_MOST || to > TLS_MOST)
            continue; /* it was allocated elsewhere, when the thread first wanted it */
        if (from < 0 && (uint64_t)-from > tls_below)
            tls_below = (uint64_t)-from;
        if (to > 0 && (uint64_t)to > tls_above)
            tls_above = (uint64_t)to;
    }
    return 0;
}

void sampler_init(void)
{
    /* The storage itself lies on one side of the thread pointer, libc's record of the thread on the
     * other; of that, this much covers what may be read. */
#if defined(__x86_64__)
    tls_above = LIBC_BYTES;
#else
    tls_below = LIBC_BYTES;
#endif
    dl_iterate_phdr(measure_tls, NULL);
    tls_copied = tls_below; /* what lies under it need not be mapped */
    tls_below = (tls_below + 63) & ~UINT64_C(63);
    int64_t own = (char *)&recorder_thread - arch_thread_pointer();
    tls_known = own >= -(int64_t)tls_below && own < (int64_t)tls_above;
}

/* Thread-local storage for the sampler: a copy of the calling thread's. libc is only ever reached
 * through libunwind's few harmless calls, which want a stack canary, an errno, and a mutex. */
static char *make_tls(char *at)
{
    char *from = arch_thread_pointer();
    char *to = at + tls_below;
#if defined(__x86_64__)
    memcpy(to - tls_copied, from - tls_copied, tls_copied);
    memory_read_some((uint64_t)from, to, LIBC_BYTES); /* as much of it as there is */
#else
    memory_read_some((uint64_t)from - LIBC_BYTES, to - LIBC_BYTES, LIBC_BYTES);
    memcpy(to, from, tls_above);
#endif
#if defined(__x86_64__)
    memcpy(to, &to, sizeof(to));      /* tcbhead_t.tcb */
    memcpy(to + 16, &to, sizeof(to)); /* tcbhead_t.self */
#endif
    struct recorder_thread *own = (void *)(to + ((char *)&recorder_thread - from));
    own->task = &own->sink;
    own->sampler = true;
    return to;
}

static long start_thread(char *stack_top, char *tls)
{
    long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                 CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = (long)&tid;
    register long r8 __asm__("r8") = (long)tls;
    register void (*r9)(void) __asm__("r9") = run;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     ".cfi_remember_state\n\t"
                     ".cfi_undefined %%rip\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "callq *%%r9\n\t"
                     "movl %[exit], %%eax\n\t"
                     "xorl %%edi, %%edi\n\t"
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
    register void (*x5)(void) __asm__("x5") = run;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, 0\n\t"
                     "blr x5\n\t"
                     "mov x8, %[exit]\n\t"
                     "mov x0, 0\n\t"
                     "svc 0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), [exit] "i"(SYS_exit)
                     : "memory", "x30");
    return x0;
#endif
}

void sampler_ensure(void)
{
    uint64_t all = ~UINT64_C(0), before;
    if (recorder.header == NULL || recorder_quiet || !tls_known ||
        __atomic_exchange_n(&running, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (memory == NULL)
        memory = memory_reserve(STACK_BYTES + tls_below + tls_above + 8192);
    if (memory == NULL)
        return;
    __atomic_store_n(&stopping, 0, __ATOMIC_RELEASE);
    tid = 1;
    char *tls = make_tls(memory + STACK_BYTES);
    sys_call(SYS_rt_sigprocmask, SIG_BLOCK, &all, &before, sizeof(all));
    long result = start_thread(memory + STACK_BYTES, tls);
    sys_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, 0, sizeof(before));
    if (result < 0)
        tid = 0;
}

/* Tells the sampler to end, and waits until the kernel has forgotten it, `within` at most. False:
 * it still runs. */
static bool stop_sampler(enum stop how, const struct timespec *within)
{
    uint32_t value;
    if (__atomic_load_n(&running, __ATOMIC_ACQUIRE) == 0)
        return true;
    if (recorder.header == NULL || (uint32_t)sys_call(SYS_getpid, 0) != recorder.header->pid) {
        sampler_forget(); /* a child that nobody told us of: the sampler is its parent's */
        return true;
    }
    __atomic_store_n(&stopping, how, __ATOMIC_RELEASE);
    sys_call(SYS_futex, &stopping, FUTEX_WAKE_PRIVATE, 1);
    /* The kernel's wake-up is a shared one, and so is the wait for it. */
    while ((value = __atomic_load_n(&tid, __ATOMIC_ACQUIRE)) != 0)
        if (sys_call(SYS_futex, &tid, FUTEX_WAIT, value, within) == -ETIMEDOUT)
            return false;
    __atomic_store_n(&running, 0, __ATOMIC_RELEASE);
    return true;
}

bool sampler_stop(void)
{
    static const struct timespec within = {.tv_sec = 1};
    bool ran = __atomic_load_n(&running, __ATOMIC_ACQUIRE) != 0;
    stop_sampler(STOP_NOW, &within);
    return ran;
}

void sampler_last_walk(void)
{
    static const struct timespec within = {.tv_nsec = LAST_WALK_MS * 1000000L};
    stop_sampler(STOP_AFTER_WALK, &within);
}

void sampler_forget(void)
{
    running = 0;
    stopping = 0;
    tid = 0;
}
