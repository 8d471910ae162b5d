/* Between the sampler's thread and what it does. */
#ifndef LEAKSPY_SAMPLER_THREAD_H
#define LEAKSPY_SAMPLER_THREAD_H

#include <stdint.h>

enum sampler_stop { SAMPLER_GO_ON, SAMPLER_STOP_NOW, SAMPLER_STOP_AFTER_WALK };

/* The thread's function. */
void sampler_run(void);

/* Whether the sampler shall end. Any thread. */
enum sampler_stop sampler_asked(void);

/* Sleeps for `pause_ns`, or until the sampler shall end. The sampler only. */
enum sampler_stop sampler_rest(uint64_t pause_ns);

#endif
