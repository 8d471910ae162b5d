/* What a report may cost, whatever it is made of. */
#ifndef LEAKSPY_ANALYZER_BASE_LIMITS_H
#define LEAKSPY_ANALYZER_BASE_LIMITS_H

#include <stdint.h>

/* How many bytes of memory this process may take instead, from the first limits_begin on. One
 * thread. */
void limits_set_memory(uint64_t bytes);

/* What is read may be made by somebody else, to be costly: from now on this process takes at most
 * three quarters of the machine's memory (more is an allocation that fails), and LIMITS_LOOK_S of
 * processor time up to the next call; then it says so and ends with status 2. It ends so, too, when
 * a file is cut short while it is mapped (libelf maps what it reads). Lower limits of the caller
 * stay. Not for commands that start other programs: they would inherit them. One thread. */
void limits_begin(void);

#define LIMITS_LOOK_S 300

#endif
