/* Processes for tests to look at: a fork of the test, that does one thing until it is killed. */
#ifndef LEAKSPY_TEST_CHILD_H
#define LEAKSPY_TEST_CHILD_H

#include <stdint.h>
#include <sys/types.h>

/* What a child and its test tell each other; zeroes at first. */
struct child_shared {
    volatile int ready;
    volatile int returned; /* from what it is parked in */
    volatile int error;    /* errno then */
    volatile int tid;
    volatile uint64_t words[8];
    int fds[4];
};

extern struct child_shared *shared;

/* Forks. The child calls `body`, which says child_ready() and does not return; it dies with the
 * test. Returns when it is ready. */
pid_t child_start(void (*body)(void));
void child_ready(void);

/* Until a thread of the child sleeps in a system call. */
void child_wait_parked(pid_t tid);

/* Kills it and waits for it. */
void child_end(pid_t pid);

void sleep_ms(int ms);

#endif
