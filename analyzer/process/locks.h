/* Locks of files, and who holds them. */
#ifndef LEAKSPY_ANALYZER_PROCESS_LOCKS_H
#define LEAKSPY_ANALYZER_PROCESS_LOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "analyzer/image/image.h"

/* Whether a thread is inside a call that waits for the lock of a file, with its descriptor in
 * *ret_fd: flock, or fcntl with F_SETLKW or F_OFD_SETLKW. */
bool process_waits_for_lock(const struct image_thread *thread, int *ret_fd);

/* What one report knows of them already; begins as {0}. Of many threads that wait for one lock, who
 * holds it is looked for once; and of so many descriptors altogether that a report takes no minute:
 * then, who took a lock is said, and not whether that process has it still. */
struct process_lock_search {
    char lock[160]; /* the kernel's line of the last one */
    char said[240]; /* of that; "": nothing is certain */
    size_t descriptors;
};

/* Says who holds the lock that such a thread of the process `pid` waits for, as a clause: "is held
 * by process 4242 (backup)"; good until the next call. NULL: that is not certain, as where several
 * threads of the process wait for locks of the same file that others hold. It is of the moment:
 * whether the thread waits still is to be asked afterwards.
 *
 * Source: /proc/locks (proc_locks(5), lock_get_status in Linux's fs/locks.c), which lists under
 * each lock who waits for it, and the lines "lock:" of proc_pid_fdinfo(5). */
const char *process_lock_holder(struct process_lock_search *search, pid_t pid,
                                const struct image_thread *thread);

#endif
