/* The real sampler, in a thread of the test's: it looks when it is told to, or all the time. */
#ifndef LEAKSPY_TESTS_SAMPLER_HERE_H
#define LEAKSPY_TESTS_SAMPLER_HERE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/adapter.h"

enum { HERE_LIMIT_S = 60 }; /* so long a test waits for what must come */

/* What the sampler is told of tasks, as by an adapter: nothing, and that they are parked, unless a
 * test sets it. */
extern struct adapter here_tasks;

/* `freely`: it looks again and again, without a pause. To be called where a recording is open. */
void here_sampler_start(bool freely);

/* Has it look at everything once; returns when it has. Not where it looks freely. */
void here_sampler_walk(void);

/* From within what it is told of tasks: somebody waits for its end, so that this look is broken
 * off. To be followed by here_sampler_stop. */
void here_sampler_break_off(void);

/* How long it wanted to rest after its last look. Not where it looks freely. */
uint64_t here_sampler_pause_ns(void);

/* How often it has looked. */
uint32_t here_sampler_walks(void);

/* `last_walk`: after one more look, as at the exit of a process. */
void here_sampler_stop(bool last_walk);

#endif
