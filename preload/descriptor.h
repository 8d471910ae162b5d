/* What a descriptor of the program is. */
#ifndef LEAKSPY_DESCRIPTOR_H
#define LEAKSPY_DESCRIPTOR_H

#include <stdbool.h>

/* Is it a socket that listens for connections? False where it cannot be told. The sampler, with
 * descriptors of its own. */
bool descriptor_is_listening(int fd);

#endif
