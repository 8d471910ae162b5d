/* Keeps the sampler's credentials those of the program. A program that changes them without libc
 * (Go's runtime does) changes them for the threads that it knows, and the sampler is not among
 * these. The same holds for system call filters. Called by the sampler only. */
#ifndef LEAKSPY_CREDENTIALS_H
#define LEAKSPY_CREDENTIALS_H

#include <stdbool.h>

/* Remembers the filters that the sampler was started under. */
void credentials_begin(void);

/* Gives the sampler the users, groups and capabilities that the main thread has now. False: that is
 * not possible, or there is another filter than at credentials_begin: then the sampler has to end
 * at once, without another system call. */
bool credentials_follow(void);

#endif
