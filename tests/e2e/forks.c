/* Forks at bad moments: `forks NAME`. Each ends by itself where nobody deadlocks; a watchdog's
 * SIGALRM ends what hangs. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/check.h"

enum { WATCHDOG_S = 60 };

static void *nothing(void *arg)
{
    return arg;
}

static void spawn_and_join(void)
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, nothing, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

static void wait_for(pid_t pid)
{
    int status;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* A child that spawns, which the recorder must be able to do in it. A thread of the parent's may
 * have held any lock of the allocator's: libc gives those back in a fork that it knows of. */
static void child(void)
{
    alarm(WATCHDOG_S);
    spawn_and_join();
    _exit(0);
}

static void fork_once(void)
{
    pid_t pid = fork();
    if (pid == 0)
        child();
    wait_for(pid);
}

/* --- a stream whose lock a fork waits for, and whose holder spawns at a place never seen -------
 */

static int forking, flushed;

static ssize_t write_and_spawn(void *unused, const char *text, size_t bytes)
{
    (void)unused, (void)text;
    /* libc holds the lock of its list of streams; the fork that we wait for will want it. */
    __atomic_store_n(&flushed, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&forking, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    usleep(20000); /* gives the fork time to get there: without it, less is tested */
    spawn_and_join();
    return (ssize_t)bytes;
}

static void *flush(void *stream)
{
    fputs("text", stream);
    CHECK(fflush(NULL) == 0);
    return NULL;
}

static void before_fork(void)
{
    __atomic_store_n(&forking, 1, __ATOMIC_RELEASE);
}

/* Such handlers are called in the reverse of their order: this one when a library that was loaded
 * with the program has taken its locks for the fork. */
static void register_first(void)
{
    CHECK(pthread_atfork(before_fork, NULL, NULL) == 0);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = register_first;

static void stream(void)
{
    pthread_t thread;
    const cookie_io_functions_t functions = {.write = write_and_spawn};
    FILE *file = fopencookie(NULL, "w", functions);
    CHECK(file != NULL);
    CHECK(pthread_create(&thread, NULL, flush, file) == 0);
    while (__atomic_load_n(&flushed, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
    fork_once();
    CHECK(pthread_join(thread, NULL) == 0);
}

/* --- forks of many threads at once, while others give up rights that they do not have ----------
 */

enum { FORKERS = 3, ROUNDS = 30 };

static void *fork_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++)
        fork_once();
    return NULL;
}

static void *change_often(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS * 3; i++)
        CHECK(seteuid(geteuid()) == 0);
    return NULL;
}

static void crowd(void)
{
    pthread_t threads[2 * FORKERS];
    for (int i = 0; i < FORKERS; i++) {
        CHECK(pthread_create(&threads[i], NULL, fork_often, NULL) == 0);
        CHECK(pthread_create(&threads[FORKERS + i], NULL, change_often, NULL) == 0);
    }
    for (int i = 0; i < 2 * FORKERS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* --- handlers that fork, by libc and past it, wherever they come -------------------------------
 */

static volatile sig_atomic_t handled;

/* The child's child is made by a system call that libc sees nothing of; both wait for something. */
static void fork_in_handler(int signal)
{
    char byte;
    int ends[2];
    (void)signal;
    CHECK(pipe(ends) == 0);
    pid_t pid = _Fork();
    if (pid == 0) {
        pid_t inner = (pid_t)syscall(SYS_fork);
        if (inner == 0)
            _exit(write(ends[1], "x", 1) != 1);
        CHECK(read(ends[0], &byte, 1) == 1);
        wait_for(inner);
        _exit(0);
    }
    wait_for(pid);
    close(ends[0]);
    close(ends[1]);
    handled++;
}

static void *spawn_often(void *done)
{
    while (!__atomic_load_n((bool *)done, __ATOMIC_ACQUIRE))
        spawn_and_join();
    return NULL;
}

static void handler(void)
{
    pthread_t thread;
    bool done = false;
    struct sigaction action = {.sa_handler = fork_in_handler, .sa_flags = SA_RESTART};
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(pthread_create(&thread, NULL, spawn_often, &done) == 0);
    for (int i = 0; i < ROUNDS; i++)
        CHECK(pthread_kill(thread, SIGUSR1) == 0 && usleep(500) == 0);
    while (handled == 0)
        usleep(1000);
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    CHECK(pthread_join(thread, NULL) == 0);
}

/* --- a child of a child, and of one that never waited ------------------------------------------
 */

static void generations(void)
{
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();
        if (pid != 0) {
            wait_for(pid);
            return;
        }
        if (i % 2)
            spawn_and_join();
    }
    fork_once();
    _exit(0);
}

/* --- a child whose first calls are those of a child on its memory ------------------------------
 */

static void vforks(void)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid != 0) {
        wait_for(pid);
        return;
    }
    pid = vfork();
    if (pid == 0) {
        if (write(ends[1], "x", 1) != 1)
            _exit(1);
        _exit(0);
    }
    CHECK(pid > 0 && waitpid(pid, NULL, 0) == pid);
    CHECK(read(ends[0], &byte, 1) == 1);
    printf("child %d\n", (int)getpid());
    fflush(stdout);
    CHECK(read(STDIN_FILENO, &byte, 1) == 0); /* parked here */
    _exit(0);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"stream", stream},           {"crowd", crowd},   {"handler", handler},
    {"generations", generations}, {"vforks", vforks},
};

int main(int argc, char **argv)
{
    alarm(WATCHDOG_S);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    return 64;
}
