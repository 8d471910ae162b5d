/* The one thing that the command writes into the recording of a program that it started. */
#ifndef LEAKSPY_ANALYZER_RECORDING_END_H
#define LEAKSPY_ANALYZER_RECORDING_END_H

#include <stdbool.h>

/* Writes into the recording at `path` how its process ended (`status`: of waitpid), if it is one
 * and does not say so yet: the process was killed, be it by its last flush, or left without libc's
 * help. Only its parent knows. False: it could not be written. */
bool recording_write_end(const char *path, int status);

#endif
