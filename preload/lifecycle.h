/* Start, fork and exit of the target. */
#ifndef LEAKSPY_LIFECYCLE_H
#define LEAKSPY_LIFECYCLE_H

#include <stdbool.h>

/* The program is about to start a thread, and nothing is recorded. Under a system call filter that
 * was set for this program, the recording begins with the first one: see filter.h. True: it has
 * begun. Not in signal handlers. */
bool lifecycle_starts_thread(void);

/* In a fork child: nothing of what it does may reach its parent's recording. Async-signal-safe. */
void lifecycle_forked(void);

/* A handler of fork is about to start a thread. In the child it may have come before ours, and the
 * thread would find its parent's recording gone: it is forgotten now. True: that is so. */
bool lifecycle_starts_thread_in_fork(void);

#endif
