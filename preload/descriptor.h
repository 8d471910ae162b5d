/* What a descriptor of a program is. */
#ifndef LEAKSPY_DESCRIPTOR_H
#define LEAKSPY_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

/* Is the descriptor `fd` of the process `pid` a socket that listens for connections? False where it
 * cannot be told. In the process itself: the sampler, with descriptors of its own. */
bool descriptor_is_listening(uint32_t pid, int fd);

#endif
