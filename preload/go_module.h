/* Libraries of Go's own compiler (-buildmode=c-shared) in programs that are none. */
#ifndef LEAKSPY_GO_MODULE_H
#define LEAKSPY_GO_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/go_program.h"

/* Whether the code at `pc` is, or may be, of such a library. Looks through the variables of a file
 * that it is asked about for the first time. The sampler. */
bool go_module_has(uint64_t pc);

/* Where the first of them is that go_module_has() came upon. False: none yet. The sampler. */
bool go_module_first(struct go_program *ret);

/* For a new recording (also after fork, which leaves a library without its threads): none was come
 * upon. */
void go_module_reset(void);

#endif
