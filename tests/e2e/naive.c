/* A preload library as one writes it first, to show what leakspy must not do: every wrapper looks
 * up the real function, takes the lock of a table, allocates, takes a stack, asks which files are
 * loaded, and writes a line; a thread goes over the table under the same lock, with all signals
 * blocked. Programs that get on without it hang with it: see test_no_deadlock.c.
 *
 * NAIVE_ATFORK=1: the table is locked while the process forks. Otherwise nobody thinks of that.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FRAMES = 16, KEPT = 64, ROUNDS = 100 };

struct entry {
    const char *what;
    int count;
    void *frames[FRAMES];
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *table[KEPT];
static unsigned next;
static int log_fd = -1;

#define REAL(name) ((__typeof__(&(name)))(uintptr_t)dlsym(RTLD_NEXT, #name))

static int count_file(struct dl_phdr_info *info, size_t bytes, void *count)
{
    (void)info, (void)bytes;
    ++*(int *)count;
    return 0;
}

static void take_stack(struct entry *entry)
{
    int files = 0;
    Dl_info info;
    entry->count = backtrace(entry->frames, FRAMES);
    for (int i = 0; i < entry->count; i++)
        dladdr(entry->frames[i], &info);
    dl_iterate_phdr(count_file, &files);
}

static void record(const char *what)
{
    REAL(pthread_mutex_lock)(&table_lock);
    struct entry *entry = malloc(sizeof *entry);
    entry->what = what;
    take_stack(entry);
    if (log_fd >= 0 && REAL(write)(log_fd, what, strlen(what)) < 0)
        log_fd = -1;
    free(table[next % KEPT]);
    table[next++ % KEPT] = entry;
    pthread_mutex_unlock(&table_lock);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
    record("pthread_create\n");
    return REAL(pthread_create)(thread, attr, start, arg);
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    record("pthread_mutex_lock\n");
    return REAL(pthread_mutex_lock)(mutex);
}

int sem_post(sem_t *semaphore)
{
    record("sem_post\n");
    return REAL(sem_post)(semaphore);
}

ssize_t write(int fd, const void *from, size_t n)
{
    record("write\n");
    return REAL(write)(fd, from, n);
}

static sem_t sampling;

/* Works most of the time, and rests for a moment. */
static void *sample(void *unused)
{
    uint64_t all = ~UINT64_C(0);
    struct entry here;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    REAL(sem_post)(&sampling);
    for (;;) {
        REAL(pthread_mutex_lock)(&table_lock);
        for (int i = 0; i < ROUNDS; i++)
            take_stack(&here);
        pthread_mutex_unlock(&table_lock);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    return unused;
}

static void before_fork(void)
{
    REAL(pthread_mutex_lock)(&table_lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&table_lock);
}

__attribute__((constructor)) static void begin(void)
{
    pthread_t thread;
    sem_init(&sampling, 0, 0);
    log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (getenv("NAIVE_ATFORK"))
        pthread_atfork(before_fork, after_fork, after_fork);
    REAL(pthread_create)(&thread, NULL, sample, NULL);
    /* The program could be through before all signals are blocked. */
    while (sem_wait(&sampling) != 0)
        ;
}
