/* What the sampler's work (sampler.c) and its thread (sampler_thread.c) ask of each other. */
#ifndef LEAKSPY_SAMPLER_THREAD_H
#define LEAKSPY_SAMPLER_THREAD_H

#include <stdint.h>

enum sampler_stop {
    SAMPLER_GO_ON,
    SAMPLER_STOP_NOW,
    SAMPLER_STOP_AFTER_WALK,
    SAMPLER_WATCH_END, /* it goes on, and looks soon whether anybody is left */
};

/* The thread's function. Returns the thread's exit status, which is that of the process if it is
 * the last thread. */
int sampler_run(void);

/* What the sampler was told to do. Any thread. */
enum sampler_stop sampler_asked(void);

/* The sampler has closed its copies of the program's descriptors. The sampler only. */
void sampler_has_left_files(void);

/* The status given to the last sampler_watch_end(); 0 if a thread ended by libc since. */
int sampler_last_status(void);

/* Sleeps for `pause_ns`, or until the sampler is told something. The sampler only. */
enum sampler_stop sampler_rest(uint64_t pause_ns);

#endif
