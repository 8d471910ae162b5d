/* The memory of this process, as tests have it read. */
#ifndef LEAKSPY_TESTS_MEMORY_HERE_H
#define LEAKSPY_TESTS_MEMORY_HERE_H

#include <stdint.h>

#include "analyzer/image/image.h"

#define HERE_FIRST_PAGE 4096

/* Addresses below this one, and those that no process has, cannot be read: HERE_FIRST_PAGE, unless
 * a test sets it. */
extern uint64_t here_readable_from;

extern struct mem_reader here_memory;

/* The arguments of a system call; those that are not given are 0. */
#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})

#endif
