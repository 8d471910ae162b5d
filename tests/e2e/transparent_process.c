/* Scenarios of `transparent`: fork, exec and the ends of processes. */
#include "tests/e2e/transparent.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

extern char **environ;

static sem_t semaphore;

/* ---- fork ---- */

static pid_t fork_checked(void)
{
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    return pid;
}

static void wait_and_say(pid_t pid, const char *who)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status))
        printf("%s exited %d\n", who, WEXITSTATUS(status));
    else
        printf("%s was killed by %d\n", who, WTERMSIG(status));
}

static void *park_until_posted(void *arg)
{
    CHECK(sem_wait(&semaphore) == 0);
    return arg;
}

/* Parks a thread for a while, in whichever process. */
static void park_a_thread(void)
{
    sem_init(&semaphore, 0, 0);
    pthread_t thread = start_thread(park_until_posted, NULL);
    sleep_ms(60);
    sem_post(&semaphore);
    join_thread(thread);
}

int fork_and_park(void)
{
    pid_t child = fork_checked();
    if (child == 0) {
        park_a_thread();
        puts("child parked");
        exit(3);
    }
    park_a_thread();
    wait_and_say(child, "child");
    return 4;
}

static void fork_down(int depth)
{
    if (depth == 0)
        return;
    pid_t child = fork_checked();
    if (child == 0) {
        park_a_thread();
        fork_down(depth - 1);
        exit(depth);
    }
    wait_and_say(child, "descendant");
}

int fork_nested(void)
{
    fork_down(4);
    return 0;
}

static void *fork_in_thread(void *arg)
{
    pid_t child = fork_checked();
    if (child == 0) {
        park_a_thread();
        exit(5);
    }
    wait_and_say(child, "child of a thread");
    return arg;
}

int fork_from_a_thread(void)
{
    join_thread(start_thread(fork_in_thread, NULL));
    join_thread(start_thread(fork_in_thread, NULL));
    return 0;
}

int fork_while_others_park(void)
{
    pthread_t threads[8];
    sem_init(&semaphore, 0, 0);
    for (int i = 0; i < 8; i++)
        threads[i] = start_thread(park_until_posted, NULL);
    sleep_ms(60);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork_checked();
        if (child == 0)
            _exit(i);
        wait_and_say(child, "child");
    }
    for (int i = 0; i < 8; i++)
        sem_post(&semaphore);
    for (int i = 0; i < 8; i++)
        join_thread(threads[i]);
    return 0;
}

/* As servers do to show a title in ps: the environment moves elsewhere, and its place is written
 * over. */
int fork_after_environment_overwritten(void)
{
    char *first = environ[0], *end = first;
    for (size_t i = 0; environ[i]; i++) {
        end = environ[i] + strlen(environ[i]);
        environ[i] = strdup(environ[i]);
        CHECK(environ[i]);
    }
    memset(first, 'x', (size_t)(end - first));
    return fork_and_park();
}

int fork_after_chdir(void)
{
    CHECK(chdir("/") == 0);
    return fork_and_park();
}

/* Handlers of pthread_atfork that are registered before those of any library, as the runtime of a
 * sanitizer does: the one before the fork is called last, those after it first. */
static struct {
    void (*before)(void);
    void (*in_parent)(void);
    void (*in_child)(void);
} handlers;

static void call_before(void)
{
    if (handlers.before)
        handlers.before();
}

static void call_in_parent(void)
{
    if (handlers.in_parent)
        handlers.in_parent();
}

static void call_in_child(void)
{
    if (handlers.in_child)
        handlers.in_child();
}

static void register_first(void)
{
    CHECK(pthread_atfork(call_before, call_in_parent, call_in_child) == 0);
}

__attribute__((section(".preinit_array"), used)) static void (*const first)(void) = register_first;

static pthread_t started_in_child;

static void *return_at_once(void *arg)
{
    return arg;
}

static void start_in_child(void)
{
    started_in_child = start_thread(return_at_once, &semaphore);
}

int fork_whose_handler_starts_a_thread(void)
{
    handlers.in_child = start_in_child;
    for (int i = 0; i < 20; i++) {
        pid_t child = fork_checked();
        if (child == 0) {
            CHECK(join_thread(started_in_child) == &semaphore);
            park_a_thread();
            _exit(i);
        }
        wait_and_say(child, "child");
    }
    return 0;
}

/* Also those of libc's own, of which it does not tell. */
static uint64_t blocked_signals(void)
{
    uint64_t blocked = 0;
    CHECK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, sizeof blocked) == 0);
    return blocked;
}

enum { STARTED_BY_HANDLERS = 8 };
static pthread_t started_by_handlers[STARTED_BY_HANDLERS];
static uint64_t blocked_in[STARTED_BY_HANDLERS];
static int started_count;

static void *note_blocked(void *blocked)
{
    *(uint64_t *)blocked = blocked_signals();
    return park_until_posted(NULL);
}

static int note_blocked_c11(void *blocked)
{
    note_blocked(blocked);
    return 0;
}

static void start_in_handler(void)
{
    started_by_handlers[started_count] = start_thread(note_blocked, &blocked_in[started_count]);
    started_count++;
    CHECK(thrd_create(&started_by_handlers[started_count], note_blocked_c11,
                      &blocked_in[started_count]) == thrd_success);
    started_count++;
}

static void end_started(const char *who)
{
    printf("%s: setuid: %d\n", who, setuid(getuid())); /* it signals all of them */
    for (int i = 0; i < started_count; i++)
        sem_post(&semaphore);
    for (int i = 0; i < started_count; i++) {
        join_thread(started_by_handlers[i]);
        printf("%s: thread %d: blocked: %llx\n", who, i, (unsigned long long)blocked_in[i]);
    }
}

int fork_whose_handlers_start_threads_that_stay(void)
{
    sigset_t usr2;
    alarm(20);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    CHECK(sem_init(&semaphore, 0, 0) == 0 && pthread_sigmask(SIG_BLOCK, &usr2, NULL) == 0);
    handlers.before = handlers.in_parent = start_in_handler;
    pid_t child = fork_checked();
    if (child == 0)
        _exit(3);
    handlers.before = handlers.in_parent = NULL;
    end_started("parent");
    started_count = 0;
    handlers.in_child = start_in_handler;
    wait_and_say(child, "child");
    child = fork_checked();
    if (child == 0) {
        alarm(20);
        end_started("child");
        exit(4);
    }
    wait_and_say(child, "child");
    printf("blocked: %llx\n", (unsigned long long)blocked_signals());
    return 0;
}

static pid_t forked_in_handler;

static void fork_in_handler(void)
{
    handlers.before = handlers.in_parent = NULL; /* not in its own */
    forked_in_handler = fork();
    if (forked_in_handler == 0)
        _exit(blocked_signals() == 0 ? 5 : 6);
}

static void fork_with_handlers(void (*before)(void), void (*in_parent)(void))
{
    handlers.before = before;
    handlers.in_parent = in_parent;
    pid_t child = fork_checked();
    if (child == 0)
        _exit(blocked_signals() == 0 ? 3 : 4);
    wait_and_say(child, "child");
    wait_and_say(forked_in_handler, "child of a handler");
    printf("blocked: %llx\n", (unsigned long long)blocked_signals());
}

int fork_whose_handler_forks(void)
{
    fork_with_handlers(fork_in_handler, NULL);
    fork_with_handlers(NULL, fork_in_handler);
    park_a_thread();
    return 0;
}

static void park_in_handler(int signal_number)
{
    (void)signal_number;
    CHECK(sem_wait(&semaphore) == 0);
}

/* With less stack for the first wait of a child, with which its recording begins, than that takes.
 * The parent calls the functions first: to look for them takes stack, too. */
int fork_and_park_on_small_stack(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    stack_t stack = {.ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 2048};
    char *memory = mmap(NULL, page + stack.ss_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(memory != MAP_FAILED && mprotect(memory, page, PROT_NONE) == 0);
    stack.ss_sp = memory + page;
    CHECK(sigaction(SIGUSR1,
                    &(struct sigaction){.sa_handler = park_in_handler, .sa_flags = SA_ONSTACK},
                    NULL) == 0);
    CHECK(sem_init(&semaphore, 0, 2) == 0 && raise(SIGUSR1) == 0);
    pid_t child = fork_checked();
    if (child == 0) {
        CHECK(sigaltstack(&stack, NULL) == 0 && raise(SIGUSR1) == 0);
        _exit(3);
    }
    wait_and_say(child, "child");
    return 0;
}

/* Goes on in a process that its starter does not know, and says so through a pipe. */
int daemon_like(void)
{
    int ends[2];
    char text[16] = "";
    CHECK(pipe(ends) == 0);
    pid_t child = fork_checked();
    if (child == 0) {
        setsid();
        if (fork_checked() != 0)
            _exit(2);
        park_a_thread();
        CHECK(write(ends[1], "daemon", 6) == 6);
        _exit(0);
    }
    wait_and_say(child, "first child");
    CHECK(read(ends[0], text, sizeof text - 1) == 6);
    puts(text);
    return 0;
}

/* ---- exec ---- */

static void exec_self(const char *scenario, const char *argument)
{
    fflush(NULL);
    execl("/proc/self/exe", "transparent", scenario, argument, (char *)NULL);
}

int exec_chain(void)
{
    int left = scenario_argv[0] ? atoi(scenario_argv[0]) : 3;
    char text[16];
    park_a_thread();
    printf("%d to go\n", left);
    if (left == 0)
        return 6;
    snprintf(text, sizeof text, "%d", left - 1);
    exec_self("exec_chain", text);
    return 1;
}

static void *exec_in_thread(void *arg)
{
    exec_self("exec_from_a_thread", "again");
    return arg;
}

int exec_from_a_thread(void)
{
    if (scenario_argv[0]) {
        park_a_thread();
        puts("executed");
        return 0;
    }
    sem_init(&semaphore, 0, 0);
    start_thread(park_until_posted, NULL);
    sleep_ms(30);
    join_thread(start_thread(exec_in_thread, NULL));
    return 1;
}

/* In a child, which was recorded before in a file of its own. */
int exec_where_the_first_recording_is_gone(void)
{
    const char *recording = getenv("LEAKSPY_OUT");
    if (!scenario_argv[0]) {
        pid_t child = fork_checked();
        if (child != 0) {
            wait_and_say(child, "child");
            return 0;
        }
    }
    park_a_thread();
    if (scenario_argv[0])
        return 3;
    if (recording)
        CHECK(unlink(recording) == 0);
    exec_self("exec_where_the_first_recording_is_gone", "again");
    return 1;
}

int exec_that_fails(void)
{
    int result = execl("/nonexistent/program", "program", (char *)NULL);
    printf("%d, errno %d\n", result, errno);
    park_a_thread();
    puts("went on");
    return 0;
}

int vfork_and_exec(void)
{
    for (volatile int i = 0; i < 5; i++) {
        fflush(NULL);
        pid_t child = vfork();
        if (child == 0) {
            execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
            _exit(127);
        }
        wait_and_say(child, "child");
    }
    park_a_thread();
    return 0;
}

int vfork_and_exit(void)
{
    for (volatile int i = 0; i < 5; i++) {
        fflush(NULL);
        pid_t child = vfork();
        if (child == 0) {
            if (write(1, "in the child\n", 13) != 13)
                _exit(1);
            usleep(30000); /* parks on the parent's memory */
            _exit(i);
        }
        wait_and_say(child, "child");
    }
    park_a_thread();
    return 0;
}

int spawn_processes(void)
{
    posix_spawn_file_actions_t actions;
    static char sh[] = "sh", option[] = "-c", command[] = "echo spawned";
    char *argv[] = {sh, option, command, NULL};
    char text[64] = "";
    pid_t child;
    fflush(NULL);
    CHECK(posix_spawn(&child, "/bin/sh", NULL, NULL, argv, environ) == 0);
    wait_and_say(child, "spawned child");
    fflush(NULL);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, 1);
    CHECK(posix_spawnp(&child, "sh", &actions, NULL, argv, environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    CHECK(waitpid(child, NULL, 0) == child);
    printf("%d\n", posix_spawn(&child, "/nonexistent", NULL, NULL, argv, environ) == ENOENT);
    fflush(NULL);
    printf("system: %d\n", WEXITSTATUS(system("exit 11")));
    FILE *pipe = popen("echo from a pipe", "r");
    CHECK(pipe && fgets(text, sizeof text, pipe));
    printf("%s%d\n", text, pclose(pipe));
    return 0;
}

int no_children_of_others(void)
{
    int result = waitpid(-1, NULL, WNOHANG);
    printf("%d, errno %d\n", result, errno);
    return 0;
}

/* ---- ends ---- */

int exit_status(void)
{
    return 259; /* the low byte of it */
}

int exit_at_once(void)
{
    printf("flushed by hand\n");
    fflush(stdout);
    atexit(abort);
    _exit(8);
}

static void at_quick_exit_handler(void)
{
    puts("quick exit handler");
    fflush(stdout);
}

int exit_quickly(void)
{
    at_quick_exit(at_quick_exit_handler);
    quick_exit(9);
}

static void no_core(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

int exit_by_abort(void)
{
    no_core();
    abort();
}

int exit_by_fault(void)
{
    no_core();
    fflush(NULL);
    volatile uintptr_t nowhere = 8;
    *(volatile int *)nowhere = 1;
    return 0;
}

static void exit_handler(void)
{
    park_a_thread();
    puts("exit handler");
}

__attribute__((destructor)) static void last_words(void)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
}

int exit_handlers_use_threads(void)
{
    atexit(exit_handler);
    atexit(exit_handler);
    return 12;
}
