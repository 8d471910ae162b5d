/* A thread asks for a lock that is free, and another one is quicker. When a line comes on stdin it
 * gets the lock after all, says whether anything disturbed it, and then waits for a futex by a call
 * that nobody intercepts, until stdin ends. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "samples/sample.h"
#include "tests/e2e/check.h"
#include "tests/e2e/late_lock.h"

static volatile uint32_t never = 1;

/* A system call of its own, as libgomp makes them. */
static void wait_unseen(void)
{
#if defined(__x86_64__)
    long result;
    register long no_limit __asm__("r10") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_futex), "D"(&never), "S"(FUTEX_WAIT_PRIVATE), "d"(1L), "r"(no_limit)
                     : "rcx", "r11", "memory");
#endif
}

__attribute__((noinline)) static void take(int depth)
{
    /* Of no fixed size: frames are found by the frame pointer. */
    volatile char *room = __builtin_alloca(64 + (size_t)depth);
    room[0] = (char)depth;
    if (depth > 0) {
        take(depth - 1);
    } else {
        errno = EXDEV;
        CHECK(pthread_mutex_lock(&late_lock_mutex) == 0);
        puts(errno == EXDEV ? "locked, errno untouched" : "locked, errno changed");
        fflush(stdout);
        CHECK(pthread_mutex_unlock(&late_lock_mutex) == 0);
        /* The last that is known of it is a lock that it got at once. */
        pthread_mutex_lock(&late_lock_mutex);
        pthread_mutex_unlock(&late_lock_mutex);
        while (never == 1)
            wait_unseen(); /* waits here: futex */
    }
    room[1] = room[0];
}

static void *late_one(void *arg)
{
    late_lock_here = 1;
    take(5);
    return arg;
}

int main(void)
{
    pthread_t thread;
    char byte;
    CHECK(pthread_create(&thread, NULL, late_one, NULL) == 0);
    while (!__atomic_load_n(&late_lock_asked, __ATOMIC_ACQUIRE))
        sched_yield();
    pthread_mutex_lock(&late_lock_mutex);
    __atomic_store_n(&late_lock_taken, 1, __ATOMIC_RELEASE);
    sample_ready();
    CHECK(read(STDIN_FILENO, &byte, 1) == 1);
    CHECK(pthread_mutex_unlock(&late_lock_mutex) == 0);
    sample_hold();
    _exit(0);
}
