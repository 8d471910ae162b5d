/* Names of functions for the addresses in recorded stacks, from the symbol tables of the loaded
 * files. The recording holds them, so that it can be read without those files. */
#ifndef LEAKSPY_NAMES_H
#define LEAKSPY_NAMES_H

#include "preload/frames.h"

/* Names the addresses of all sites that are new since the last call. `go_on`: see frames.h. The
 * sampler only. */
void names_update(bool (*go_on)(void));

/* A runtime's own way to name its functions, asked before files are read. NULL: there is none. */
extern void (*names_runtime)(struct frames_new *frames, uint32_t count);

#endif
