/* What a channel of libgo (struct hchan) says of itself. */
#ifndef LEAKSPY_GOSCAN_LIBGO_CHAN_H
#define LEAKSPY_GOSCAN_LIBGO_CHAN_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/libgo_layout.h"
#include "preload/goscan/reader.h"

#define LIBGO_CHAN_HEAD_BYTES (LIBGO_CHAN_CLOSED + 4)

struct libgo_chan {
    uint64_t capacity, length;
    bool known; /* it looks like a channel */
    bool closed;
};

/* `head`: its first LIBGO_CHAN_HEAD_BYTES, or more. */
static inline struct libgo_chan libgo_chan_of(const unsigned char *head)
{
    struct libgo_chan chan = {
        .capacity = word_at(head, LIBGO_CHAN_CAPACITY),
        .length = word_at(head, LIBGO_CHAN_LENGTH),
    };
    uint32_t closed = half_at(head, LIBGO_CHAN_CLOSED);
    chan.known = chan.length <= chan.capacity && closed <= 1;
    chan.closed = chan.known && closed;
    return chan;
}

#endif
