/* Where the loaded files of an image have their symbols: by the hash tables that the loader uses,
 * from the file or, where that is not to be had, from memory; and by the table of all symbols,
 * which only files have. */
#ifndef LEAKSPY_ANALYZER_IMAGE_SYMBOLS_H
#define LEAKSPY_ANALYZER_IMAGE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"

struct image_symbol {
    const char *name; /* by the caller: the linker's name, without a version */
    uint64_t address; /* in the process; 0: not found */
    uint64_t bytes;
    bool is_local; /* one a thread: address is its offset in the storage of the module */
};

/* Looks for exported symbols of a module (row of image->modules). Returns how many it has; the
 * others' address is 0. */
size_t image_exported(struct image *image, uint32_t module, struct image_symbol *symbols,
                      size_t count);

/* The same among all symbols of its file, if it has that table still. Where the first one is not
 * there, none is found. `count` is 1 at least. */
size_t image_all_symbols(struct image *image, uint32_t module, struct image_symbol *symbols,
                         size_t count);

#endif
