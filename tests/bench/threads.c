/* Threads parked in several primitives, at several depths; and one that looks at the clock all the
 * time, and so knows for how long it did not run.
 *
 *   threads COUNT     says "ready"; then, for each line on stdin, the longest gap since the line
 *                     before, in ms
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define DEPTHS 7

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, cond_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t semaphore;
static int ends[2];
static atomic_int parked;

static void wait_for_mutex(void)
{
    pthread_mutex_lock(&lock);
}

static void wait_for_cond(void)
{
    pthread_mutex_lock(&cond_lock);
    for (;;)
        pthread_cond_wait(&changed, &cond_lock);
}

static void wait_for_semaphore(void)
{
    sem_wait(&semaphore);
}

static void wait_for_pipe(void)
{
    char byte;
    if (read(ends[0], &byte, 1) != 1)
        abort();
}

static void wait_for_rwlock(void)
{
    pthread_rwlock_wrlock(&rwlock);
}

static void (*const waits[])(void) = {wait_for_mutex, wait_for_cond, wait_for_semaphore,
                                      wait_for_pipe, wait_for_rwlock};

__attribute__((noinline)) static void deeper(int number, int depth)
{
    if (depth > 0)
        deeper(number, depth - 1);
    else
        waits[number % 5]();
    __asm__ volatile(""); /* no jump instead of a call */
}

static void *park(void *arg)
{
    int number = (int)(intptr_t)arg;
    atomic_fetch_add(&parked, 1);
    deeper(number, number % DEPTHS);
    return NULL;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static _Atomic uint64_t longest_ns;

static void *look_at_clock(void *arg)
{
    (void)arg;
    for (uint64_t before = now_ns();;) {
        uint64_t now = now_ns();
        if (now - before > atomic_load(&longest_ns))
            atomic_store(&longest_ns, now - before);
        before = now;
    }
}

int main(int argc, char **argv)
{
    int count = argc == 2 ? atoi(argv[1]) : 0;
    char line[64];
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    if (count < 1 || pipe(ends) != 0 || sem_init(&semaphore, 0, 0) != 0)
        return 64;
    pthread_mutex_lock(&lock);
    pthread_rwlock_rdlock(&rwlock);
    for (int i = 0; i < count; i++) {
        if (pthread_create(&thread, &attributes, park, (void *)(intptr_t)i) != 0)
            return 1;
    }
    while (atomic_load(&parked) < count)
        usleep(1000);
    if (pthread_create(&thread, NULL, look_at_clock, NULL) != 0)
        return 1;
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.3f\n", (double)atomic_exchange(&longest_ns, 0) / 1e6);
        fflush(stdout);
    }
    _exit(0);
}
