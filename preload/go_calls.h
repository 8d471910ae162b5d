/* Goroutines in system calls. Go's runtime knows only that they are in one; the kernel knows which.
 */
#ifndef LEAKSPY_GO_CALLS_H
#define LEAKSPY_GO_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/reader.h"
#include "preload/goscan/system_calls.h"

/* For a new recording: no call stands in it. */
void go_calls_reset(void);

/* A scan begins: it may ask the kernel so many times, and goes on where the last one ended. */
void go_calls_begin(void);

/* Counts a goroutine that is in a system call: whether it is its turn to be asked about. */
bool go_calls_turn(void);

/* What the thread `tid` is parked in; *ret_row: its row in the recording's calls. False: it is not
 * parked, or that cannot be told. */
bool go_calls_read(struct mem_reader *memory, uint32_t tid, struct thread_call *ret,
                   uint16_t *ret_row);

#endif
