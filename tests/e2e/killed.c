/* A program to be killed: `killed MODE BOOK SEED [IMAGE]`. It keeps a book of what its threads are
 * in (killed.h). */
#include "tests/e2e/killed.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/e2e/check.h"
#include "tests/e2e/killed_book.h"
#include "tests/e2e/killed_threads.h"

static char *const *arguments;

struct role {
    void (*run)(struct life *life);
    int count;
    uint32_t flags;
};

static const struct role everything[] = {
    {never_signalled, 2, 0},
    {never_locks, 3, 0},
    {never_reads_under_lock, 2, 0},
    {never_posted, 2, 0},
    {never_written, 2, 0},
    {never_joins, 1, 0},
    {deadly, 2, BOOK_DEADLOCKED},
    {locks_in_order, 5, 0},
    {takes_turns, 4, 0},
    {contends, 3, 0},
    {posts, 2, 0},
    {sends, 1, 0},
    {NULL, 0, 0},
};
static const struct role spawners[] = {{spawns, 4, 0}, {NULL, 0, 0}};
static const struct role some[] = {
    {never_signalled, 1, 0}, {locks_in_order, 3, 0}, {spawns, 1, 0}, {NULL, 0, 0}};
static const struct role busy[] = {
    {locks_in_order, 2, 0}, {contends, 2, 0}, {spawns, 1, 0}, {NULL, 0, 0}};

static struct life lives[256];
static int life_count;

static void start(const struct role *roles, int times)
{
    if (roles == everything)
        CHECK(spawn(&eternal, never_signalled, 0));
    for (const struct role *role = roles; role->run != NULL; role++) {
        /* Two can deadlock, and no more. */
        int count = role->flags & BOOK_DEADLOCKED ? role->count : role->count * times;
        for (int i = 0; i < count; i++) {
            struct life *life = &lives[life_count++];
            life->number = i;
            CHECK(spawn(life, role->run, role->flags));
        }
    }
}

/* For the rest of its life. */
static void hold(void)
{
    for (;;)
        in_read(locks.silent[0]);
}

static void spawn_mode(void)
{
    start(spawners, 1);
    hold();
}

static void park_mode(void)
{
    start(everything, 1);
    hold();
}

static void sample_mode(void)
{
    start(everything, 7);
    hold();
}

static void abort_now(void)
{
    abort();
}

static void touch_nothing(void)
{
    *(volatile int *)(uintptr_t)below(1) = 1;
}

static void exit_now(void)
{
    will(BOOK_EXITS, 7);
    exit(7);
}

static void exit_past_handlers(void)
{
    will(BOOK_EXITS, 9);
    _exit(9);
}

static void exit_quickly(void)
{
    will(BOOK_EXITS, 11);
    quick_exit(11);
}

static void exit_by_system_call(void)
{
    will(BOOK_EXITS, 13);
    syscall(SYS_exit_group, 13);
}

/* The others end, and the last one ends the process. */
static void leave(void)
{
    __atomic_store_n(&enough, true, __ATOMIC_RELEASE);
    will(BOOK_EXITS, 0);
    add(&self->returning);
    __atomic_store_n(&me->returning, 1, __ATOMIC_RELEASE);
    pthread_exit(NULL);
}

/* A child that does what processes do, and ends in one of all ways, or not. */
static void be_child(void)
{
    static void (*const ends[])(void) = {exit_now, exit_past_handlers, abort_now, hold};
    begin_process(0);
    life_count = 0;
    if (below(3) != 0) {
        make_locks();
        start(some, 1);
        in_sleep(below(10000));
    }
    ends[below(4)]();
}

enum { CHILDREN = 24 };

static void fork_children(bool only_exits)
{
    for (int i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();
        if (pid == 0 && only_exits) {
            begin_process(0);
            if (below(2))
                in_sleep(below(1000));
            exit_past_handlers();
        }
        if (pid == 0)
            be_child();
        CHECK(pid > 0);
        if (only_exits)
            in_waitpid(pid);
        else
            in_sleep(below(4000));
    }
}

static void fork_mode(void)
{
    start(some, 1);
    fork_children(false);
    hold();
}

static void child_mode(void)
{
    start(some, 1);
    fork_children(true);
    exit_now();
}

static void exec_mode(void)
{
    char image[16];
    start(some, 1);
    in_sleep(below(12000));
    if (self->image == 20)
        hold();
    snprintf(image, sizeof image, "%d", self->image + 1);
    will(BOOK_EXECS, 0);
    execv("/proc/self/exe",
          (char *[]){arguments[0], arguments[1], arguments[2], arguments[3], image, NULL});
    CHECK(!"execv returned");
}

static void exit_mode(void)
{
    static void (*const ends[])(void) = {exit_now, exit_past_handlers, exit_quickly,
                                         exit_by_system_call, leave};
    start(spawners, 1);
    in_sleep(below(30000));
    ends[below(sizeof ends / sizeof *ends)]();
}

static void abort_mode(void)
{
    start(some, 1);
    in_sleep(below(30000));
    abort_now();
}

static void segv_mode(void)
{
    start(some, 1);
    in_sleep(below(30000));
    touch_nothing();
}

static void exit_in_handler(int signal)
{
    (void)signal;
    if (below(2))
        exit_now();
    exit_past_handlers();
}

/* The signal comes to the main thread alone, which is in nothing then that exit cannot bear. */
static void handler_mode(void)
{
    sigset_t alarms;
    const struct sigaction action = {.sa_handler = exit_in_handler};
    struct itimerval timer = {.it_value.tv_usec = 1 + below(30000)};
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    CHECK(pthread_sigmask(SIG_BLOCK, &alarms, NULL) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    start(busy, 1);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0 &&
          pthread_sigmask(SIG_UNBLOCK, &alarms, NULL) == 0);
    for (;;) {
        in_mutex_lock(&locks.ordered[0]);
        pthread_mutex_unlock(&locks.ordered[0]);
        if (below(100) == 0)
            in_sleep(below(100));
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    {"spawn", spawn_mode},     {"park", park_mode},   {"sample", sample_mode}, {"fork", fork_mode},
    {"exec", exec_mode},       {"exit", exit_mode},   {"abort", abort_mode},   {"segv", segv_mode},
    {"handler", handler_mode}, {"child", child_mode},
};

int main(int argc, char *argv[])
{
    CHECK(argc >= 4);
    arguments = argv;
    int fd = open(argv[2], O_RDWR | O_CLOEXEC);
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(fd >= 0 && book != MAP_FAILED && close(fd) == 0);
    seed = strtoull(argv[3], NULL, 10);
    begin_process(argc > 4 ? atoi(argv[4]) : 0);
    make_locks();
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(modes[i].name, argv[1]) == 0)
            modes[i].run();
    CHECK(!"there is no such mode");
}
