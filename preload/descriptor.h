/* What a descriptor of a program is. */
#ifndef LEAKSPY_DESCRIPTOR_H
#define LEAKSPY_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/recording.h"

/* Whose descriptor it is. */
struct descriptor_place {
    uint32_t pid;
    uint32_t tid; /* a thread of it, which may have a table of its own; 0: that of the process */
    int fd;
    int timeout; /* a call waits for it that such an option of sockets may end: SO_RCVTIMEO or
                    SO_SNDTIMEO; 0: none does */
};

struct descriptor {
    bool known;
    bool connected;             /* a stream socket that is connected */
    bool listens;               /* a socket that listens for connections */
    bool times_out;             /* a socket for which that option is set, or a timer that is */
    bool is_input;              /* the program's standard input, as it was when recording began */
    struct rec_descriptor told; /* but for the task and its wait */
};

/* Whether sockets are asked what they are. True at first; the sampler says no where a system call
 * filter kills for it. */
extern bool descriptor_asks_sockets;

/* Learns where the standard input of this process leads to. At start. */
void descriptor_know_input(void);

/* Looks at a descriptor. False and 0 are what cannot be told. In the process itself: the sampler,
 * with descriptors of its own. Source: pidfd_open(2). */
void descriptor_look(const struct descriptor_place *place, struct descriptor *ret);

/* The same, and writes it down for the wait with the number `wait` of the task `id` in the slot
 * `task`. Returns what it says of that wait, for its detail_flags. */
uint16_t descriptor_record(const struct rec_task *task, uint64_t id, uint32_t wait,
                           const struct descriptor_place *place);

#endif
