/* Programs that leave little room for anybody else: large thread-local storage, filters of system
 * calls, processes made by hand. */
#include "tests/e2e/transparent.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static _Thread_local char storage[1 << 20];

static void *fill(void *arg)
{
    memset(storage, 1, sizeof storage);
    return arg;
}

int large_thread_storage(void)
{
    pthread_t thread = start_thread(fill, NULL);
    fill(NULL);
    join_thread(thread);
    usleep(50000);
    printf("%d\n", storage[sizeof storage - 1]);
    return 0;
}

/* Forbids, on pain of death, all but a few system calls. */
static int filter_calls(unsigned flags)
{
#define ALLOW(name)                                                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(read),
        ALLOW(write),
        ALLOW(exit_group),
        ALLOW(newfstatat),
        ALLOW(rt_sigreturn),
        ALLOW(pselect6),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    puts("start");
    fflush(stdout);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0);
    struct timespec pause = {.tv_nsec = 100000000};
    pselect(0, NULL, NULL, NULL, &pause, NULL); /* the sampler goes on, or not */
    puts("done");
    return 0;
}

int filter_of_calls(void)
{
    return filter_calls(0);
}

int filter_of_calls_for_all_threads(void)
{
    return filter_calls(SECCOMP_FILTER_FLAG_TSYNC);
}

static void *park(void *arg)
{
    char byte;
    CHECK(!scenario_argv[0] || read(STDIN_FILENO, &byte, 1) == 0); /* parked here */
    return arg;
}

/* As programs ask what the kernel can do, and such as have not given up to gain rights. With an
 * argument it stays, until stdin ends. */
int filters_that_are_refused(void)
{
    struct sock_filter endless = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0);
    struct sock_fprog program = {1, &endless};
    long flags[] = {0, SECCOMP_FILTER_FLAG_TSYNC, 0};
    usleep(20000);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        printf("%d, ", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
        printf("errno %d, ", errno);
        errno = 0;
        printf("%ld, ", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags[i], &program));
        printf("errno %d, ", errno);
        errno = 0;
        printf("%d, ", prctl(PR_SET_SYSCALL_USER_DISPATCH, 77, 0, 0, NULL));
        printf("errno %d\n", errno);
    }
    puts("refused");
    fflush(stdout);
    join_thread(start_thread(park, NULL));
    return 0;
}

/* The addresses of libc's code. */
struct range {
    unsigned long start, bytes;
};

static int find_libc(struct dl_phdr_info *info, size_t bytes, void *arg)
{
    struct range *ret = arg;
    (void)bytes;
    for (int i = 0; strstr(info->dlpi_name, "libc.so.6") && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && part->p_flags & PF_X)
            *ret = (struct range){info->dlpi_addr + part->p_vaddr, part->p_memsz};
    }
    return 0;
}

static volatile sig_atomic_t foreign_calls;

static void count_foreign_call(int signal)
{
    (void)signal;
    foreign_calls++;
}

static void *nothing(void *arg)
{
    return arg;
}

/* As emulators do: system calls from elsewhere than libc come back as signals (user dispatch). */
int dispatch_of_calls(void)
{
    static volatile char selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    struct range libc = {0};
    dl_iterate_phdr(find_libc, &libc);
    CHECK(libc.bytes > 0 && signal(SIGSYS, count_foreign_call) != SIG_ERR);
    usleep(20000);
    CHECK(prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, libc.start, libc.bytes,
                &selector) == 0);
    selector = SYSCALL_DISPATCH_FILTER_BLOCK;
    join_thread(start_thread(nothing, NULL));
    selector = SYSCALL_DISPATCH_FILTER_ALLOW;
    printf("%d calls from elsewhere\n", (int)foreign_calls);
    return 0;
}

/* ---- what the kernel gives up when a descriptor is closed ---- */

/* Before the first wait, and before a call that ends and starts the sampler. */
int message_notifications(void)
{
    struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 8};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct timespec second = {.tv_sec = 1};
    sigset_t usr1;
    char name[64], bytes[8];
    snprintf(name, sizeof name, "/transparent-%d", (int)getpid());
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
    CHECK(queue >= 0 && mq_unlink(name) == 0);
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
    for (int round = 0; round < 2; round++) {
        CHECK(mq_notify(queue, &event) == 0);
        if (round > 0)
            CHECK(unshare(0) == 0);
        usleep(50000);
        CHECK(mq_send(queue, "", 1, 0) == 0);
        printf("signal %d\n", sigtimedwait(&usr1, NULL, &second));
        CHECK(mq_receive(queue, bytes, sizeof bytes, NULL) == 1);
    }
    return 0;
}

static int enter_and_end(void *arg)
{
    (void)arg;
    _exit(unshare(CLONE_FS) == 0 ? 3 : 4);
}

static int report_child(pid_t pid)
{
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("status %d\n", status);
    return 0;
}

int clone_and_unshare(void)
{
    static char stack[1 << 16] __attribute__((aligned(16)));
    usleep(20000);
    return report_child(clone(enter_and_end, stack + sizeof stack, SIGCHLD, NULL));
}

int clone3_and_unshare(void)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    usleep(20000);
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0)
        enter_and_end(NULL);
    return report_child(pid);
}

/* ---- children with thread storage that the program made ---- */

#define BESIDE (8 << 20) /* bytes on either side of the thread pointer */
#define RECORD_BYTES 704 /* of libc's record of a thread, what its code and compilers' read */

/* Nothing is written there but what the program wrote. */
static char *make_storage(void)
{
    char *storage_made = malloc(2 * BESIDE);
    CHECK(storage_made != NULL);
    memset(storage_made, 0x5a, 2 * BESIDE);
    char *pointer = storage_made + BESIDE;
#if defined(__x86_64__)
    memcpy(pointer, (const void *)pthread_self(), RECORD_BYTES);
    ((void **)(void *)pointer)[0] = pointer;
    ((void **)(void *)pointer)[2] = pointer;
#endif
    return pointer;
}

static bool is_untouched(const char *pointer)
{
#if defined(__x86_64__)
    const char *from = pointer - BESIDE;
#else
    const char *from = pointer + 16; /* libc's, too */
#endif
    for (size_t i = 0; i < BESIDE - 16; i++)
        if (from[i] != 0x5a)
            return false;
    return true;
}

static int look_at_storage(pid_t pid, const char *pointer)
{
    if (pid == 0)
        syscall(SYS_exit_group, is_untouched(pointer) ? 3 : 4);
    return report_child(pid);
}

int clone_with_own_storage(void)
{
    char *pointer = make_storage();
    long flags = SIGCHLD | CLONE_SETTLS;
    usleep(20000);
#if defined(__x86_64__)
    return look_at_storage((pid_t)syscall(SYS_clone, flags, 0, 0, 0, pointer), pointer);
#else
    return look_at_storage((pid_t)syscall(SYS_clone, flags, 0, 0, pointer, 0), pointer);
#endif
}

int clone3_with_own_storage(void)
{
    char *pointer = make_storage();
    struct clone_args arguments = {
        .flags = CLONE_SETTLS, .exit_signal = SIGCHLD, .tls = (uintptr_t)pointer};
    usleep(20000);
    return look_at_storage((pid_t)syscall(SYS_clone3, &arguments, sizeof arguments), pointer);
}
