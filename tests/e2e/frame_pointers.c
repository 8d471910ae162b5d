/* Built with frame pointers: the unwinder needs a register that no frame has saved. The thread
 * waits for a lock until stdin ends, and then says whether anything disturbed it; with the argument
 * "sleep" it sleeps, by a call that nothing on its stack names. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool sleeps;

__attribute__((noinline)) static void deep_in_frames(int depth)
{
    /* Of no fixed size: frames are found by the frame pointer. */
    volatile char *room = __builtin_alloca(64 + (size_t)depth);
    room[0] = (char)depth;
    if (depth > 0) {
        deep_in_frames(depth - 1);
    } else {
        errno = EXDEV;
        if (sleeps)
            syscall(SYS_nanosleep, &(struct timespec){1000, 0}, NULL);
        CHECK(pthread_mutex_lock(&lock) == 0);
        puts(errno == EXDEV ? "locked, errno untouched" : "locked, errno changed");
        fflush(stdout);
        pthread_mutex_unlock(&lock);
    }
    room[1] = room[0];
}

static void *with_frames(void *arg)
{
    deep_in_frames(5);
    return arg;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    char byte;
    sleeps = argc > 1;
    (void)argv;
    pthread_mutex_lock(&lock);
    CHECK(pthread_create(&thread, NULL, with_frames, NULL) == 0);
    sample_ready();
    /* Without a time limit, unlike sample_hold: who looks finds it parked, too. */
    CHECK(read(STDIN_FILENO, &byte, 1) == 0);
    if (sleeps)
        return 0;
    pthread_mutex_unlock(&lock);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
