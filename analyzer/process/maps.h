/* What a running process has mapped, and where the files of it are to be opened. */
#ifndef LEAKSPY_ANALYZER_PROCESS_MAPS_H
#define LEAKSPY_ANALYZER_PROCESS_MAPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "analyzer/image/image.h"

/* `task`: as in process_open_memory. Fills image->mappings from /proc/PID/maps (proc_pid_maps(5)).
 * False, with errno. */
bool process_read_maps(struct image *image, pid_t task);

/* The same from the text of such a file, whose lines are ended by NUL on the way. What is no such
 * line is left out, and what does not come in the order of addresses. False: no memory. */
bool process_parse_maps(struct image *image, char *text);

/* Fills `file` of each module, also when the process lives in another mount namespace or the file
 * was deleted or replaced: a path where the same build is, by its build-id, or by its headers where
 * it has none and was not deleted. Else `unsure` where what stands there now has the same headers.
 * False: no memory. */
bool process_find_files(struct image *image, pid_t task);

#endif
