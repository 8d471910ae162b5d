/* Threads that sleep in calls which no wrapper sees, so that nobody publishes them; what the kernel
 * says of the thread is all there is. libc makes such calls by itself: for a line of a stream
 * (fgets), for a child (system, pclose), for a name server (getaddrinfo), for a lock of the loader
 * or of a stream, for those who still use a condition that is destroyed. Others make theirs without
 * libc: libgomp, liburing, rustix.
 */
#ifndef LEAKSPY_ASLEEP_H
#define LEAKSPY_ASLEEP_H

#include <stdbool.h>

#include "preload/blocked.h"
#include "preload/recording.h"
#include "preload/unwind.h"

/* Learns where libc is, and its pthread_mutex_lock, which is at `mutex_lock`; where that is
 * another's, libc's is not known. At start. */
void asleep_init(const void *mutex_lock);

/* For a new recording: no call stands in it. */
void asleep_reset(void);

/* Whether a thread that is parked in `call`, and has published no wait, is to be told of: *ret is
 * what it waits for (but for `task` and `wait`). Not where only a part of the waits is recorded:
 * a wrapper may have seen the call, and have left it out. Not in programs of Go's own compiler, nor
 * in libraries of its, whose runtime sleeps in calls of its own; nor in this library. Called by the
 * sampler. */
bool asleep_is_told(const struct blocked_call *call, struct rec_asleep *ret);

/* Whether it is libc that made the call which a thread is parked in, at `pc`. */
bool asleep_is_libcs(uint64_t pc);

/* By the thread's stack: a futex that it waits for in pthread_mutex_lock is a mutex. libc calls
 * that by itself for the loader's lock, which a deadlock may be about. The same context. */
void asleep_name_lock(const struct unwind_stack *stack, struct rec_asleep *told);

#endif
