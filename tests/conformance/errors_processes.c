/* Errors of waits for processes, of those that begin, and of what only root may do. */
#include "tests/conformance/errors.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

int capset(void *header, const void *data);

/* --- to wait for processes ------------------------------------------------------------------- */

#define WAIT(name, ...)                                                                            \
    static long name(pid_t pid, int how)                                                           \
    {                                                                                              \
        (void)pid, (void)how;                                                                      \
        return __VA_ARGS__;                                                                        \
    }
WAIT(do_wait, wait(NULL))
WAIT(do_old_wait, __wait(NULL))
WAIT(do_waitpid, waitpid(pid, NULL, how))
WAIT(do_old_waitpid, __waitpid(pid, NULL, how))
WAIT(do_wait3, wait3(NULL, how, NULL))
WAIT(do_wait4, wait4(pid, NULL, how, NULL))
WAIT(do_waitid, waitid(P_ALL, 0, NULL, how == 0 ? WEXITED : how))

static const struct {
    const char *function;
    long (*call)(pid_t pid, int how);
} waits[] = {{"wait", do_wait},       {"__wait", do_old_wait},
             {"waitpid", do_waitpid}, {"__waitpid", do_old_waitpid},
             {"wait3", do_wait3},     {"wait4", do_wait4},
             {"waitid", do_waitid}},
  with_options[] = {{"waitpid", do_waitpid},
                    {"__waitpid", do_old_waitpid},
                    {"wait3", do_wait3},
                    {"wait4", do_wait4},
                    {"waitid", do_waitid}},
  with_pid[] = {{"waitpid", do_waitpid}, {"__waitpid", do_old_waitpid}, {"wait4", do_wait4}};

/* It ends when its pipe is closed. */
static pid_t child(void)
{
    int let_go[2];
    char byte;
    CHECK(pipe(let_go) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(let_go[1]);
        CHECK(read(let_go[0], &byte, 1) == 0);
        _exit(0);
    }
    CHECK(pid > 0);
    return pid;
}

static void wait_errors(struct rows *rows)
{
    enum { P_PIDFD_ = 3 };
    EACH(waits, ECHILD, "without a child", LIBC(waits[i].call(-1, 0)))
    EACH(waits, EINTR, "when a signal comes", child(); INTERRUPTED(LIBC(waits[i].call(-1, 0))))
    EACH(with_options, EINVAL, "in no way", LIBC(with_options[i].call(-1, 0x1000)))
    EACH(with_pid, ESRCH, "of the least number", LIBC(with_pid[i].call(INT_MIN, 0)))
    FAILS(waitid, EAGAIN, "that may not block",
          int fd = (int)syscall(SYS_pidfd_open, child(), O_NONBLOCK);
          LIBC(waitid((idtype_t)P_PIDFD_, (id_t)fd, NULL, WEXITED)))
}

/* --- processes that begin -------------------------------------------------------------------- */

static int end_at_once(void *arg)
{
    return arg != NULL;
}

static void clone_errors(struct rows *rows)
{
    static char stack[65536] __attribute__((aligned(16)));
    char *top = stack + sizeof stack;
    FAILS(clone, EINVAL, "without a function", LIBC(clone(NULL, top, SIGCHLD, NULL)))
    FAILS(clone, EINVAL, "flags that do not go together",
          LIBC(clone(end_at_once, top, CLONE_SIGHAND, NULL)))
    rows_alone(rows, true);
    FAILS(clone, EAGAIN, "more than may be", limit_to(RLIMIT_NPROC, 1); become_nobody();
          LIBC(clone(end_at_once, top, SIGCHLD, NULL)))
    FAILS(clone, EPERM, "with a network of its own", become_nobody();
          LIBC(clone(end_at_once, top, CLONE_NEWNET | SIGCHLD, NULL)))
    FAILS(_Fork, EAGAIN, "more than may be", limit_to(RLIMIT_NPROC, 1); become_nobody();
          LIBC(_Fork()))
    FAILS(unshare, EPERM, "its network", become_nobody(); LIBC(unshare(CLONE_NEWNET)))
    FAILS(setns, EPERM, "its own name", int fd = open("/proc/self/ns/uts", O_RDONLY);
          become_nobody(); LIBC(setns(fd, CLONE_NEWUTS)))
    rows_alone(rows, false);
    FAILS(unshare, EINVAL, "what cannot be", LIBC(unshare(1)))
    FAILS(setns, EBADF, "no descriptor", LIBC(setns(-1, 0)))
    FAILS(setns, EINVAL, "of another kind", int fd = open("/proc/self/ns/uts", O_RDONLY);
          LIBC(setns(fd, CLONE_NEWNET)))
    FAILS(setns, ESRCH, "of a process that has ended", pid_t pid = fork(); if (pid == 0) _exit(0);
          int fd = (int)syscall(SYS_pidfd_open, pid, 0); CHECK(waitpid(pid, NULL, 0) == pid);
          LIBC(setns(fd, CLONE_NEWUTS)))
}

static void prctl_errors(struct rows *rows)
{
    static struct sock_filter permit = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    static struct sock_fprog filter = {1, &permit};
    FAILS(prctl, EFAULT, "a name of nowhere", LIBC(prctl(PR_SET_NAME, nowhere)))
    FAILS(prctl, EFAULT, "a filter of nowhere", LIBC(prctl(PR_SET_SECCOMP, 2, nowhere)))
    FAILS(prctl, EINVAL, "no command", LIBC(prctl(-1, 0, 0, 0, 0)))
    rows_alone(rows, true);
    FAILS(prctl, EACCES, "a filter that may give more rights", become_nobody();
          LIBC(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)))
    FAILS(prctl, EPERM, "a capability less", become_nobody(); LIBC(prctl(PR_CAPBSET_DROP, 0)))
    rows_alone(rows, false);
}

/* --- credentials ----------------------------------------------------------------------------- */

#define IDENTITY(function, ...)                                                                    \
    static int do_##function(unsigned id)                                                          \
    {                                                                                              \
        return __VA_ARGS__;                                                                        \
    }
#include "tests/conformance/identities.def"

static const struct {
    const char *function;
    int (*call)(unsigned id);
} ids[] =
    {
#define IDENTITY(function, ...) {#function, do_##function},
#include "tests/conformance/identities.def"
},
  that_take_none[] = {{"setuid", do_setuid},
                      {"seteuid", do_seteuid},
                      {"setgid", do_setgid},
                      {"setegid", do_setegid}};

static void credential_errors(struct rows *rows)
{
    static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    static struct __user_cap_data_struct all[2] = {{~0U, ~0U, ~0U}, {~0U, ~0U, ~0U}};
    EACH(that_take_none, EINVAL, "the id of none", LIBC(that_take_none[i].call(~0U)))
    FAILS(capset, EFAULT, "of nowhere", LIBC(capset(nowhere, all)))
    FAILS(capset, EINVAL, "of a version that is none",
          LIBC(capset(&(struct __user_cap_header_struct){7, 0}, all)))
    rows_alone(rows, true);
    EACH(ids, EPERM, "that is not its own", become_nobody(); LIBC(ids[i].call(1)))
    FAILS(capset, EPERM, "more than it has", become_nobody(); LIBC(capset(&header, all)))
    FAILS(setgroups, EFAULT, "of nowhere", LIBC(setgroups(2, nowhere)))
    FAILS(setgroups, EINVAL, "too many", LIBC(setgroups(1 << 20, nowhere)))
    rows_alone(rows, false);
}

void errors_of_processes(struct rows *rows)
{
    wait_errors(rows);
    clone_errors(rows);
    prctl_errors(rows);
    credential_errors(rows);
}
