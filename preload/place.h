/* Where a recording goes: names, folders, and what already stands there. */
#ifndef LEAKSPY_PLACE_H
#define LEAKSPY_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLACE_ROOM 4096 /* bytes of a path, the NUL included */

/* Makes a new file for the process `pid` that began at `start_ticks`: FOLDER/PID-N.rec, or what
 * LEAKSPY_OUT names; where that is taken, and for fork children, LEAKSPY_OUT.PID-N. A recording of
 * this very process from before it called exec is marked so; one of LEAKSPY_OUT whose process is
 * gone is replaced. The descriptor, or a negative errno value; `path` says which file either way.
 * One thread at a time, any context. */
long place_create(uint32_t pid, uint64_t start_ticks, bool fork_child, char path[PLACE_ROOM]);

/* Is some ancestor of this process being recorded? (LEAKSPY_CHILDREN=no) */
bool place_has_recorded_ancestor(void);

/* When a process started, in ticks since boot (field 22 of /proc/PID/stat). 0: no such process. */
uint64_t place_start_ticks(uint32_t pid);

void place_boot_id(uint8_t ret[16]);

/* Reads a small file into `buffer`, NUL-terminated; returns its bytes, 0 if it cannot be read. */
size_t place_read_file(const char *path, char *buffer, size_t room);

#endif
