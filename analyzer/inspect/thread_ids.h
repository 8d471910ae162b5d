/* The ids by which a program knows its threads. */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_IDS_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_IDS_H

#include <stdbool.h>

#include "analyzer/image/image.h"
#include "analyzer/inspect/c_library.h"

/* Gives the threads of a core the ids that glibc has for them, where it has some: its locks name
 * their holders by these. A core that was written from outside of the program's pid namespace, as
 * gcore does for a container, has others. False: no memory. */
bool thread_ids_take_own(struct image *image, const struct c_library *libc);

#endif
