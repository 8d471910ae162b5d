/* Files of /proc, which say how long they are only by being read. */
#ifndef LEAKSPY_ANALYZER_PROCESS_FILE_H
#define LEAKSPY_ANALYZER_PROCESS_FILE_H

#include <stddef.h>

/* Reads the beginning of a file, NUL-terminated: `room` - 1 bytes at most, by one read(2), so that
 * what it tells is of one moment. Returns how many bytes; 0: it cannot be read, and `to` is "". */
size_t process_file_start(const char *path, char *to, size_t room);

/* Reads a whole file, up to `most` bytes, NUL-terminated; to be freed. NULL, with errno: it cannot
 * be read, or no memory (ENOMEM). */
char *process_file_read(const char *path, size_t most, size_t *ret_bytes);

#endif
