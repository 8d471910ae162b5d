/* What the wrappers of a thread's life share: hooks_spawn.c, where it is started, hooks_join.c,
 * where it is joined or detached, and hooks_thread.c, where it gets a name and ends. */
#ifndef LEAKSPY_HOOKS_THREAD_H
#define LEAKSPY_HOOKS_THREAD_H

#include <stdint.h>

#include "preload/recorder.h"

/* The slot of a thread that may be joined or detached, `thread` being its pthread_t or thrd_t: NULL
 * if it has none, or none that is known to be its own yet. */
struct rec_task *hooks_find_thread(uint64_t thread);

/* The calling thread's function has returned, or is left. `task`: the thread's slot; NULL: it has
 * none. */
void hooks_thread_ends(struct rec_task *task);

#endif
