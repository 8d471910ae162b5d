#include "preload/filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#include "preload/proc.h"
#include "preload/recorder.h"
#include "preload/sys.h"
#include "preload/text.h"

#define STACK_BYTES 16384

static const struct timespec no_time;
static struct rlimit no_core = {1, 1}; /* 1: a program that is piped cores gets none either */
static char name[16];
static struct timespec now;

/* Every call that we or libunwind make, with arguments that do nothing but are like ours where a
 * filter can look at them. The first two come first: to make an end of the children, and to say
 * what came of it. */
static struct {
    int number;
    bool spare;     /* we can do without */
    bool forbidden; /* a child died of it */
    long args[5];
} questions[] = {
    {.number = SYS_wait4, .args = {-1, 0, WNOHANG | __WALL}},
    {.number = SYS_write, .args = {-1}},
    {.number = SYS_clone3, .args = {0, 0}},
    /* It fails: CLONE_PIDFD and CLONE_PARENT_SETTID want the same argument. */
    {.number = SYS_clone,
     .args = {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
              CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_PIDFD}},
    {.number = SYS_rt_sigprocmask, .args = {SIG_BLOCK, 0, 0, 8}},
    {.number = SYS_rt_sigaction, .args = {0, 0, 0, 8}},
    {.number = SYS_futex, .args = {0, FUTEX_WAIT_PRIVATE}},
    {.number = SYS_futex, .args = {0, FUTEX_WAKE_PRIVATE}},
    {.number = SYS_tgkill},
    {.number = SYS_getpid},
    {.number = SYS_getppid},
    {.number = SYS_gettid},
    {.number = SYS_geteuid},
    {.number = SYS_getcwd},
    {.number = SYS_prctl, .args = {PR_GET_NAME, (long)name}},
    {.number = SYS_prctl, .args = {PR_SET_NAME, (long)name}},
    {.number = SYS_prlimit64},
    {.number = SYS_clock_gettime, .args = {CLOCK_MONOTONIC, (long)&now}},
    {.number = SYS_clock_gettime, .args = {CLOCK_THREAD_CPUTIME_ID, (long)&now}},
    {.number = SYS_process_vm_readv, .args = {-1}},
    {.number = SYS_mmap, .args = {0, 0, PROT_READ | PROT_WRITE, MAP_SHARED, -1}},
    {.number = SYS_mmap, .args = {0, 0, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1}},
    {.number = SYS_munmap},
    {.number = SYS_mincore},
    {.number = SYS_msync},
    {.number = SYS_madvise, .args = {0, 0, MADV_POPULATE_WRITE}},
    {.number = SYS_madvise, .args = {0, 0, MADV_WIPEONFORK}},
    {.number = SYS_madvise, .args = {0, 0, MADV_DONTNEED}},
    {.number = SYS_openat,
     .args = {AT_FDCWD, (long)"", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600}},
    {.number = SYS_openat,
     .args = {AT_FDCWD, (long)"", O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK}},
    {.number = SYS_mkdirat, .args = {AT_FDCWD, (long)"", 0700}},
    {.number = SYS_unlinkat, .args = {AT_FDCWD, (long)""}},
    {.number = SYS_readlinkat, .args = {AT_FDCWD, (long)""}},
    {.number = SYS_newfstatat, .args = {AT_FDCWD, (long)""}},
    {.number = SYS_ftruncate, .args = {-1}},
    {.number = SYS_flock, .args = {-1}},
    {.number = SYS_lseek, .args = {-1}},
    {.number = SYS_read, .args = {-1}},
    {.number = SYS_pread64, .args = {-1}},
    {.number = SYS_getdents64, .args = {-1}},
    {.number = SYS_fcntl, .args = {-1, F_GETFD}},
    {.number = SYS_pipe2},
    {.number = SYS_getrandom, .args = {0, 0, GRND_NONBLOCK}}, /* libc's malloc, at first */
    {.number = SYS_close, .args = {-1}},
    {.number = SYS_close_range, .args = {~0U, ~0U, CLOSE_RANGE_UNSHARE}},
    {.number = SYS_memfd_create, .spare = true},
    {.number = SYS_madvise, .spare = true, .args = {0, 0, MADV_DONTDUMP}},
    {.number = SYS_openat,
     .spare = true,
     .args = {AT_FDCWD, (long)"", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC}},
    {.number = SYS_fchmod, .spare = true, .args = {-1, 0600}},
    {.number = SYS_fchmodat, .spare = true, .args = {AT_FDCWD, (long)"", 0700}},
    {.number = SYS_setpriority, .spare = true, .args = {PRIO_PROCESS, 0, 19}},
    {.number = SYS_getresuid, .spare = true},
    {.number = SYS_capget, .spare = true},
    {.number = SYS_pidfd_open, .spare = true, .args = {-1}},
    {.number = SYS_pidfd_getfd, .spare = true, .args = {-1}},
    {.number = SYS_getsockopt, .spare = true, .args = {-1}},
    {.number = SYS_getsockname, .spare = true, .args = {-1}},
    {.number = SYS_getpeername, .spare = true, .args = {-1}},
    {.number = SYS_ppoll, .spare = true, .args = {0, 0, (long)&no_time}},
};
enum { WAIT, WRITE, QUESTIONS = sizeof(questions) / sizeof(*questions) };

static volatile unsigned asked; /* how many have an answer; the child counts */

/* In the child, which has our memory, and died if it does not return. */
static void ask(void)
{
    sys_call(SYS_prlimit64, 0, RLIMIT_CORE, &no_core, 0);
    for (; asked < QUESTIONS; asked++) {
        const long *args = questions[asked].args;
        sys_call(questions[asked].number, args[0], args[1], args[2], args[3], args[4]);
    }
}

/* Runs `ask` in a process that shares our memory, while we stand still. It ends by the call with
 * which threads end. Returns its number, or a negative errno value. */
static long start_child(long number, long a, long b)
{
#if defined(__x86_64__)
    long result;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "callq *%[ask]\n\t"
                     "movl %[exit], %%eax\n\t"
                     "xorl %%edi, %%edi\n\t"
                     "syscall\n"
                     "1:"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(0L), [ask] "b"(ask), [exit] "i"(SYS_exit)
                     : "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
    return result;
#else
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = 0;
    register void (*x5)(void) __asm__("x5") = ask;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, 0\n\t"
                     "blr x5\n\t"
                     "mov x8, %[exit]\n\t"
                     "mov x0, 0\n\t"
                     "svc 0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x5), [exit] "i"(SYS_exit)
                     : "memory", "x30");
    return x0;
#endif
}

/* No signal tells of its end, and no wait of the program's finds it. By the call of which least is
 * to be feared: a program that is about to start a thread makes clone3, and clone where that is
 * refused, as filters do that do not know it; in a container, programs fork by clone. */
static long ask_in_child(enum filter_kind kind)
{
    static char stack[STACK_BYTES] __attribute__((aligned(16)));
    struct clone_args args = {
        .flags = CLONE_VM | CLONE_VFORK, .stack = (uint64_t)stack, .stack_size = sizeof(stack)};
    long pid = -ENOSYS;
    if (kind != FILTER_SHARED)
        pid = start_child(SYS_clone3, (long)&args, sizeof(args));
    if (pid < 0)
        pid = start_child(SYS_clone, CLONE_VM | CLONE_VFORK, (long)(stack + sizeof(stack)));
    return pid;
}

/* How many filters a process has (proc(5), /proc/PID/status); before Linux 5.9, which mode it is
 * in, of which 0 is none. A kernel that knows no filters says nothing of them. -1: that cannot be
 * read, or not to its end. */
static int64_t filters_of(const char *path)
{
    static const char *const names[] = {"Seccomp_filters", "Seccomp"};
    static char status[PROC_STATUS_BYTES];
    size_t got = proc_read_file(path, status, sizeof(status));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t bytes;
        uint64_t number;
        const char *at = text_line(status, names[i], &bytes);
        if (at != NULL && text_parse_number(&at, &number))
            return (int64_t)number;
    }
    return got > 0 && got < sizeof(status) - 1 ? 0 : -1;
}

/* Who cannot be asked is taken for the worst: without /proc, there may be a filter, and of its own;
 * process 1 is hidden (hidepid of proc(5)) by service managers that set filters for a program
 * (systemd's ProtectProc=), hardly by containers. What that costs is the recording of a program
 * that never starts a thread. */
enum filter_kind filter_look(void)
{
    int64_t own = filters_of("/proc/self/status");
    if (own == 0)
        return FILTER_NONE;
    return own > 0 && own == filters_of("/proc/1/status") ? FILTER_SHARED : FILTER_SPECIAL;
}

static bool refuse(const char *why, long number)
{
    char call[32];
    struct text text = {.at = call, .room = sizeof(call)};
    text_string(&text, "system call ");
    text_number(&text, (uint64_t)number);
    if (asked > WRITE)
        recorder_say(why, call, 0);
    return false;
}

bool filter_lets_us(enum filter_kind kind)
{
    for (asked = 0; asked < QUESTIONS; asked++) {
        int status = 0;
        long pid = ask_in_child(kind);
        if (pid < 0)
            return refuse("no recording: no child could be made to try it", SYS_clone);
        if (asked > WAIT)
            sys_call(SYS_wait4, pid, &status, __WALL, 0);
        if (asked == QUESTIONS)
            return WIFEXITED(status) || refuse("no recording: a filter kills for it", SYS_exit);
        questions[asked].forbidden = true;
        if (!questions[asked].spare)
            return refuse("no recording: a filter kills for it", questions[asked].number);
    }
    return true;
}

bool filter_forbids(long number)
{
    for (size_t i = 0; i < QUESTIONS; i++)
        if (questions[i].number == number && questions[i].forbidden)
            return true;
    return false;
}
