/* A running process as an image. */
#ifndef LEAKSPY_ANALYZER_PROCESS_IMAGE_H
#define LEAKSPY_ANALYZER_PROCESS_IMAGE_H

#include "analyzer/image/image.h"

/* Opens a running process. Errors: no such process; it has ended; not permitted, with what would
 * help (user, root, kernel.yama.ptrace_scope, hidepid); of 32 bits or of another machine; a thread
 * of the kernel. */
bool image_open_process(struct image *ret, pid_t pid, struct err *err);

#endif
