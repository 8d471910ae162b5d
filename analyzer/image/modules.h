/* The loaded files of an image, found in its mappings and its memory. */
#ifndef LEAKSPY_ANALYZER_IMAGE_MODULES_H
#define LEAKSPY_ANALYZER_IMAGE_MODULES_H

#include "analyzer/image/image.h"

/* Adds a mapping at the end of the table; they come in the order of their addresses. `name` is
 * copied. False: no memory. */
bool image_add_mapping(struct image *image, const struct image_mapping *mapping, size_t name_bytes);

/* Fills image->modules from image->mappings and image->memory, and the mappings' `module`. `file`
 * of each is "" afterwards. phdr: where the kernel says that the executable's program headers are
 * (AT_PHDR); 0: not known. False: no memory. */
bool image_find_modules(struct image *image, uint64_t phdr);

#endif
