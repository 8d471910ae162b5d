/* Threads and processes that begin and end; names, credentials, limits. */
#include "tests/conformance/conform.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

int capset(void *header, const void *data);

static void *give_back(void *arg)
{
    return arg;
}

static int give_42(void *arg)
{
    (void)arg;
    return 42;
}

static void *pause_for_ever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static void *exit_with(void *arg)
{
    pthread_exit(arg);
}

static int c11_exit(void *arg)
{
    (void)arg;
    thrd_exit(43);
}

/* --- threads --------------------------------------------------------------------------------- */

static void create(struct rows *rows)
{
    pthread_t thread;
    pthread_attr_t attributes;
    void *value;
    ROW(pthread_create, "joined")
    {
        POSIX(pthread_create(&thread, NULL, give_back, &value));
        POSIX(pthread_join(thread, &value));
        say(value == (void *)&value ? "its value" : "another value");
    }
    ROW(pthread_create, "detached")
    {
        CHECK(pthread_attr_init(&attributes) == 0);
        POSIX(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED));
        POSIX(pthread_create(&thread, &attributes, pause_for_ever, NULL));
        POSIX(pthread_join(thread, NULL));
        POSIX(pthread_detach(thread));
    }
    ROW(pthread_create, "with a stack of its own")
    {
        static char stack[128 * 1024] __attribute__((aligned(4096)));
        CHECK(pthread_attr_init(&attributes) == 0);
        POSIX(pthread_attr_setstack(&attributes, stack, sizeof stack));
        POSIX(pthread_create(&thread, &attributes, give_back, stack));
        POSIX(pthread_join(thread, &value));
        say(value == stack ? "its value" : "another value");
    }
    ROW(pthread_create, "in real time, which may not be permitted")
    {
        struct sched_param param = {.sched_priority = 5};
        CHECK(pthread_attr_init(&attributes) == 0);
        POSIX(pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED));
        POSIX(pthread_attr_setschedpolicy(&attributes, SCHED_FIFO));
        POSIX(pthread_attr_setschedparam(&attributes, &param));
        POSIX(pthread_create(&thread, &attributes, give_back, NULL));
    }
    ROW(pthread_create, "on a processor that is not there")
    {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(CPU_SETSIZE - 1, &set);
        CHECK(pthread_attr_init(&attributes) == 0);
        POSIX(pthread_attr_setaffinity_np(&attributes, sizeof set, &set));
        POSIX(pthread_create(&thread, &attributes, give_back, NULL));
    }
    ROW(pthread_create, "without memory for the stack")
    {
        CHECK(pthread_attr_init(&attributes) == 0);
        CHECK(pthread_attr_setstacksize(&attributes, (size_t)1 << 46) == 0);
        POSIX(pthread_create(&thread, &attributes, give_back, NULL));
        POSIX(pthread_create(&thread, NULL, give_back, NULL));
        POSIX(pthread_join(thread, NULL));
    }
    ROW(thrd_create, "joined")
    {
        thrd_t c11;
        int result = 0;
        LIBC(thrd_create(&c11, give_42, NULL));
        LIBC(thrd_join(c11, &result));
        say("%d", result);
    }
    ROW(thrd_exit, "of a thread")
    {
        thrd_t c11;
        int result = 0;
        LIBC(thrd_create(&c11, c11_exit, NULL));
        LIBC(thrd_join(c11, &result));
        say("%d", result);
    }
    ROW(thrd_exit, "of the first thread")
    {
        say("leaves");
        thrd_exit(9);
    }
    ROW(thrd_detach, "of a thread")
    {
        thrd_t c11;
        LIBC(thrd_create(&c11, give_42, NULL));
        LIBC(thrd_detach(c11));
    }
    ROW(pthread_detach, "of a thread that runs")
    {
        thread = start_thread(pause_for_ever, NULL);
        POSIX(pthread_detach(thread));
        POSIX(pthread_detach(thread));
        POSIX(pthread_join(thread, NULL));
        POSIX(pthread_tryjoin_np(thread, NULL));
    }
    ROW(pthread_exit, "of a thread")
    {
        POSIX(pthread_create(&thread, NULL, exit_with, &value));
        say(join_thread(thread) == (void *)&value ? "its value" : "another value");
    }
    ROW(pthread_exit, "of the first thread")
    {
        say("leaves");
        pthread_exit(NULL);
    }
    ROW(pthread_join, "of itself") POSIX(pthread_join(pthread_self(), NULL));
    ROW(pthread_tryjoin_np, "of a thread that runs")
    {
        thread = start_thread(pause_for_ever, NULL);
        POSIX(pthread_tryjoin_np(thread, &value));
        POSIX(pthread_cancel(thread));
        POSIX(pthread_join(thread, &value));
        say(value == PTHREAD_CANCELED ? "cancelled" : "ended");
    }
    ROW(pthread_setname_np, "short, long, empty")
    {
        char name[16] = "";
        static const char *const names[] = {"short", "exactly 15 char", "more than 15 chars", ""};
        for (size_t i = 0; i < LENGTH(names); i++) {
            POSIX(pthread_setname_np(pthread_self(), names[i]));
            pthread_getname_np(pthread_self(), name, sizeof name);
            say("\"%s\"", name);
        }
    }
    ROW(prctl, "names and more")
    {
        char name[16] = "";
        LIBC(prctl(PR_SET_NAME, "more than 15 chars"));
        LIBC(prctl(PR_GET_NAME, name));
        say("\"%s\"", name);
        LIBC(prctl(PR_SET_DUMPABLE, 0));
        LIBC(prctl(PR_GET_DUMPABLE));
        LIBC(prctl(-1, 0, 0, 0, 0));
    }
}

/* In a child, threads of the parent are not there; their handles are. */
static void child_and_threads(struct rows *rows)
{
    static const struct {
        const char *function;
        int which;
    } calls[] = {{"pthread_join", 0},
                 {"pthread_tryjoin_np", 1},
                 {"pthread_detach", 2},
                 {"pthread_setname_np", 3}};
    for (size_t i = 0; i < LENGTH(calls); i++)
        if (row_begins(rows, calls[i].function, "in a child, of a thread of its parent")) {
            pthread_t thread = start_thread(pause_for_ever, NULL);
            int status;
            pid_t child = fork();
            if (child == 0) {
                nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
                POSIX(i == 0   ? pthread_join(thread, NULL)
                      : i == 1 ? pthread_tryjoin_np(thread, NULL)
                      : i == 2 ? pthread_detach(thread)
                               : pthread_setname_np(thread, "name") != 0);
                _exit(0);
            }
            CHECK(waitpid(child, &status, 0) == child);
            say("child 0x%x", (unsigned)status);
        }
}

/* --- processes ------------------------------------------------------------------------------- */

static void handler(void)
{
    say("handler");
}

static int end_with_7(void *arg)
{
    say(arg != NULL ? "in the clone" : "in the clone, without argument");
    return 7;
}

/* By when the library looks from a thread of its own, which may not be what the process lasts for.
 */
static void park_for_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
}

static int park_and_end(void *arg)
{
    park_for_a_moment();
    return end_with_7(arg);
}

static int park_and_leave(void *arg)
{
    park_for_a_moment();
    say("leaves");
    pthread_exit(arg);
}

static void *leave_by_a_call(void *arg)
{
    park_for_a_moment();
    say("leaves");
    syscall(SYS_exit, 17);
    return arg;
}

static void *outlive_the_first(void *arg)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    while (state != 'Z') {
        FILE *file = fopen(path, "re");
        CHECK(file != NULL && fscanf(file, "%*d %*s %c", &state) == 1);
        fclose(file);
        sleep_ms(1);
    }
    say("outlived it");
    return arg;
}

static void say_child(pid_t child, int flags)
{
    int status = 0;
    errno = 0;
    say_result(waitpid(child, &status, flags) == child ? 1 : -1, errno);
    say("%s ended %d", child > 0 ? "child" : "no child", WEXITSTATUS(status));
}

static void processes(struct rows *rows)
{
    static char stack[128 * 1024] __attribute__((aligned(16)));
    ROW(_exit, "with handlers")
    {
        atexit(handler);
        _exit(300);
    }
    ROW(_Exit, "with handlers")
    {
        atexit(handler);
        _Exit(-1);
    }
    ROW(quick_exit, "with handlers")
    {
        atexit(handler);
        at_quick_exit(handler);
        at_quick_exit(handler);
        quick_exit(11);
    }
    ROW(_Fork, "and ends")
    {
        pid_t child = _Fork();
        if (child == 0)
            _exit(12);
        say_child(child, 0);
    }
    ROW(clone, "as a fork") say_child(clone(end_with_7, stack + sizeof stack, SIGCHLD, stack), 0);
    ROW(clone, "with memory shared")
    say_child(clone(end_with_7, stack + sizeof stack, SIGCHLD | CLONE_VM | CLONE_VFORK, stack), 0);
    ROW(clone, "without a signal")
    say_child(clone(end_with_7, stack + sizeof stack, 0, NULL), __WCLONE);
    ROW(clone, "as a fork that parks, and returns")
    say_child(clone(park_and_end, stack + sizeof stack, SIGCHLD, stack), 0);
    ROW(clone, "as a fork of a process with threads that parks, and returns")
    {
        start_thread(pause_for_ever, NULL);
        say_child(clone(park_and_end, stack + sizeof stack, SIGCHLD, stack), 0);
    }
    ROW(clone, "as a fork of a process with threads that parks, and leaves by pthread_exit")
    {
        start_thread(pause_for_ever, NULL);
        say_child(clone(park_and_leave, stack + sizeof stack, SIGCHLD, stack), 0);
    }
    ROW(clone, "without a function") LIBC(clone(NULL, stack + sizeof stack, SIGCHLD, NULL));
    ROW(clone, "without a stack") LIBC(clone(end_with_7, NULL, SIGCHLD, NULL));
    ROW(clone, "with flags that do not go together")
    LIBC(clone(end_with_7, stack + sizeof stack, CLONE_SIGHAND, NULL));
    ROW(syscall, "numbers of none")
    {
        LIBC(syscall(-1));
        LIBC(syscall(100000, 1, 2, 3, 4, 5, 6));
        LIBC(syscall(SYS_getpid) == getpid());
    }
    ROW(syscall, "all six arguments")
    {
        void *at =
            (void *)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        LIBC(at == MAP_FAILED);
        LIBC(syscall(SYS_munmap, at, 4096));
        /* An offset within a page, and words that are what they are to be, or not. */
        LIBC((void *)syscall(SYS_mmap, NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                             1L) == MAP_FAILED);
        uint32_t words[2] = {7, 8};
        LIBC(syscall(SYS_futex, &words[0], FUTEX_CMP_REQUEUE, 1L, 1L, &words[1], 7L));
        LIBC(syscall(SYS_futex, &words[0], FUTEX_CMP_REQUEUE, 1L, 1L, &words[1], 8L));
    }
    ROW(syscall, "fork")
    {
        pid_t child = (pid_t)syscall(SYS_fork);
        if (child == 0)
            _exit(13);
        say_child(child, 0);
    }
    ROW(syscall, "exit, of the only thread, which has parked")
    {
        park_for_a_moment();
        syscall(SYS_exit, 14);
    }
    ROW(syscall, "exit, of the first thread, which another one outlives")
    {
        park_for_a_moment();
        start_thread(outlive_the_first, NULL);
        syscall(SYS_exit, 15);
    }
    ROW(syscall, "exit, of a thread that has parked")
    {
        pthread_t thread = start_thread(leave_by_a_call, NULL);
        POSIX(pthread_join(thread, NULL));
    }
    ROW(syscall, "exit_group, of a thread")
    {
        start_thread(pause_for_ever, NULL);
        syscall(SYS_exit_group, 16);
    }
    ROW(fcntl, "commands")
    {
        int fd = memfd_create("file", 0), again;
        LIBC(fcntl(fd, F_GETFD));
        LIBC(fcntl(fd, F_SETFD, FD_CLOEXEC));
        LIBC(fcntl(fd, F_GETFD));
        again = fcntl(fd, F_DUPFD, 200);
        LIBC(again - 200);
        LIBC(fcntl(fd, F_GETFL) & O_ACCMODE);
        LIBC(fcntl(-1, F_GETFL));
        LIBC(fcntl(fd, 9999, 0));
        LIBC(fcntl(-1, F_SETLKW, NULL));
    }
    ROW(prctl, "a filter of system calls that does not fit") LIBC(prctl(PR_SET_SECCOMP, 2, 8));
}

/* --- credentials ----------------------------------------------------------------------------- */

static void say_ids(void)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;
    CHECK(getresuid(&r, &e, &s) == 0 && getresgid(&gr, &ge, &gs) == 0);
    say("%u %u %u, %u %u %u", r, e, s, gr, ge, gs);
}

/* Each for an id that is one's own, one that only root may take, one that is none; beside threads.
 */
#define IDENTITY(function, ...)                                                                    \
    for (size_t i = 0; i < LENGTH(ids); i++)                                                       \
        for (int threads = 0; threads < 2; threads++)                                              \
            ROW(function, "%s%s", ids[i].name, threads ? ", with threads" : "")                    \
            {                                                                                      \
                unsigned id = ids[i].id;                                                           \
                for (int j = 0; j < 3 * threads; j++)                                              \
                    start_thread(pause_for_ever, NULL);                                            \
                LIBC(__VA_ARGS__);                                                                 \
                say_ids();                                                                         \
            }

static void credentials(struct rows *rows)
{
    const struct {
        const char *name;
        unsigned id;
    } ids[] = {{"its own", getuid()}, {"another", 65534}, {"none", (unsigned)-1}};
    gid_t groups[] = {1, 2};
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};
#include "tests/conformance/identities.def"
    ROW(setgroups, "too many") LIBC(setgroups(1 << 20, groups));
    ROW(setgroups, "two") LIBC(setgroups(2, groups));
    ROW(initgroups, "nobody known") LIBC(initgroups("no such user", 5));
    ROW(capset, "none") LIBC(capset(&header, none));
    ROW(capset, "of a version that is not there")
    {
        header.version = 7;
        LIBC(capset(&header, none));
        say("%x", header.version);
    }
    ROW(unshare, "nothing") LIBC(unshare(0));
    ROW(unshare, "files") LIBC(unshare(CLONE_FILES));
    ROW(unshare, "flags of none") LIBC(unshare(1));
    ROW(unshare, "a user namespace, with threads")
    {
        start_thread(pause_for_ever, NULL);
        LIBC(unshare(CLONE_NEWUSER));
    }
    ROW(setns, "no descriptor") LIBC(setns(-1, 0));
    ROW(setns, "its own namespace")
    {
        int fd = open("/proc/self/ns/uts", O_RDONLY);
        LIBC(setns(fd, CLONE_NEWUTS));
        LIBC(setns(fd, CLONE_NEWNET));
    }
}

void family_life(struct rows *rows)
{
    create(rows);
    child_and_threads(rows);
    processes(rows);
    credentials(rows);
}
