/* The inside of a channel. */
#ifndef TASKRT_CHAN_H
#define TASKRT_CHAN_H

#include "runtime/internal.h"

/* Everything is under `lock`; what is atomic is also read by tools and by taskrt_chan_length. */
struct taskrt_chan {
    struct rt_lock lock;
    uint32_t run; /* in which the queues were used last */
    _Atomic uint32_t closed;
    uint32_t returning; /* waits whose tasks come back to the channel once they are woken */
    size_t element_bytes;
    _Atomic uint64_t capacity; /* fixed */
    _Atomic uint64_t length;   /* elements in the buffer */
    size_t head;               /* index of the oldest */
    struct rt_queue senders;
    struct rt_queue receivers;
    char buffer[];
};

#endif
