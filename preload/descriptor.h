/* What a descriptor of a program is. */
#ifndef LEAKSPY_DESCRIPTOR_H
#define LEAKSPY_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

struct descriptor {
    bool listens;   /* a socket that listens for connections */
    bool times_out; /* a socket with the timeout that was asked for */
};

/* Looks at the descriptor `fd` of the process `pid`. `timeout`: the option of sockets that is asked
 * for, SO_RCVTIMEO or SO_SNDTIMEO; 0: none. False is what cannot be told. In the process itself:
 * the sampler, with descriptors of its own. */
struct descriptor descriptor_look(uint32_t pid, int fd, int timeout);

#endif
