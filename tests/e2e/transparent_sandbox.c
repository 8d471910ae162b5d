/* Programs that leave little room for anybody else: large thread-local storage, filters of system
 * calls, processes made by hand. */
#include "tests/e2e/transparent.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
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
