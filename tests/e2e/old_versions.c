/* Does as a program that was linked long ago: is bound to the oldest conditions and quick_exit of
 * x86-64, which are other code than today's under the same names. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/check.h"

#define OLD(name, version) __asm__(".symver old_" #name ", " #name "@" version)
OLD(pthread_cond_init, "GLIBC_2.2.5");
OLD(pthread_cond_destroy, "GLIBC_2.2.5");
OLD(pthread_cond_signal, "GLIBC_2.2.5");
OLD(pthread_cond_broadcast, "GLIBC_2.2.5");
OLD(pthread_cond_wait, "GLIBC_2.2.5");
OLD(pthread_cond_timedwait, "GLIBC_2.2.5");
OLD(quick_exit, "GLIBC_2.10");

/* A condition was one pointer. What lies behind it must stay as it is. */
struct old_cond {
    void *pointer;
    unsigned long guard[8];
};
int old_pthread_cond_init(struct old_cond *c, const pthread_condattr_t *attr);
int old_pthread_cond_destroy(struct old_cond *c);
int old_pthread_cond_signal(struct old_cond *c);
int old_pthread_cond_broadcast(struct old_cond *c);
int old_pthread_cond_wait(struct old_cond *c, pthread_mutex_t *m);
int old_pthread_cond_timedwait(struct old_cond *c, pthread_mutex_t *m, const struct timespec *t);
_Noreturn void old_quick_exit(int status);

int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *dso);
extern void *__dso_handle;

static struct old_cond cond = {.guard = {11, 12, 13, 14, 15, 16, 17, 18}};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int waiting, turn;

static void *wait_for_a_turn(void *arg)
{
    pthread_mutex_lock(&mutex);
    waiting++;
    while (turn == 0)
        CHECK(old_pthread_cond_wait(&cond, &mutex) == 0);
    turn--;
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void give_turns(int count, int (*wake)(struct old_cond *))
{
    pthread_t threads[2];
    for (int i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], NULL, wait_for_a_turn, NULL) == 0);
    pthread_mutex_lock(&mutex);
    while (waiting < count) {
        pthread_mutex_unlock(&mutex);
        usleep(1000);
        pthread_mutex_lock(&mutex);
    }
    usleep(50000); /* long enough to be looked at */
    waiting = 0;
    turn = count;
    CHECK(wake(&cond) == 0);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < count; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    printf("%d woken\n", count);
}

static void say(const char *text)
{
    printf("%s\n", text);
    fflush(stdout);
}

static void at_quick_exit_handler(void)
{
    say("handler");
}

static void of_the_thread(void *object)
{
    say(object);
}

int main(void)
{
    struct timespec past = {0};
    give_turns(1, old_pthread_cond_signal);
    give_turns(2, old_pthread_cond_broadcast);
    pthread_mutex_lock(&mutex);
    printf("timed out: %d\n", old_pthread_cond_timedwait(&cond, &mutex, &past) == ETIMEDOUT);
    past.tv_nsec = -1;
    printf("invalid: %d\n", old_pthread_cond_timedwait(&cond, &mutex, &past) == EINVAL);
    pthread_mutex_unlock(&mutex);
    for (unsigned long i = 0; i < 8; i++)
        CHECK(cond.guard[i] == 11 + i);
    printf("destroyed: %d\n", old_pthread_cond_destroy(&cond));
    printf("made: %d\n", old_pthread_cond_init(&cond, NULL));
    CHECK(at_quick_exit(at_quick_exit_handler) == 0);
    CHECK(__cxa_thread_atexit_impl(of_the_thread, (char *)(uintptr_t) "thread's own",
                                   &__dso_handle) == 0);
    old_quick_exit(17);
}
