/* Reads memory of the own process that may be unmapped meanwhile, and gets memory without malloc.
 */
#ifndef LEAKSPY_MEMORY_H
#define LEAKSPY_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/reader.h"

/* Finds out how this process may read itself. At start and after fork. */
void memory_init(void);

/* Prepares a second way to read, by a file of /proc, where a filter refuses the first one. For the
 * sampler alone, each one when it begins; it takes a descriptor, and so there is none unless the
 * sampler has descriptors of its own. */
void memory_init_fallback(bool own_descriptors);

/* Copies `bytes` bytes, 64 KiB at most, from `address`. False: some of them are not mapped, or it
 * is not permitted. Any thread, any context; costs a system call. */
bool memory_read(uint64_t address, void *buffer, size_t bytes);

/* Copies as much of that as is mapped, from the first byte on. Returns how many bytes. */
size_t memory_read_some(uint64_t address, void *buffer, size_t bytes);

/* memory_read for who wants a reader. */
struct mem_reader memory_reader(void);

/* Private zeroed memory straight from the kernel, reserved but not touched: at least `bytes` bytes,
 * in whole pages. NULL: none to be had. Any thread, any context; never given back. */
void *memory_reserve(size_t bytes);

/* From now on, a fork child finds zeroes in such memory. False: the kernel cannot do that. */
bool memory_wipe_on_fork(void *memory, size_t bytes);

/* memory_reserve(), but a fork child finds zeroes there, and fork does not copy it. (Before Linux
 * 4.14 it is copied.) NULL: as memory_reserve. */
void *memory_reserve_unforked(size_t bytes);

/* Fills such memory with zeroes, a multiple of 8 bytes: all of what was reserved. By one system
 * call, which also gives its pages back; word by word where the program has locked its memory
 * (mlockall), for which the kernel refuses that. Any thread, any context; others may read it
 * meanwhile. */
void memory_clear(void *memory, size_t bytes);

#endif
