/* Files that somebody else chose: only regular ones are opened, and their bytes are read as the
 * memory of a process is. */
#ifndef LEAKSPY_ANALYZER_BASE_FILE_READER_H
#define LEAKSPY_ANALYZER_BASE_FILE_READER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "preload/goscan/reader.h"

/* Opens a regular file for reading. Returns a descriptor, and how many bytes the file has
 * (`ret_bytes`: may be NULL); -1: it cannot be read, errno says why, or is of another kind: errno
 * is 0. */
int file_open(const char *path, uint64_t *ret_bytes);

/* Reads at an offset until `bytes` bytes are there or the file ends. Returns how many there are;
 * -1: they cannot be read, errno says why. */
ssize_t file_read_at(int fd, uint64_t offset, void *to, size_t bytes);

/* A file as memory: its first byte has address 0. */
struct file_reader {
    struct mem_reader reader;
    int fd;
};

/* False: file_open() returned -1. */
bool file_reader_open(struct file_reader *ret, const char *path);

void file_reader_close(struct file_reader *file);

#endif
