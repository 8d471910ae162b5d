/* Names of functions for the addresses of the recorded stacks, from the symbol tables of their
 * files: so that a recording says something when the files are gone. */
#ifndef LEAKSPY_NAMES_H
#define LEAKSPY_NAMES_H

#include "preload/frames.h"

/* Names what stands in sites that are new since the last call. The sampler, with descriptors of its
 * own. */
void names_update(void);

/* A runtime that knows names of its own; NULL: there is none. Called before files are read. */
extern void (*names_runtime)(struct frames_new *frames, uint32_t count);

#endif
