/* Stopping one thread for a moment, to read what the kernel tells of no other. */
#ifndef LEAKSPY_ANALYZER_PROCESS_STOP_H
#define LEAKSPY_ANALYZER_PROCESS_STOP_H

#include <stdbool.h>
#include <sys/types.h>

#include "analyzer/image/image.h"

struct process_stops {
    pid_t pid;
    unsigned late; /* threads that did not stop in time */
};

void process_stops_init(struct process_stops *ret, pid_t pid);

/* Stops a thread, reads its registers, and its stack from the stack pointer to the end of the
 * mapping or of ret->stack_room, and lets it go. False: it is not in a call that survives it, a
 * seccomp filter judges its calls (and may not know the one by which the kernel goes on after a
 * stop), it is being traced, it does not stop within 50 ms, or that is not permitted.
 *
 * ret->pause_ns: how long it may have stood, also of one that did not stop in time; 0: it was left
 * alone. Nothing is asked of the thread any more when this returns: after 50 ms it has been given
 * up, and after a few such threads no other one is stopped. */
bool process_stop_thread(struct process_stops *stops, struct image *image,
                         struct image_thread *thread, struct image_stop *ret);

#endif
