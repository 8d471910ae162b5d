/* The sampler: a thread in the target that looks at all slots once a period. A wait that it sees
 * twice has been parked since the first time; then it takes the wait's stack and what can be known
 * of its object.
 *
 * The thread is not one of libc's. To libc the program stays as single-threaded as it was (its fast
 * paths, its fork, its exit when the last thread ends), and starting one needs neither malloc nor a
 * lock, so that it can be done in any context. It keeps all signals blocked and has descriptors of
 * its own: none of the program's.
 */
#ifndef LEAKSPY_SAMPLER_H
#define LEAKSPY_SAMPLER_H

#include <stdbool.h>

/* Learns how thread-local storage is laid out. At start, in the loader's constructors. */
void sampler_init(void);

/* Starts the sampler where it does not run. Any thread, any context. */
void sampler_ensure(void);

/* Ends the sampler and waits until the kernel has forgotten the thread: for calls that want a
 * process with one thread, or change what a thread may do. True: sampler_go_on is to be called when
 * that is done; until the last of several such calls has, the sampler is not started. */
bool sampler_stop(void);
void sampler_go_on(void);

/* For the exit of the process: a last look at everything, then the sampler ends. Waits for it, but
 * not for long. */
void sampler_last_walk(void);

/* The calling thread is about to end with `status` by a system call that libc knows nothing of.
 * Should it be the last one, the process ends only when the sampler does: it looks at once, and
 * again, and ends with the same. Any context. */
void sampler_watch_end(int status);

/* The calling thread is about to end with libc's help. */
void sampler_thread_ends(void);

/* After fork, in the child: there is no sampler. */
void sampler_forget(void);

#endif
