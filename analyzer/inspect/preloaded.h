/* The preload library where no recording is to be had, as in a core: what is its own, and none of
 * the program's. */
#ifndef LEAKSPY_ANALYZER_INSPECT_PRELOADED_H
#define LEAKSPY_ANALYZER_INSPECT_PRELOADED_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/image/image.h"

struct preloaded {
    uint32_t module;         /* row of image->modules; 0: the program runs without it */
    uint32_t tid;            /* of its own thread, by its pid namespace; 0: there is none */
    uint64_t thread_pointer; /* of that thread */
};

/* Whether a file is the library, by its name. */
bool preloaded_is_library(const char *path);

/* As it is at this moment. */
void preloaded_find(struct preloaded *ret, struct image *image);

/* Whether a thread is the library's own, which looks at the program's. */
bool preloaded_is_thread(const struct preloaded *preloaded, const struct image_thread *thread);

/* Whether code is the library's. */
bool preloaded_is_code(const struct preloaded *preloaded, const struct image *image,
                       uint64_t address);

#endif
