/* Reading memory of the own process that may vanish while it is read. */
#ifndef LEAKSPY_MEMORY_H
#define LEAKSPY_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds out how this process may read itself. At start and after fork. */
void memory_init(void);

/* For the sampler, which has descriptors of its own: a second way where the kernel (seccomp)
 * refuses the first one. */
void memory_init_fallback(void);

/* Copies `bytes` bytes from `address`. False: not mapped (all of it), or not permitted. Any thread,
 * any context; one system call. */
bool memory_read(uint64_t address, void *buffer, size_t bytes);

/* Copies as much as is mapped, and returns how many bytes that is. */
size_t memory_read_some(uint64_t address, void *buffer, size_t bytes);

/* Private zeroed memory straight from the kernel, reserved but not touched. NULL: none to be had.
 */
void *memory_reserve(size_t bytes);

/* The same, for what means nothing in a fork child: it finds zeroes there, and the fork does not
 * copy it. (Before Linux 4.14 it is copied as any other.) */
void *memory_reserve_unforked(size_t bytes);

/* Makes zeroes of such memory, in one system call. */
void memory_clear(void *memory, size_t bytes);

#endif
