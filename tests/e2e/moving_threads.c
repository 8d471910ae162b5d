/* Threads that park and go on as fast as they can, in several ways, until stdin ends. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"

#define PAIRS 3

static atomic_bool over;

struct pair {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    sem_t there, back;
    int pipes[2][2];
    int turn;
};
static struct pair pairs[PAIRS];

__attribute__((noinline)) static void loop_sem(struct pair *pair, int side)
{
    sem_post(side ? &pair->there : &pair->back);
    sem_wait(side ? &pair->back : &pair->there);
    __asm__ volatile(""); /* so that it is no jump */
}

__attribute__((noinline)) static void loop_cond(struct pair *pair, int side)
{
    pthread_mutex_lock(&pair->lock);
    pair->turn = side;
    pthread_cond_signal(&pair->changed);
    while (pair->turn == side && !over)
        pthread_cond_wait(&pair->changed, &pair->lock);
    pthread_mutex_unlock(&pair->lock);
    __asm__ volatile("");
}

__attribute__((noinline)) static void loop_pipe(struct pair *pair, int side)
{
    char byte = 0;
    CHECK(write(pair->pipes[side][1], &byte, 1) == 1);
    CHECK(read(pair->pipes[!side][0], &byte, 1) == 1);
    __asm__ volatile("");
}

__attribute__((noinline)) static void *move(void *arg)
{
    static void (*const loops[])(struct pair *, int) = {loop_sem, loop_cond, loop_pipe};
    int number = (int)(intptr_t)arg;
    pthread_setname_np(pthread_self(), "mover");
    while (!over)
        loops[number / 2](&pairs[number / 2], number % 2);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < PAIRS; i++) {
        CHECK(pthread_mutex_init(&pairs[i].lock, NULL) == 0);
        CHECK(pthread_cond_init(&pairs[i].changed, NULL) == 0);
        CHECK(sem_init(&pairs[i].there, 0, 0) == 0 && sem_init(&pairs[i].back, 0, 0) == 0);
        CHECK(pipe(pairs[i].pipes[0]) == 0 && pipe(pairs[i].pipes[1]) == 0);
    }
    for (int i = 0; i < 2 * PAIRS; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, move, (void *)(intptr_t)i) == 0);
    }
    sample_ready();
    sample_hold();
    _exit(0);
}
