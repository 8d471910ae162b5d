/* What /proc says of a process, by system calls of our own. Any thread, any context. */
#ifndef LEAKSPY_PROC_H
#define LEAKSPY_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "preload/text.h"

#define PROC_STATUS_BYTES (32U << 10) /* of /proc/PID/status; groups take some 10 bytes each */

#define OWN_PROCESS 0 /* as pid, where a function says so */

/* Begins a path in `room` bytes: "/proc/PID", for what is to follow. Our own is "/proc/self", since
 * a /proc from outside of our pid namespace has another number for it. `pid` may be OWN_PROCESS. */
struct text proc_path(char *to, size_t room, uint32_t pid);

/* Reads a small file into `buffer`, NUL-terminated; returns its bytes, 0 if it cannot be read. */
size_t proc_read_file(const char *path, char *buffer, size_t room);

/* When a process started, in ticks since boot (field 22 of /proc/PID/stat). 0: no such process. */
uint64_t proc_start_ticks(uint32_t pid);

/* The process that started it, or took it over. 0: no such process, or none that can be seen. */
uint32_t proc_parent(uint32_t pid);

/* By which two starts of the machine differ; zeros where it cannot be read. One thread at a time.
 */
void proc_boot_id(uint8_t ret[16]);

#endif
