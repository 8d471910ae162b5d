/* Built with frame pointers: the unwinder needs a register that no frame has saved. The thread
 * waits for a lock until stdin ends, and then says whether anything disturbed it. */
#include <errno.h>
#include <pthread.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noinline)) static void deep_in_frames(int depth)
{
    /* Of no fixed size: frames are found by the frame pointer. */
    volatile char *room = __builtin_alloca((size_t)(64 + depth));
    room[0] = (char)depth;
    if (depth > 0) {
        deep_in_frames(depth - 1);
    } else {
        errno = EXDEV;
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

int main(void)
{
    pthread_t thread;
    pthread_mutex_lock(&lock);
    CHECK(pthread_create(&thread, NULL, with_frames, NULL) == 0);
    sample_ready();
    sample_hold();
    pthread_mutex_unlock(&lock);
    CHECK(pthread_join(thread, NULL) == 0);
    return 0;
}
