/* Between the sampler's thread and what it does. */
#ifndef LEAKSPY_SAMPLER_THREAD_H
#define LEAKSPY_SAMPLER_THREAD_H

#include <stdint.h>

enum sampler_stop {
    SAMPLER_GO_ON,
    SAMPLER_STOP_NOW,
    SAMPLER_STOP_AFTER_WALK,
    SAMPLER_WATCH_END, /* it goes on, and looks soon whether anybody is left */
};

/* The thread's function. Returns the status that the thread ends with, which is the process's if
 * it is the last one. */
int sampler_run(void);

/* Whether the sampler shall end. Any thread. */
enum sampler_stop sampler_asked(void);

/* The status that the thread which left last ends with. */
int sampler_last_status(void);

/* Sleeps for `pause_ns`, or until the sampler shall end. The sampler only. */
enum sampler_stop sampler_rest(uint64_t pause_ns);

#endif
