/* Where a recording goes: names, folders, and what already stands there. */
#ifndef LEAKSPY_PLACE_H
#define LEAKSPY_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#define PLACE_ROOM 4096 /* bytes of a path, the NUL included */

/* A system call filter kills for what gives files and folders the rights that the umask took. */
extern bool place_keeps_modes;

/* Makes a new file for the process `pid` that began at `start_ticks`: FOLDER/PID-N.rec, or what
 * LEAKSPY_OUT names; where that is taken, and for fork children, LEAKSPY_OUT.PID-N. A recording of
 * this very process from before it called exec is marked so; one of LEAKSPY_OUT whose process is
 * gone is replaced. Its user may read and write it whatever the umask is. The descriptor, or a
 * negative errno value; `path` says which file either way. One thread at a time, any context. */
long place_create(uint32_t pid, uint64_t start_ticks, bool fork_child, char path[PLACE_ROOM]);

/* Is some ancestor of this process being recorded? (LEAKSPY_CHILDREN=no) Looks for the first
 * recording that a process makes, of the nearest 64 ancestors: false also where that may not be
 * read. One thread at a time, any context. */
bool place_has_recorded_ancestor(void);

#endif
