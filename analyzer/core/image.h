/* A core as an image. */
#ifndef LEAKSPY_ANALYZER_CORE_IMAGE_H
#define LEAKSPY_ANALYZER_CORE_IMAGE_H

#include "analyzer/image/image.h"

/* Opens a core. exe: the file to take for its executable; NULL: the one that it names, if its
 * build-id is the core's. Errors: no core, truncated so that nothing is to be read, of another
 * machine or of 32 bits. */
bool image_open_core(struct image *ret, const char *path, const char *exe, struct err *err);

/* Whether a file is to be opened as a core: it is one, packed perhaps, or a program that was taken
 * for one. */
bool image_is_core(const char *path);

#endif
