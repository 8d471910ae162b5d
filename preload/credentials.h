/* Keeps the sampler's credentials no better than those of the program. A program that changes them
 * changes them for the threads that libc knows, or those that Go's runtime knows, and the sampler
 * is not among these. The same holds for system call filters. */
#ifndef LEAKSPY_CREDENTIALS_H
#define LEAKSPY_CREDENTIALS_H

#include <stdbool.h>
#include <sys/types.h>

#define CREDENTIALS_KEPT ((uid_t)-1) /* as setresuid(2) has it */
#define CREDENTIALS_UNKNOWN ((uid_t)-2)

/* Whether the calling thread can undo at any time what it does to its credentials now, as servers
 * do that act for users: then the sampler, which keeps its own, may do nothing that the program may
 * not do. So it is where the superuser is among its users and will stay there, with the right to
 * change users and groups, and all capabilities that the sampler has. Not for Go, whose sampler
 * follows. `real`, `saved`: the users that the call sets. Any thread; not under a filter of the
 * program's. */
bool credentials_have_way_back(uid_t real, uid_t saved);

/* There will be another sampler: nothing is known of it. With the sampler's turn. */
void credentials_forget(void);

/* The rest is called by the sampler only. */

/* Remembers what the sampler was started with: its filters, its capabilities. */
void credentials_begin(void);

/* Gives the sampler the users, groups and capabilities that the main thread has now. False: that is
 * not possible, or there is another filter than at credentials_begin: then the sampler has to end
 * at once, without another system call. */
bool credentials_follow(void);

#endif
