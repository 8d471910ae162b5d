/* A thread takes a lock over and over at one place. It is free the first times, then main holds it
 * until a line comes on stdin, and after that until stdin ends.
 *
 * lock_again no-proc: where /proc is empty. Status 77: that cannot be had. */
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"

static pthread_mutex_t again = PTHREAD_MUTEX_INITIALIZER;
static int taken; /* how often the thread has had it */

/* Nothing else that is recorded comes between: what is published stays what it is. */
static void wait_until_taken(int times)
{
    while (__atomic_load_n(&taken, __ATOMIC_ACQUIRE) < times)
        sched_yield();
}

static int turns; /* how often it may take it */

static void *take_again(void *arg)
{
    for (int i = 0; i < 4; i++) {
        while (__atomic_load_n(&turns, __ATOMIC_ACQUIRE) <= i)
            sched_yield();
        CHECK(pthread_mutex_lock(&again) == 0); /* here */
        CHECK(pthread_mutex_unlock(&again) == 0);
        __atomic_store_n(&taken, i + 1, __ATOMIC_RELEASE);
    }
    return arg;
}

/* The thread may take it `times` times altogether. */
static void give_turns(int times)
{
    __atomic_store_n(&turns, times, __ATOMIC_RELEASE);
}

static int run_without_proc(const char *program)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/proc", "tmpfs", 0, "") != 0)
        return 77;
    execl(program, program, (char *)NULL);
    return 1;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    char byte;
    if (argc > 1 && strcmp(argv[1], "no-proc") == 0)
        return run_without_proc(argv[0]);
    CHECK(pthread_create(&thread, NULL, take_again, NULL) == 0);
    give_turns(2);
    wait_until_taken(2);
    for (int i = 2; i < 4; i++) {
        CHECK(pthread_mutex_lock(&again) == 0);
        give_turns(i + 1);
        sample_ready();
        CHECK(read(STDIN_FILENO, &byte, 1) == (i == 2 ? 1 : 0));
        CHECK(pthread_mutex_unlock(&again) == 0);
        wait_until_taken(i + 1);
    }
    return pthread_join(thread, NULL) == 0 ? 0 : 1;
}
