/* Start, fork and exit of the target. */
#ifndef LEAKSPY_LIFECYCLE_H
#define LEAKSPY_LIFECYCLE_H

#include <stdbool.h>

/* The program is about to start a thread, and nothing is recorded. Under a system call filter that
 * was set for this program, the recording begins with the first one: see filter.h. True: it has
 * begun. Not in signal handlers. */
bool lifecycle_begin_for_thread(void);

/* It has started one that is not recorded, whose handle is at `place`. Where that was the
 * constructor of a library that comes before ours, the recording will know of it when it begins:
 * see early.h. Async-signal-safe. */
void lifecycle_started_unrecorded(const void *place);

/* In a fork child: nothing of what it does may reach its parent's recording. Async-signal-safe. */
void lifecycle_forked(void);

/* A fork handler of the program is about to start a thread, perhaps in the child and before our own
 * handler there has run: if so, the parent's recording is forgotten now. Returns whether this is
 * such a child, without a recording of its own yet. */
bool lifecycle_forget_for_thread(void);

#endif
