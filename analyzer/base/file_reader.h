/* Files that somebody else chose: only regular ones are opened, and their bytes are read as the
 * memory of a process is. */
#ifndef LEAKSPY_ANALYZER_BASE_FILE_READER_H
#define LEAKSPY_ANALYZER_BASE_FILE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/reader.h"

/* Opens a regular file for reading. Returns a descriptor, and how many bytes the file has
 * (`ret_bytes`: may be NULL); -1: it cannot be read, or is of another kind. */
int file_open(const char *path, uint64_t *ret_bytes);

/* A file as memory: its first byte has address 0. */
struct file_reader {
    struct mem_reader reader;
    int fd;
};

/* False: file_open() returned -1. */
bool file_reader_open(struct file_reader *ret, const char *path);

void file_reader_close(struct file_reader *file);

#endif
