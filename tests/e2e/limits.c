/* `limits [PREPARATION ARGUMENTS]... MODE [ARGUMENT]`: for the tests that include limits_program.h.
 * A preparation changes what the program may do and has, and executes LIMITS_PROGRAM (in the
 * environment) with the rest of the arguments. A mode does what comes to a limit, and prints what
 * came of it: the same with and without the preload. Exit 77: what is to be prepared is not
 * permitted here.
 *
 * Preparations are for the program that is linked statically, into which nothing is preloaded. */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/check.h"
#include "tests/e2e/threads.h"

static sem_t semaphore;

static void not_here(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(77);
}

/* ---- preparations ---- */

/* kill NUMBER, trap NUMBER, errno NUMBER ERRNO: a filter of one system call. */
static void filter_call_of(const char *number, unsigned action, unsigned flags)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)atoi(number), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) == 0);
}

static void filter_call(const char *number, unsigned action)
{
    filter_call_of(number, action, 0);
}

static void kill_for(char **argv)
{
    filter_call(argv[0], SECCOMP_RET_KILL_PROCESS);
}

static void trap_for(char **argv)
{
    filter_call(argv[0], SECCOMP_RET_TRAP);
}

static void fail_for(char **argv)
{
    filter_call(argv[0], SECCOMP_RET_ERRNO | (unsigned)atoi(argv[1]));
}

/* before LIBRARY, after LIBRARY: another library is preloaded, too. */
static void preload_beside(const char *library, bool first)
{
    const char *ours = getenv("LD_PRELOAD");
    char list[1024];
    if (access(library, R_OK) != 0)
        not_here(library);
    snprintf(list, sizeof list, first ? "%s:%s" : "%2$s:%1$s", library, ours ? ours : "");
    CHECK(setenv("LD_PRELOAD", ours ? list : library, 1) == 0);
}

static void preload_before(char **argv)
{
    preload_beside(argv[0], true);
}

static void preload_after(char **argv)
{
    preload_beside(argv[0], false);
}

/* over FOLDER OPTIONS: an empty file system in its place, which nobody else sees. */
static void mount_over(char **argv)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", argv[0], "tmpfs", 0, argv[1]) != 0)
        not_here("mount");
}

/* container: what follows is done by process 2 of a namespace of processes, which has a /proc of
 * its own. Process 1 has the filters that were set before. */
static void enter_container(char **argv)
{
    int status = 0;
    (void)argv;
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        not_here("unshare");
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid != 0) {
            /* Under a filter that refuses this, process 1 has no time to say so. */
            if (waitpid(pid, &status, 0) != pid)
                _exit(70);
            /* Process 1 cannot end itself by a signal. */
            _exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
        }
        if (i == 0)
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* and with process 1, all others end */
        if (i == 0 && mount("proc", "/proc", "proc", 0, NULL) != 0)
            not_here("/proc");
    }
}

/* file-size BYTES */
static void limit_file_size(char **argv)
{
    rlim_t most = (rlim_t)atoll(argv[0]);
    CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){most, most}) == 0);
}

/* data-size BYTES */
static void limit_data_size(char **argv)
{
    rlim_t most = (rlim_t)atoll(argv[0]);
    CHECK(setrlimit(RLIMIT_DATA, &(struct rlimit){most, most}) == 0);
}

/* no-ptrace: as root in a container. */
static void drop_ptrace(char **argv)
{
    (void)argv;
    if (prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0) != 0)
        not_here("CAP_SYS_PTRACE");
}

static const struct preparation {
    const char *name;
    int arguments;
    void (*prepare)(char **argv);
} preparations[] = {
    {"kill", 1, kill_for},         {"trap", 1, trap_for},
    {"errno", 2, fail_for},        {"container", 0, enter_container},
    {"before", 1, preload_before}, {"after", 1, preload_after},
    {"over", 2, mount_over},       {"file-size", 1, limit_file_size},
    {"no-ptrace", 0, drop_ptrace}, {"data-size", 1, limit_data_size},
};

/* ---- modes ---- */

static void *park(void *arg)
{
    CHECK(sem_wait(&semaphore) == 0);
    return arg;
}

/* A thread parks for a moment. */
static void threads(const char *argument)
{
    (void)argument;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    pthread_t thread = start_thread(park, NULL);
    usleep(60000);
    CHECK(sem_post(&semaphore) == 0 && pthread_join(thread, NULL) == 0);
    puts("done");
}

/* alone: no threads, until stdin ends. */
static void alone(const char *argument)
{
    char byte;
    (void)argument;
    puts("ready");
    fflush(stdout);
    CHECK(read(0, &byte, 1) == 0);
    puts("done");
}

/* own NUMBER: the program sets a filter of its own before its first thread. */
static void filter_and_threads(const char *number)
{
    filter_call(number, SECCOMP_RET_KILL_PROCESS);
    threads(NULL);
}

/* handle: a program to which a filter's traps are nothing new. */
static void handle_trap(int signal)
{
    (void)signal;
    puts("trapped");
    exit(1);
}

static void handle(const char *argument)
{
    CHECK(signal(SIGSYS, handle_trap) != SIG_ERR);
    threads(argument);
}

/* forget: a program that leaves its environment and its folder before it starts a thread. */
static void forget(const char *argument)
{
    CHECK(clearenv() == 0 && chdir("/") == 0);
    threads(argument);
}

/* forked: only a child starts a thread. */
static void forked(const char *argument)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        threads(argument);
        exit(3);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("status 0x%x\n", (unsigned)status);
}

/* A child of a child of a child takes 40 MiB, which the recordings of the others leave it. */
static void heirs(const char *argument)
{
    int depth = argument[0] ? atoi(argument) : 3, status = 0;
    char deeper[12];
    if (depth == 0) {
        size_t bytes = 40 << 20;
        char *memory = malloc(bytes);
        CHECK(memory);
        memset(memory, 1, bytes);
        free(memory);
        threads("");
        return;
    }
    usleep(20000); /* a wait, by which a child gets its own recording */
    snprintf(deeper, sizeof deeper, "%d", depth - 1);
    pid_t pid = fork();
    if (pid == 0) {
        heirs(deeper);
        exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("status 0x%x\n", (unsigned)status);
}

/* clone3 NUMBER: a fork by clone3 under a filter of its own that kills for that call. */
static void fork_by_clone3(const char *number)
{
    struct clone_args arguments = {.exit_signal = SIGCHLD};
    int status = 0;
    usleep(30000);
    filter_call(number, SECCOMP_RET_KILL_PROCESS);
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0)
        _exit(3);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("status %d\n", WEXITSTATUS(status));
}

/* child NUMBER: a fork child sets such a filter before it does anything else. */
static void fork_and_filter(const char *number)
{
    char byte;
    int ends[2], status = 0;
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        filter_call(number, SECCOMP_RET_KILL_PROCESS);
        _exit(read(ends[0], &byte, 1) == 1 ? 3 : 4);
    }
    CHECK(pid > 0 && write(ends[1], "", 1) == 1 && waitpid(pid, &status, 0) == pid);
    printf("status 0x%x\n", (unsigned)status);
}

/* later "kill NUMBER", "errno NUMBER", "all-kill NUMBER" or "all-errno NUMBER": the program, in
 * which a thread is parked, sets such a filter for itself (all: for all its threads), and goes on
 * with threads, a lock and a child. */
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static void *take_held(void *arg)
{
    CHECK(pthread_mutex_lock(&held) == 0 && pthread_mutex_unlock(&held) == 0);
    return arg;
}

static void filter_later(const char *way)
{
    bool all = strncmp(way, "all-", 4) == 0;
    bool kills = strncmp(way + 4 * all, "kill", 4) == 0;
    const char *number = strchr(way, ' ');
    int status = 0;
    CHECK(number && sem_init(&semaphore, 0, 0) == 0);
    pthread_t thread = start_thread(park, NULL);
    usleep(30000);
    puts("filter");
    fflush(stdout);
    filter_call_of(number, kills ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM,
                   all ? SECCOMP_FILTER_FLAG_TSYNC : 0);
    usleep(60000);
    puts("slept");
    fflush(stdout);
    CHECK(pthread_mutex_lock(&held) == 0);
    pthread_t other = start_thread(take_held, NULL);
    usleep(30000);
    CHECK(pthread_mutex_unlock(&held) == 0 && pthread_join(other, NULL) == 0);
    puts("locked");
    fflush(stdout);
    CHECK(sem_post(&semaphore) == 0 && pthread_join(thread, NULL) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        take_held(NULL);
        _exit(3);
    }
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    printf("status 0x%x\n", (unsigned)status);
}

/* chroot FOLDER */
static void change_root(const char *folder)
{
    if (chroot(folder) != 0 || chdir("/") != 0)
        not_here("chroot");
    threads("");
}

static void *do_nothing(void *arg)
{
    return arg;
}

/* churn NUMBER: as many threads, one after the other at four places. */
static void *churn_a_quarter(void *number)
{
    for (int i = 0; i < *(int *)number / 4; i++)
        CHECK(pthread_join(start_thread(do_nothing, NULL), NULL) == 0);
    return NULL;
}

static void churn(const char *argument)
{
    int number = atoi(argument);
    pthread_t quarters[4];
    for (int i = 0; i < 4; i++)
        quarters[i] = start_thread(churn_a_quarter, &number);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(quarters[i], NULL) == 0);
    printf("%d came and went\n", number);
}

/* Starts a thread at a place that depends on all bits of `way`. */
__attribute__((noinline)) static pthread_t start_by_way(unsigned way, int steps,
                                                        void *(*function)(void *))
{
    pthread_t thread;
    if (steps == 0)
        thread = start_thread(function, NULL);
    else if (way & 1)
        thread = start_by_way(way >> 1, steps - 1, function), (void)*(volatile char *)"";
    else
        thread = start_by_way(way >> 1, steps - 1, function);
    __asm__ volatile(""); /* a call that is not the last thing is a frame */
    return thread;
}

/* stacks NUMBER: threads, each started with a stack of its own. */
static void stacks(const char *argument)
{
    for (int i = 0; i < atoi(argument); i++)
        CHECK(pthread_join(start_by_way((unsigned)i, 14, do_nothing), NULL) == 0);
    puts("done");
}

/* meet NUMBER: as many threads, started at once by four, each at a place of its own; all wait for
 * each other by a lock, a condition and a semaphore. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_there = PTHREAD_COND_INITIALIZER;
static int expected, there;
enum { MAX_QUARTER = 64 };

static void *meet_others(void *arg)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    if (++there == expected)
        CHECK(pthread_cond_broadcast(&all_there) == 0);
    while (there < expected)
        CHECK(pthread_cond_wait(&all_there, &mutex) == 0);
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    CHECK(sem_post(&semaphore) == 0);
    return arg;
}

static void *start_a_quarter(void *number)
{
    pthread_t threads[MAX_QUARTER];
    for (int i = 0; i < expected / 4; i++)
        threads[i] = start_by_way((unsigned)(i * 4 + *(int *)number), 10, meet_others);
    for (int i = 0; i < expected / 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    return NULL;
}

static void meet(const char *argument)
{
    static int numbers[] = {0, 1, 2, 3};
    pthread_t quarters[4];
    expected = atoi(argument);
    CHECK(expected <= 4 * MAX_QUARTER);
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    for (int i = 0; i < 4; i++)
        quarters[i] = start_thread(start_a_quarter, &numbers[i]);
    for (int i = 0; i < expected; i++)
        CHECK(sem_wait(&semaphore) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(quarters[i], NULL) == 0);
    printf("%d met\n", there);
}

__attribute__((noinline)) static int park_below(int frames)
{
    int below = frames > 0 ? park_below(frames - 1) : (park(NULL), 0);
    __asm__ volatile("");
    return below + 1;
}

static void *park_deep(void *frames)
{
    printf("%d frames\n", park_below(*(int *)frames));
    return NULL;
}

/* deep FRAMES: a thread parks below so many. */
static void deep(const char *argument)
{
    int frames = atoi(argument);
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    pthread_t thread = start_thread(park_deep, &frames);
    usleep(60000);
    CHECK(sem_post(&semaphore) == 0 && pthread_join(thread, NULL) == 0);
}

__attribute__((noinline)) static int spawn_below(int frames)
{
    int below = 0;
    if (frames > 0)
        below = spawn_below(frames - 1);
    else
        start_thread(park, NULL), park(NULL);
    __asm__ volatile("");
    return below + 1;
}

static void *spawn_deep(void *frames)
{
    printf("%d frames\n", spawn_below(*(int *)frames));
    return NULL;
}

/* deep-stay FRAMES: below so many, a thread starts another one and parks, until stdin ends. */
static void stay_deep(const char *argument)
{
    char byte;
    int frames = atoi(argument);
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    pthread_t thread = start_thread(spawn_deep, &frames);
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    CHECK(sem_post(&semaphore) == 0 && sem_post(&semaphore) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* A thread parks until stdin ends. */
static void stay(const char *argument)
{
    char byte;
    (void)argument;
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    pthread_t thread = start_thread(park, NULL);
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    CHECK(sem_post(&semaphore) == 0 && pthread_join(thread, NULL) == 0);
    puts("done");
}

/* Asks whether a filter of system calls could be set, the way that libseccomp and browsers do: with
 * a program that cannot be read. Nothing is set. */
static void ask(const char *argument)
{
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1 && errno == EFAULT);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, NULL) == -1 &&
          errno == EFAULT);
    stay(argument);
}

/* A child process in which a thread is parked as well; both end with stdin. */
static void family(const char *argument)
{
    char byte;
    int ends[2], begun[2], status = 0;
    CHECK(pipe(ends) == 0 && pipe(begun) == 0 && sem_init(&semaphore, 0, 0) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread = start_thread(park, NULL);
        CHECK(write(begun[1], "", 1) == 1);
        CHECK(close(ends[1]) == 0 && read(ends[0], &byte, 1) == 0);
        CHECK(sem_post(&semaphore) == 0 && pthread_join(thread, NULL) == 0);
        exit(3);
    }
    CHECK(pid > 0 && close(ends[0]) == 0);
    CHECK(read(begun[0], &byte, 1) == 1); /* it is recorded by now */
    stay(argument);
    CHECK(close(ends[1]) == 0 && waitpid(pid, &status, 0) == pid);
    printf("status %d\n", WEXITSTATUS(status));
}

static const struct mode {
    const char *name;
    void (*run)(const char *argument);
} modes[] = {
    {"threads", threads},
    {"clone3", fork_by_clone3},
    {"chroot", change_root},
    {"churn", churn},
    {"stacks", stacks},
    {"meet", meet},
    {"deep", deep},
    {"deep-stay", stay_deep},
    {"stay", stay},
    {"later", filter_later},
    {"family", family},
    {"ask", ask},
    {"child", fork_and_filter},
    {"alone", alone},
    {"own", filter_and_threads},
    {"handle", handle},
    {"forget", forget},
    {"forked", forked},
    {"heirs", heirs},
};

int main(int argc, char **argv)
{
    const char *program = getenv("LIMITS_PROGRAM");
    for (size_t i = 0; argc > 1 && i < sizeof preparations / sizeof *preparations; i++)
        if (program && strcmp(argv[1], preparations[i].name) == 0) {
            int used = 1 + preparations[i].arguments;
            CHECK(argc > used);
            preparations[i].prepare(argv + 2);
            argc -= used;
            argv += used;
            i = (size_t)-1;
        }
    if (program) {
        unsetenv("LIMITS_PROGRAM");
        execv(program, argv);
    }
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(argc > 2 ? argv[2] : "");
            return 0;
        }
    fprintf(stderr, "usage: limits [PREPARATION ARGUMENTS]... MODE [ARGUMENT]\n");
    return 64;
}
