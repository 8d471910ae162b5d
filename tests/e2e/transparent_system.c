/* Scenarios of `transparent`: descriptors, users, limits, signals. */
#include "tests/e2e/transparent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

static sem_t semaphore, inner_semaphore;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void *park_until_posted(void *arg)
{
    while (sem_wait(&semaphore) != 0)
        CHECK(errno == EINTR);
    return arg;
}

static void park_a_thread(void)
{
    sem_init(&semaphore, 0, 0);
    pthread_t thread = start_thread(park_until_posted, NULL);
    sleep_ms(60);
    sem_post(&semaphore);
    join_thread(thread);
}

/* ---- descriptors ---- */

static void list_descriptors(void)
{
    for (int fd = 0; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            printf("%d ", fd);
    puts("are open");
}

int descriptors(void)
{
    int fd = open("/dev/null", O_RDONLY);
    printf("opened %d\n", fd);
    list_descriptors();
    park_a_thread();
    list_descriptors();
    printf("%d\n", dup(0));
    return 0;
}

static atomic_bool stop;

/* Something new for the sampler to look at, again and again. */
static void *park_often(void *arg)
{
    while (!atomic_load(&stop)) {
        pthread_t thread = start_thread(park_until_posted, NULL);
        usleep(3000);
        sem_post(&semaphore);
        join_thread(thread);
    }
    return arg;
}

int descriptors_come_lowest_first(void)
{
    sem_init(&semaphore, 0, 0);
    pthread_t thread = start_thread(park_often, NULL);
    int lowest = open("/dev/null", O_RDONLY), others = 0;
    close(lowest);
    for (int i = 0; i < 200000; i++) {
        int fd = open("/dev/null", O_RDONLY);
        others += fd != lowest;
        close(fd);
    }
    atomic_store(&stop, true);
    join_thread(thread);
    printf("lowest %d, others %d\n", lowest, others);
    return 0;
}

int standard_descriptors_reused(void)
{
    int kept = dup(1), wrong = 0;
    sem_init(&semaphore, 0, 0);
    pthread_t thread = start_thread(park_often, NULL);
    for (int i = 0; i < 50000; i++)
        for (int fd = 0; fd < 3; fd++) {
            close(fd);
            wrong += open("/dev/null", O_RDWR) != fd;
        }
    atomic_store(&stop, true);
    join_thread(thread);
    CHECK(dup2(kept, 1) == 1);
    printf("%d were not the one that was closed\n", wrong);
    return 0;
}

int close_all(void)
{
    park_a_thread();
    closefrom(3);
    park_a_thread();
    printf("opened %d\n", open("/dev/null", O_RDONLY));
    for (int fd = 3; fd < 2048; fd++)
        close(fd);
    park_a_thread();
    printf("opened %d\n", open("/dev/null", O_RDONLY));
    return 0;
}

/* ---- users and name spaces ---- */

static void *say_user(void *arg)
{
    printf("uid %d, euid %d, gid %d\n", getuid(), geteuid(), getgid());
    return arg;
}

/* Threads that do not have the process's user: whoever they belong to, nothing was dropped. */
static int count_strangers(uid_t uid)
{
    char path[300], line[256];
    int strangers = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks);
    for (struct dirent *task; (task = readdir(tasks));) {
        unsigned real, effective;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file))
            if (sscanf(line, "Uid: %u %u", &real, &effective) == 2)
                strangers += real != uid || effective != uid;
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return strangers;
}

int change_user(void)
{
    pthread_t thread;
    sem_init(&semaphore, 0, 0);
    thread = start_thread(park_until_posted, NULL);
    sleep_ms(60);
    uid_t uid = getuid() == 0 ? 65534 : getuid();
    gid_t gid = getuid() == 0 ? 65534 : getgid();
    printf("%d ", setresgid(gid, gid, gid));
    printf("%d\n", setresuid(uid, uid, uid));
    say_user(NULL);
    printf("%d strangers\n", count_strangers(uid));
    join_thread(start_thread(say_user, NULL));
    sem_post(&semaphore);
    join_thread(thread);
    park_a_thread();
    printf("%d strangers\n", count_strangers(uid));
    return 0;
}

int unshare_user(void)
{
    int result = unshare(CLONE_NEWUSER);
    printf("%d, errno %d\n", result, result ? errno : 0);
    park_a_thread();
    puts("went on");
    return 0;
}

int unshare_with_threads(void)
{
    sem_init(&semaphore, 0, 0);
    pthread_t thread = start_thread(park_until_posted, NULL);
    int result = unshare(CLONE_NEWUSER);
    printf("%d, errno %d\n", result, result ? errno : 0);
    sem_post(&semaphore);
    join_thread(thread);
    return 0;
}

/* ---- limits: set, and the program executed again under them ---- */

static bool under_limit(const char *scenario, int resource, rlim_t most)
{
    if (scenario_argv[0])
        return true;
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    CHECK(setrlimit(resource, &(struct rlimit){most, most}) == 0);
    execl("/proc/self/exe", "transparent", scenario, "again", (char *)NULL);
    CHECK(!"executed");
    return false;
}

int limit_of_descriptors(void)
{
    under_limit("limit_of_descriptors", RLIMIT_NOFILE, 5);
    int count = 0;
    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    printf("%d more, errno %d\n", count, errno);
    park_a_thread();
    return 0;
}

/* Room for what it prints, and not for a byte of what a recording says of its end. */
int limit_of_file_size(void)
{
    under_limit("limit_of_file_size", RLIMIT_FSIZE, 16);
    park_a_thread();
    puts("went on");
    return 0;
}

int limit_of_memory(void)
{
    under_limit("limit_of_memory", RLIMIT_AS, 64 << 20);
    park_a_thread();
    puts("went on");
    return 0;
}

/* ---- signals ---- */

static void print_signal_lines(const char *path)
{
    char line[256];
    FILE *file = fopen(path, "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "Sig", 3) == 0 || strncmp(line, "Shd", 3) == 0)
            if (strncmp(line, "SigQ", 4) != 0)
                fputs(line, stdout);
    fclose(file);
}

static void *print_own_signal_lines(void *arg)
{
    print_signal_lines("/proc/thread-self/status");
    return arg;
}

int signal_state(void)
{
    sigset_t set;
    stack_t stack;
    print_signal_lines("/proc/self/status");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    join_thread(start_thread(print_own_signal_lines, NULL));
    sigaltstack(NULL, &stack);
    printf("alternate stack: %d\n", stack.ss_flags == SS_DISABLE);
    return 0;
}

static pthread_t main_thread;
static atomic_int in_main, elsewhere;

static void note_thread(int signal_number)
{
    (void)signal_number;
    atomic_fetch_add(pthread_equal(pthread_self(), main_thread) ? &in_main : &elsewhere, 1);
}

int alarm_reaches_main(void)
{
    struct itimerval often = {{0, 1000}, {0, 1000}};
    main_thread = pthread_self();
    signal(SIGALRM, note_thread);
    setitimer(ITIMER_REAL, &often, NULL);
    while (atomic_load(&in_main) + atomic_load(&elsewhere) < 100)
        sleep_ms(1);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("%d elsewhere\n", atomic_load(&elsewhere));
    return 0;
}

static void do_nothing(int signal_number)
{
    (void)signal_number;
}

static void handle(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
}

static atomic_bool returned;
static int ends[2];

static _Atomic pid_t waiter_tid; /* 0: it does not wait yet */
static atomic_bool in_handler;

static void *wait_once(void *arg)
{
    atomic_store(&waiter_tid, gettid());
    int result = sem_wait(&semaphore);
    printf("sem_wait: %d, errno %d\n", result, result ? errno : 0);
    atomic_store(&returned, true);
    return arg;
}

static void *read_once(void *arg)
{
    char byte = 0;
    ssize_t result = read(ends[0], &byte, 1);
    printf("read: %zd, errno %d\n", result, result < 0 ? errno : 0);
    atomic_store(&returned, true);
    return arg;
}

static void signal_until_returned(pthread_t thread)
{
    while (!atomic_load(&returned)) {
        pthread_kill(thread, SIGUSR1);
        sleep_ms(5);
    }
    join_thread(thread);
    atomic_store(&returned, false);
}

int handler_interrupts(void)
{
    handle(do_nothing, 0);
    CHECK(pipe(ends) == 0 && sem_init(&semaphore, 0, 0) == 0);
    signal_until_returned(start_thread(wait_once, NULL));
    signal_until_returned(start_thread(read_once, NULL));
    return 0;
}

int handler_restarts(void)
{
    handle(do_nothing, SA_RESTART);
    CHECK(pipe(ends) == 0);
    pthread_t thread = start_thread(read_once, NULL);
    for (int i = 0; i < 20; i++) {
        sleep_ms(3);
        pthread_kill(thread, SIGUSR1);
    }
    CHECK(write(ends[1], "x", 1) == 1);
    join_thread(thread);
    return 0;
}

static void park_in_handler(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    atomic_store(&in_handler, true);
    while (sem_wait(&inner_semaphore) != 0)
        ;
    errno = saved;
}

/* With an argument it stays so, for who wants to look, until stdin ends. */
int handler_parks(void)
{
    char byte;
    handle(park_in_handler, 0);
    CHECK(sem_init(&semaphore, 0, 0) == 0 && sem_init(&inner_semaphore, 0, 0) == 0);
    pthread_t thread = start_thread(wait_once, NULL);
    while (atomic_load(&waiter_tid) == 0)
        sleep_ms(1);
    wait_until_in_futex(waiter_tid);
    pthread_kill(thread, SIGUSR1);
    while (!atomic_load(&in_handler))
        sleep_ms(1);
    wait_until_in_futex(waiter_tid);
    if (scenario_argv[0]) {
        puts("parked");
        fflush(NULL);
        CHECK(read(0, &byte, 1) == 0);
    }
    sem_post(&inner_semaphore);
    join_thread(thread);
    return 0;
}

static void *release_at_end_of_input(void *arg)
{
    char byte;
    CHECK(!scenario_argv[0] || read(0, &byte, 1) == 0);
    sem_post(&semaphore);
    return arg;
}

/* With an argument the others stay until stdin ends. */
int main_leaves_a_waiter(void)
{
    CHECK(sem_init(&semaphore, 0, 0) == 0);
    start_thread(wait_once, NULL);
    puts("parked"); /* before the other is let go, who prints as well */
    fflush(NULL);
    start_thread(release_at_end_of_input, NULL);
    pthread_exit(NULL);
}

static sigjmp_buf jump;

static void jump_out(int signal_number)
{
    (void)signal_number;
    siglongjmp(jump, 1);
}

/* With an argument it stays, waiting only with deadlines, until stdin ends. */
int handler_jumps_out(void)
{
    char byte;
    CHECK(pipe(ends) == 0);
    signal(SIGALRM, jump_out);
    for (int i = 0; i < 5; i++) {
        struct itimerval soon = {.it_value = {0, 50000}};
        if (sigsetjmp(jump, 1) == 0) {
            setitimer(ITIMER_REAL, &soon, NULL);
            CHECK(read(ends[0], &byte, 1) < 0);
            puts("read returned");
        } else {
            puts("jumped out");
        }
    }
    for (int i = 0; scenario_argv[0]; i++) {
        fd_set in;
        FD_ZERO(&in);
        FD_SET(0, &in);
        if (i == 3) {
            puts("parked");
            fflush(NULL);
        }
        if (select(1, &in, NULL, NULL, &(struct timeval){0, 50000}) == 1)
            break;
    }
    return 0;
}

static void use_handler_stack(int signal_number)
{
    char byte = 'x';
    (void)signal_number;
    if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
        _exit(1);
    sem_post(&semaphore);
}

int handler_on_small_stack(void)
{
    stack_t stack = {.ss_size = (size_t)sysconf(_SC_MINSIGSTKSZ) + 2048};
    stack.ss_sp = malloc(stack.ss_size);
    CHECK(pipe(ends) == 0 && sem_init(&semaphore, 0, 0) == 0);
    CHECK(sigaltstack(&stack, NULL) == 0);
    handle(use_handler_stack, SA_ONSTACK);
    for (int i = 0; i < 100; i++)
        raise(SIGUSR1);
    int value;
    sem_getvalue(&semaphore, &value);
    printf("%d signals\n", value);
    return 0;
}

static void *lock_and_unlock(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        pthread_mutex_lock(&mutex);
        ++*(int *)arg;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void post_and_wait(int signal_number)
{
    (void)signal_number;
    int saved = errno;
    sem_post(&inner_semaphore);
    while (sem_wait(&inner_semaphore) != 0)
        ;
    errno = saved;
}

int signals_storm(void)
{
    static int count;
    struct itimerval often = {{0, 200}, {0, 200}};
    pthread_t threads[3];
    sem_init(&inner_semaphore, 0, 1);
    struct sigaction action = {.sa_handler = post_and_wait, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int i = 0; i < 3; i++)
        threads[i] = start_thread(lock_and_unlock, &count);
    for (int i = 0; i < 3; i++)
        join_thread(threads[i]);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("%d\n", count);
    return 0;
}
