/* What /proc tells of processes. The files of this folder are the only ones that ask it for others'
 * memory, mappings and threads, and the only users of ptrace. */
#ifndef LEAKSPY_ANALYZER_PROCESS_PROCESS_H
#define LEAKSPY_ANALYZER_PROCESS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "analyzer/base/err.h"

enum process_state {
    PROCESS_GONE,
    PROCESS_ENDED, /* a zombie: nothing of it runs any more */
    PROCESS_ALIVE,
};

/* Looks at a process. *ret_start_ticks is field 22 of /proc/PID/stat (0 when it is gone); may be
 * NULL. Any pid is fine. */
enum process_state process_look(pid_t pid, uint64_t *ret_start_ticks);

/* Whether the machine has not been started again since the boot `boot_id` (16 bytes; all zeroes:
 * not known), as far as is known. */
bool process_is_of_this_boot(const uint8_t boot_id[16]);

/* Whether the process that had `pid` and `start_ticks` in the boot `boot_id` (16 bytes; all zeroes:
 * not known) runs still. start_ticks 0: not known. */
bool process_is_same(pid_t pid, uint64_t start_ticks, const uint8_t boot_id[16]);

/* The number by which this command knows the process that has `pid` in its own PID namespace, which
 * may be another one than ours: the rest as above. 0: it does not run, or cannot be seen from here.
 */
pid_t process_here(pid_t pid, uint64_t start_ticks, const uint8_t boot_id[16]);

/* The user a process belongs to. False: gone, errno says why. */
bool process_owner(pid_t pid, uid_t *ret);

/* The id whose folder of /proc tells of memory and files of a process: its own, or, when its first
 * thread has ended before the others, that of one of those. */
pid_t process_live_thread(pid_t pid);

/* Calls visit(path, arg) for each file that the process has mapped shared, until it returns true.
 * Returns whether one did. *ret_denied: the list of mappings may not be read. */
bool process_shared_files(pid_t pid, bool (*visit)(const char *path, void *arg), void *arg,
                          bool *ret_denied);

/* Calls visit(pid, arg) for every process of a user, or (owner NULL) of all of them. */
void process_each(const uid_t *owner, void (*visit)(pid_t pid, void *arg), void *arg);

/* Calls visit(pid, arg) for each process that one has started and not waited for, until it returns
 * false. Those that come and go meanwhile may be left out; where the kernel was built without that
 * list (CONFIG_PROC_CHILDREN), all are. */
void process_children(pid_t pid, bool (*visit)(pid_t pid, void *arg), void *arg);

struct process_status {
    pid_t process; /* the process that a thread's id belongs to */
    pid_t tracer;  /* 0: none */
    pid_t parent;  /* 0: none that can be seen */
    pid_t own_id;  /* by its own pid namespace */
    bool nested;   /* which is not ours */
    uid_t uid;     /* real */
    char state;    /* 'R', 'S', 'Z' … */
    bool filtered; /* a seccomp filter, or the strict mode, judges its system calls */
    bool kernel;   /* it has no memory of its own and never had: a thread of the kernel */
    char name[64]; /* printable */
};

/* Reads /proc/PID/status of a process or a thread. False: it is gone, or hidden. */
bool process_read_status(pid_t id, struct process_status *ret);

/* Opens a folder or a file "/proc/PID/NAME" for reading; -1 with errno. */
int process_open_file(pid_t pid, const char *name);

/* The words of /proc/PID/cmdline, NULL-terminated, one allocation each; NULL: no memory. Empty when
 * they cannot be read. */
char **process_cmdline(pid_t pid);

/* The path of the program, without " (deleted)"; to be freed. NULL: it cannot be read, or there is
 * no memory. */
char *process_exe(pid_t pid);

/* When the process started, in ns of CLOCK_REALTIME; 0: it is gone. */
int64_t process_started_unix_ns(pid_t pid);

/* The present CLOCK_MONOTONIC of a process, which may live in another time namespace, in ns. */
int64_t process_monotonic_ns(pid_t pid);

/* A word of the vector that the kernel gave to the program (getauxval(3)); 0: not there, or not to
 * be read. */
uint64_t process_auxv(pid_t pid, uint64_t type);

/* Whether memory and threads of the process may be looked at; fills *err with the reason and the
 * remedy if not: no such process, ended, of the kernel, of 32 bits, of another user, forbidden by
 * yama, not dumpable, hidden. *ret_memory: /proc/PID/mem, to be closed. *ret_task: as of
 * process_live_thread. */
bool process_open_memory(pid_t pid, pid_t *ret_task, int *ret_memory, struct err *err);

#endif
