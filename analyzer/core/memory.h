/* The memory of a process as a core has it: what was dumped, and where that was left out, the
 * mapped files, as far as they are known to be the same. */
#ifndef LEAKSPY_ANALYZER_CORE_MEMORY_H
#define LEAKSPY_ANALYZER_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/core/file.h"
#include "preload/goscan/reader.h"

/* A part of a file that was mapped. They are sorted and do not overlap. */
struct core_overlay {
    uint64_t start, end;
    uint64_t file_offset;
    const char *path; /* where to open it; rows of one file have one address */
};

#define CORE_OPEN_FILES 32

struct core_memory {
    struct mem_reader reader;
    const struct core_file *core;
    struct core_overlay *overlays;
    size_t overlay_count;
    struct {
        const char *path;
        int fd;
    } open[CORE_OPEN_FILES]; /* filled round and round */
    size_t open_count, open_next;
    uint64_t misses; /* pieces that were mapped, but are neither here nor there */
    uint64_t first_miss;
};

void core_memory_init(struct core_memory *ret, const struct core_file *core);
void core_memory_deinit(struct core_memory *memory);

/* Adds a row behind all others; to be called in the order of addresses. False: no memory. */
bool core_memory_overlay(struct core_memory *memory, const struct core_overlay *row);

#endif
