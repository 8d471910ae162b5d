/* Calls that do not park: threads and processes that begin and end, names, credentials, files. What
 * is set is what was there. */
#include "tests/conformance/parkers.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include "tests/e2e/aliases.h"

int capset(void *header, const void *data);

static void prepare_nothing(bool open)
{
    (void)open;
}

#define CALLER(name) static void name(bool is_open __attribute__((unused)))

/* --- threads --------------------------------------------------------------------------------- */

static char mark;

static void *give_mark(void *arg)
{
    (void)arg;
    return &mark;
}

static void *exit_with_mark(void *arg)
{
    (void)arg;
    pthread_exit(&mark);
}

static int give_42(void *arg)
{
    (void)arg;
    return 42;
}

static int exit_with_43(void *arg)
{
    (void)arg;
    thrd_exit(43);
}

static void create_and_join(void *(*function)(void *))
{
    pthread_t thread;
    void *value = NULL;
    POSIX(pthread_create(&thread, NULL, function, NULL));
    POSIX(pthread_join(thread, &value));
    say(value == &mark ? "its value" : "another value");
}

static void c11_create_and_join(thrd_start_t function)
{
    thrd_t thread;
    int value = 0;
    LIBC(thrd_create(&thread, function, NULL));
    LIBC(thrd_join(thread, &value));
    say("value %d", value);
}

CALLER(do_create)
{
    create_and_join(give_mark);
}

CALLER(do_exit_thread)
{
    create_and_join(exit_with_mark);
}

CALLER(do_c11_create)
{
    c11_create_and_join(give_42);
}

CALLER(do_c11_exit)
{
    c11_create_and_join(exit_with_43);
}

static atomic_int detached_tid;

static void *say_tid(void *arg)
{
    atomic_store(&detached_tid, gettid());
    return arg;
}

static int c11_say_tid(void *arg)
{
    say_tid(arg);
    return 0;
}

static void await_detached(void)
{
    while (atomic_load(&detached_tid) == 0)
        sleep_ms(1);
    await_gone(atomic_load(&detached_tid));
    atomic_store(&detached_tid, 0);
}

CALLER(do_detach)
{
    POSIX(pthread_detach(start_thread(say_tid, NULL)));
    await_detached();
}

CALLER(do_c11_detach)
{
    thrd_t thread;
    CHECK(thrd_create(&thread, c11_say_tid, NULL) == thrd_success);
    LIBC(thrd_detach(thread));
    await_detached();
}

CALLER(do_setname)
{
    char name[16] = "";
    POSIX(pthread_setname_np(pthread_self(), "named"));
    pthread_getname_np(pthread_self(), name, sizeof name);
    say("\"%s\"", name);
}

CALLER(do_prctl)
{
    char name[16] = "";
    LIBC(prctl(PR_SET_NAME, "named again"));
    LIBC(prctl(PR_GET_NAME, name));
    say("\"%s\"", name);
}

/* --- processes ------------------------------------------------------------------------------- */

static void say_child(pid_t child)
{
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    say("child 0x%x", (unsigned)status);
}

#define IN_CHILD(...)                                                                              \
    do {                                                                                           \
        pid_t child_ = parkers_fork();                                                             \
        if (child_ == 0) {                                                                         \
            __VA_ARGS__;                                                                           \
            say("came back");                                                                      \
        }                                                                                          \
        say_child(child_);                                                                         \
    } while (0)

CALLER(do__exit)
{
    IN_CHILD(_exit(21));
}

CALLER(do__Exit)
{
    IN_CHILD(_Exit(22));
}

CALLER(do_quick_exit)
{
    IN_CHILD(quick_exit(23));
}

CALLER(do__Fork)
{
    pid_t child = _Fork();
    if (child == 0)
        _exit(24);
    say_child(child);
}

CALLER(do_clone)
{
    static char stack[128 * 1024] __attribute__((aligned(16)));
    say_child(clone(give_42, stack + sizeof stack, SIGCHLD, NULL));
}

/* --- credentials ----------------------------------------------------------------------------- */

CALLER(do_setuid)
{
    LIBC(setuid(getuid()));
}

CALLER(do_seteuid)
{
    LIBC(seteuid(geteuid()));
}

CALLER(do_setreuid)
{
    LIBC(setreuid(getuid(), geteuid()));
}

CALLER(do_setresuid)
{
    LIBC(setresuid(getuid(), geteuid(), geteuid()));
}

CALLER(do_setgid)
{
    LIBC(setgid(getgid()));
}

CALLER(do_setegid)
{
    LIBC(setegid(getegid()));
}

CALLER(do_setregid)
{
    LIBC(setregid(getgid(), getegid()));
}

CALLER(do_setresgid)
{
    LIBC(setresgid(getgid(), getegid(), getegid()));
}

CALLER(do_setgroups)
{
    gid_t groups[256];
    int count = getgroups(256, groups);
    LIBC(setgroups((size_t)count, groups));
}

CALLER(do_initgroups)
{
    LIBC(initgroups("nobody", getgid()));
}

CALLER(do_capset)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct all[2];
    CHECK(syscall(SYS_capget, &header, all) == 0);
    LIBC(capset(&header, all));
}

CALLER(do_unshare)
{
    LIBC(unshare(0));
    LIBC(unshare(CLONE_FILES));
}

CALLER(do_setns)
{
    int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
    LIBC(setns(fd, CLONE_NEWUTS));
    LIBC(setns(-1, 0));
}

/* --- files by their names -------------------------------------------------------------------- */

CALLER(do_notify)
{
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    LIBC(mq_notify(-1, &event));
    LIBC(mq_notify(-1, NULL));
}

CALLER(do_stat)
{
    struct stat of;
    LIBC(stat("/dev/null", &of));
    LIBC(stat("/nothing", &of));
}

CALLER(do_stat64)
{
    struct stat64 of;
    LIBC(stat64("/dev/null", &of));
}

CALLER(do_fstatat)
{
    struct stat of;
    LIBC(fstatat(AT_FDCWD, "/dev/null", &of, 0));
}

CALLER(do_fstatat64)
{
    struct stat64 of;
    LIBC(fstatat64(AT_FDCWD, "/dev/null", &of, 0));
}

CALLER(do_fxstatat64)
{
    struct stat64 of;
    LIBC(__fxstatat64(FXSTATAT_VERSION, AT_FDCWD, "/dev/null", &of, 0));
}

CALLER(do_statx)
{
    struct statx of;
    LIBC(statx(AT_FDCWD, "/dev/null", 0, STATX_NLINK, &of));
}

CALLER(do_opendir)
{
    DIR *folder = opendir("/");
    LIBC(folder != NULL);
    closedir(folder);
}

#define CALL(function, call)                                                                       \
    {                                                                                              \
#function, "", prepare_nothing, call, NULL, NULL, 0                                        \
    }

const struct parker parkers_life[] = {
    CALL(pthread_create, do_create),
    CALL(pthread_exit, do_exit_thread),
    CALL(pthread_detach, do_detach),
    CALL(pthread_setname_np, do_setname),
    CALL(thrd_create, do_c11_create),
    CALL(thrd_exit, do_c11_exit),
    CALL(thrd_detach, do_c11_detach),
    CALL(prctl, do_prctl),
    CALL(_exit, do__exit),
    CALL(_Exit, do__Exit),
    CALL(quick_exit, do_quick_exit),
    CALL(_Fork, do__Fork),
    CALL(clone, do_clone),
    CALL(setuid, do_setuid),
    CALL(seteuid, do_seteuid),
    CALL(setreuid, do_setreuid),
    CALL(setresuid, do_setresuid),
    CALL(setgid, do_setgid),
    CALL(setegid, do_setegid),
    CALL(setregid, do_setregid),
    CALL(setresgid, do_setresgid),
    CALL(setgroups, do_setgroups),
    CALL(initgroups, do_initgroups),
    CALL(capset, do_capset),
    CALL(unshare, do_unshare),
    CALL(setns, do_setns),
    CALL(mq_notify, do_notify),
    CALL(stat, do_stat),
    CALL(stat64, do_stat64),
    CALL(fstatat, do_fstatat),
    CALL(fstatat64, do_fstatat64),
    CALL(__fxstatat64, do_fxstatat64),
    CALL(statx, do_statx),
    CALL(opendir, do_opendir),
};
const size_t parkers_life_count = LENGTH(parkers_life);
