/* Many threads that take locks in one order, or back off: they always get on. Until stdin ends. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"

#define THREADS 12
#define LOCKS 4

static pthread_mutex_t locks[LOCKS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static pthread_rwlock_t table = PTHREAD_RWLOCK_INITIALIZER;

static void work(unsigned *seed, unsigned most_us)
{
    usleep((unsigned)rand_r(seed) % most_us);
}

static void take_two(unsigned *seed, unsigned lower)
{
    pthread_mutex_lock(&locks[lower]);
    work(seed, 3000);
    pthread_mutex_lock(&locks[lower + 1]);
    work(seed, 2000);
    pthread_mutex_unlock(&locks[lower + 1]);
    pthread_mutex_unlock(&locks[lower]);
}

static void take_behind_table(unsigned *seed, unsigned lower)
{
    if (rand_r(seed) % 2)
        pthread_rwlock_wrlock(&table);
    else
        pthread_rwlock_rdlock(&table);
    pthread_mutex_lock(&locks[lower]);
    work(seed, 2000);
    pthread_mutex_unlock(&locks[lower]);
    pthread_rwlock_unlock(&table);
}

/* Against the order, but it waits for nothing while it holds one. */
static void take_or_back_off(void)
{
    pthread_mutex_lock(&locks[LOCKS - 1]);
    while (pthread_mutex_trylock(&locks[0]) != 0) {
        pthread_mutex_unlock(&locks[LOCKS - 1]);
        usleep(500);
        pthread_mutex_lock(&locks[LOCKS - 1]);
    }
    usleep(1000);
    pthread_mutex_unlock(&locks[0]);
    pthread_mutex_unlock(&locks[LOCKS - 1]);
}

static void *run(void *arg)
{
    unsigned number = (unsigned)(uintptr_t)arg, seed = number;
    for (;;) {
        unsigned lower = (unsigned)rand_r(&seed) % (LOCKS - 1);
        if (number % 2)
            take_two(&seed, lower);
        else
            take_behind_table(&seed, lower);
        if (rand_r(&seed) % 2)
            take_or_back_off();
    }
    return NULL;
}

int main(void)
{
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, run, (void *)i) == 0);
    }
    sample_ready();
    sample_hold();
    _exit(0);
}
