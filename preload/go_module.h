/* Libraries of Go's own compiler (-buildmode=c-shared) in programs that are none. */
#ifndef LEAKSPY_GO_MODULE_H
#define LEAKSPY_GO_MODULE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the code at `pc` is, or may be, of such a library. Looks through the variables of a file
 * that it is asked about for the first time. The sampler. */
bool go_module_has(uint64_t pc);

#endif
