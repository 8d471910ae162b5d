/* What /proc says about processes: the only user of it. */
#ifndef LEAKSPY_PROCESS_H
#define LEAKSPY_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum process_state {
    PROCESS_GONE,
    PROCESS_ENDED, /* a zombie: nothing of it runs any more */
    PROCESS_ALIVE,
};

/* Looks at a process. *ret_start_ticks is field 22 of /proc/PID/stat (0 when it is gone); may be
 * NULL. Any pid is fine. */
enum process_state process_look(pid_t pid, uint64_t *ret_start_ticks);

/* Whether the process that had `pid` and `start_ticks` in the boot `boot_id` (16 bytes; all zeroes:
 * not known) runs still. start_ticks 0: not known. */
bool process_is_same(pid_t pid, uint64_t start_ticks, const uint8_t boot_id[16]);

/* The user a process belongs to. False: gone, errno says why. */
bool process_owner(pid_t pid, uid_t *ret);

/* Calls visit(path, arg) for each file that the process has mapped shared, until it returns true.
 * Returns whether one did. *ret_denied: the list of mappings may not be read. */
bool process_shared_files(pid_t pid, bool (*visit)(const char *path, void *arg), void *arg,
                          bool *ret_denied);

/* Calls visit(pid, arg) for every process of a user. */
void process_each(uid_t uid, void (*visit)(pid_t pid, void *arg), void *arg);

#endif
