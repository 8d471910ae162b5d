/* What /proc says of a process, by system calls of our own. Any thread, any context. */
#ifndef LEAKSPY_PROC_H
#define LEAKSPY_PROC_H

#include <stddef.h>
#include <stdint.h>

#define PROC_STATUS_BYTES (32U << 10) /* of /proc/PID/status; groups take some 10 bytes each */

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
