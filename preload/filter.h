/* System call filters (seccomp) that were set before the program started. A filter that kills for
 * one of our calls would end the program, and the kernel does not tell what a filter does. So a
 * hidden child process makes our calls first. */
#ifndef LEAKSPY_FILTER_H
#define LEAKSPY_FILTER_H

#include <stdbool.h>

/* Whether this library may make its system calls. Before this has returned true, it makes none that
 * the start of any program does not make, too. Children are only made if there is a filter. The
 * reason for false is said with VERBOSE. At start, while there is one thread.
 *
 * The child itself is made by clone3: a filter that kills for that is not survived. Under such a
 * filter no program can start a thread either. */
bool filter_lets_us(void);

/* Whether the filter kills for a call that this library can do without. */
bool filter_forbids(long number);

#endif
