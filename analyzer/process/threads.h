/* The threads of a running process, as the kernel tells of them without stopping any. */
#ifndef LEAKSPY_ANALYZER_PROCESS_THREADS_H
#define LEAKSPY_ANALYZER_PROCESS_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "analyzer/image/image.h"

/* All threads of a process, without those that the kernel keeps among them for work of its own:
 * what each is parked in, and at least how long. *ret is to be freed.
 * *ret_denied: what they are parked in may not be read. False, with errno: there is no such
 * process, or no memory.
 *
 * Sources: proc_pid_stat(5), proc_pid_syscall(5); for the age, se.exec_start of /proc/TID/sched
 * (kernel/sched/debug.c): when the thread was last on a CPU, by that CPU's clock. */
bool process_read_threads(pid_t pid, struct image_thread **ret, size_t *ret_count,
                          bool *ret_denied);

/* What one thread is parked in now; its age is left out. False: it has ended. */
bool process_read_call(pid_t pid, pid_t tid, struct image_thread *ret);

/* Looks at one thread again, quicker: call, args, registers, parked and switches of *thread. One
 * that may not be looked at is not parked, as far as is known. False: it has ended. */
bool process_look_again(pid_t pid, struct image_thread *thread);

#endif
