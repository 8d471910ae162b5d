/* Records a Go program that loads no library, from outside: a child of this process, which goes on
 * undisturbed. One at a time in a process. */
#ifndef LEAKSPY_ANALYZER_RECORD_OUTSIDE_H
#define LEAKSPY_ANALYZER_RECORD_OUTSIDE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Begins to record `child`, which has just been executed. Makes this process give way to others.
 * What cannot be done is said on stderr, once; then the functions below do nothing. */
void record_outside_open(pid_t child);

/* How long until the next look is due, in ns; 0: now; -1: there will be none. */
int64_t record_outside_rest_ns(void);

/* Looks, and returns early when `go_on` says so. */
void record_outside_look(bool (*go_on)(void));

/* The child has ended as wait(2) says. The path of the recording, good until the next open; NULL:
 * there is none, and why was said. */
const char *record_outside_close(int status);

#endif
