/* Stopping one thread for a moment, to read what the kernel tells of no other. */
#ifndef LEAKSPY_PROCESS_STOP_H
#define LEAKSPY_PROCESS_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/image.h"

/* Threads that did not stop in time, and are let go as soon as they do. */
struct process_stops {
    pid_t pid;
    pid_t late[8];
    size_t late_count;
};

void process_stops_init(struct process_stops *ret, pid_t pid);

/* Lets go of the threads that stopped late. One that never does is let go by the kernel when
 * leakspy ends. */
void process_stops_deinit(struct process_stops *stops);

/* Stops a thread, reads its registers, and its stack from the stack pointer to the end of the
 * mapping or of ret->stack_room, and lets it go. False: it is not in a call that survives it, it is
 * being traced, it does not stop within 50 ms, or that is not permitted.
 *
 * To be called by one and the same thread of ours always (ptrace(2)). */
bool process_stop_thread(struct process_stops *stops, struct image *image,
                         struct image_thread *thread, struct image_stop *ret);

#endif
