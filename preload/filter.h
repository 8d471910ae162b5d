/* System call filters (seccomp) that were there before the program started. One that kills for a
 * call of ours would end the program, and the kernel does not tell what a filter does: so a child,
 * which nobody sees, makes our calls first. */
#ifndef LEAKSPY_FILTER_H
#define LEAKSPY_FILTER_H

#include <stdbool.h>

/* May we make our system calls? Until then, no call may be made that the start of a plain program
 * does not make. Where a filter is there, and only then, children are made to find out; says why
 * not under VERBOSE. One thread, at start.
 *
 * What cannot be found out: a filter that kills for clone3, as which the child is made. Under such
 * a filter no program can start a thread either. */
bool filter_lets_us(void);

/* Does the filter kill for this call, which we can do without? */
bool filter_forbids(long number);

#endif
