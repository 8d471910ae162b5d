/* Programs that get on by themselves, and not under a library that takes locks or allocates in its
 * wrappers: `deadlocks NAME`. See naive.c and test_no_deadlock.c. */
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/e2e/check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int arrived;

static void arrive(void)
{
    __atomic_store_n(&arrived, 1, __ATOMIC_RELEASE);
}

static void wait_for_arrival(void)
{
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) == 0)
        usleep(1000);
}

static void *nothing(void *arg)
{
    return arg;
}

static pthread_t start(void *(*run)(void *))
{
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run, NULL) == 0);
    return thread;
}

static void join(pthread_t thread)
{
    CHECK(pthread_join(thread, NULL) == 0);
}

/* --- the loader's lock ----------------------------------------------------------------------- */

static void *take_lock_in_thread(void *arg)
{
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    return arg;
}

static bool constructor_spawns;

/* For the constructor of deadlock_plugin.c. */
void constructed(void);

void constructed(void)
{
    arrive();
    if (constructor_spawns)
        join(start(take_lock_in_thread));
    else
        take_lock_in_thread(NULL);
}

static void *load(void *unused)
{
    CHECK(dlopen("libdeadlock_plugin.so", RTLD_NOW) != NULL);
    return unused;
}

/* A thread that is in a library's constructor, and so has the loader's lock, wants a lock; who has
 * that starts a thread. */
static void loader(void)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    pthread_t loading = start(load);
    wait_for_arrival();
    join(start(nothing));
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    join(loading);
}

/* A library's constructor, and so the loader's lock, lasts until a thread that it has started ends.
 */
static void constructor(void)
{
    constructor_spawns = true;
    load(NULL);
}

static int take_lock(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)info, (void)bytes, (void)unused;
    arrive();
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    return 1;
}

static void *go_through_files(void *unused)
{
    dl_iterate_phdr(take_lock, NULL);
    return unused;
}

/* The same with the lock of the list of loaded files. */
static void files(void)
{
    CHECK(pthread_mutex_lock(&mutex) == 0);
    pthread_t going = start(go_through_files);
    wait_for_arrival();
    join(start(nothing));
    CHECK(pthread_mutex_unlock(&mutex) == 0);
    join(going);
}

/* --- handlers -------------------------------------------------------------------------------- */

enum { SIGNALS = 300 };

static sem_t posted;

static void post(int signal)
{
    (void)signal;
    CHECK(sem_post(&posted) == 0);
}

/* sem_post may be called by a handler, wherever that comes. */
static void handler(void)
{
    const struct sigaction action = {.sa_handler = post, .sa_flags = SA_RESTART};
    const struct itimerval timer = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    int value = 0;
    CHECK(sem_init(&posted, 0, 0) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    while (value < SIGNALS) {
        CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
        CHECK(sem_getvalue(&posted, &value) == 0);
    }
}

static int tube[2];

static void write_byte(int signal)
{
    (void)signal;
    CHECK(write(tube[1], "", 1) == 1);
}

/* So may write: the usual way out of a handler. */
static void tells(void)
{
    const struct sigaction action = {.sa_handler = write_byte, .sa_flags = SA_RESTART};
    const struct itimerval timer = {.it_interval.tv_usec = 1000, .it_value.tv_usec = 1000};
    int told = 0;
    CHECK(pipe(tube) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    while (told < SIGNALS) {
        CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
        CHECK(ioctl(tube[0], FIONREAD, &told) == 0);
    }
}

/* --- cancellation ---------------------------------------------------------------------------- */

static int rounds;

/* Takes locks, which is no place to be cancelled, until it is told to look. */
static void *lock_until_told(void *unused)
{
    while (__atomic_load_n(&arrived, __ATOMIC_ACQUIRE) == 0) {
        CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
        __atomic_fetch_add(&rounds, 1, __ATOMIC_RELEASE);
    }
    pthread_testcancel();
    return unused;
}

static void cancelled(void)
{
    void *value;
    pthread_t thread = start(lock_until_told);
    CHECK(pthread_cancel(thread) == 0);
    int before = __atomic_load_n(&rounds, __ATOMIC_ACQUIRE);
    /* At least until the thread has begun and ended a round since: else it took no lock. */
    for (int i = 0; i < 100 || __atomic_load_n(&rounds, __ATOMIC_ACQUIRE) < before + 2; i++) {
        CHECK(pthread_mutex_lock(&mutex) == 0 && usleep(100) == 0 &&
              pthread_mutex_unlock(&mutex) == 0);
        if (i >= 100)
            usleep(1000); /* without the lock, which it waits for */
    }
    arrive();
    CHECK(pthread_join(thread, &value) == 0 && value == PTHREAD_CANCELED);
}

/* --- forks, and what is done to all threads -------------------------------------------------- */

enum { CHILDREN = 60 };

/* Each child takes a lock that is its own; what the library's thread does at the moment of the fork
 * nobody knows. */
static void children(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
            _exit(0);
        }
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
    }
}

/* libc asks every thread that it knows of, by a signal. */
static void user(void)
{
    for (int i = 0; i < 20; i++)
        CHECK(seteuid(geteuid()) == 0);
}

/* None of that. */
static void plain(void)
{
    for (int i = 0; i < 20; i++) {
        join(start(nothing));
        CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} moments[] = {
    {"plain", plain},         {"loader", loader},     {"constructor", constructor},
    {"files", files},         {"handler", handler},   {"tells", tells},
    {"cancelled", cancelled}, {"children", children}, {"user", user},
};

int main(int argc, char *argv[])
{
    for (size_t i = 0; argc > 1 && i < sizeof moments / sizeof *moments; i++) {
        if (strcmp(moments[i].name, argv[1]) == 0) {
            moments[i].run();
            puts("went on");
            return 0;
        }
    }
    return 64;
}
