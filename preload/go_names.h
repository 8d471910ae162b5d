/* Names of Go's functions, from the table that the program carries for itself: stripped ones, too.
 */
#ifndef LEAKSPY_GO_NAMES_H
#define LEAKSPY_GO_NAMES_H

#include <stdint.h>

#include "preload/frames.h"
#include "preload/goscan/pclntab.h"

/* Names those frames that are in Go's code and have no name yet (see frames.h). One for which the
 * strings have no room (counted) stays without. The sampler, or `leakspy run` outside. */
void go_names_fill(const struct pclntab *functions, struct frames_new *frames, uint32_t count);

#endif
