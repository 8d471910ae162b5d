/* A running process as an image. */
#ifndef LEAKSPY_ANALYZER_PROCESS_IMAGE_H
#define LEAKSPY_ANALYZER_PROCESS_IMAGE_H

#include "analyzer/image/image.h"

/* Opens a running process. Errors: no such process, not permitted (with how to be), it is being
 * looked at by its own user's rules (yama), it is of 32 bits or of another machine, it is a kernel
 * thread. */
bool image_open_process(struct image *ret, pid_t pid, struct err *err);

#endif
