/* What the sampler may do, against what the program may do: for programs that change credentials,
 * or set filters of system calls, without libc. Go's runtime does so for all threads that it knows
 * of, and the sampler is not among them. */
#ifndef LEAKSPY_CREDENTIALS_H
#define LEAKSPY_CREDENTIALS_H

#include <stdbool.h>

/* Remembers under which filters the calling thread was started. The sampler, which needs
 * descriptors of its own; so below. */
void credentials_begin(void);

/* Gives the calling thread the users, groups and capabilities that the main thread has now. False:
 * it cannot have them, or they cannot be read, or it was put under another filter since
 * credentials_begin: then it is to end, and to call nothing else before. */
bool credentials_follow(void);

#endif
