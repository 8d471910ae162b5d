/* Threads that began before the recording: a library that comes before ours has started them in its
 * constructor. They get their slots when the recording begins, since one that waits for ever would
 * never ask for its own. */
#ifndef LEAKSPY_EARLY_H
#define LEAKSPY_EARLY_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/recording.h"

/* Such a thread was started; its handle is at `place`, where the C library has put it. Makes no
 * system call: a filter may forbid any. Async-signal-safe. */
void early_note(const void *place);

/* How many of them there are still, or are taken to be where /proc does not tell. */
uint32_t early_left(void);

/* Gives a slot to each whose handle is known, and that lives. While a recording begins, when
 * recorder_lost_threads has been counted, and after own_tid_init. */
void early_record(void);

/* The slot that the calling thread, `tid` for the kernel, was given so; NULL: none, and it will be
 * given none. Async-signal-safe. */
struct rec_task *early_own_task(uint32_t tid);

/* In a fork child, which has none of them. */
void early_forget(void);

#endif
