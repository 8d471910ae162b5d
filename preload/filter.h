/* System call filters (seccomp) that were set before the program started. A filter that kills for
 * one of our calls would end the program, and the kernel does not tell what a filter does. So a
 * hidden child process makes our calls first.
 *
 * A filter that kills for the call by which the child itself is made is not survived. So it is only
 * made where that does hardly any harm:
 * - A filter that process 1 has, too, is that of a container. All of its programs run under it, and
 *   hardly any container forbids its programs to fork, which the C library does by clone; one whose
 *   filter is older than clone3 may well kill for that.
 * - Any other was set for this program. Then it is made when the program is about to start a
 *   thread, by clone3, as the C library does. */
#ifndef LEAKSPY_FILTER_H
#define LEAKSPY_FILTER_H

#include <stdbool.h>

enum filter_kind { FILTER_NONE, FILTER_SHARED, FILTER_SPECIAL };

/* What kind of filter there is. By system calls alone that the start of any program makes. */
enum filter_kind filter_look(void);

/* Where there is a filter of that kind: whether this library may make its system calls. Before this
 * has returned true, it makes none that the program does not make at that moment, too. The reason
 * for false is said with VERBOSE. One thread at a time; once the program runs, with all signals
 * blocked, for the child must not run its handlers. */
bool filter_lets_us(enum filter_kind kind);

/* Whether the filter kills for a call that this library can do without. */
bool filter_forbids(long number);

#endif
