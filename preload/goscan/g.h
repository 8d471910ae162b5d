/* The bytes of one runtime.g. */
#ifndef LEAKSPY_GOSCAN_G_H
#define LEAKSPY_GOSCAN_G_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/layout.h"
#include "preload/goscan/pclntab.h"
#include "preload/goscan/reader.h"

#define GO_G_BYTES 1024 /* no field that is read lies farther */

/* What the runtime's lists have at most, of Go's own compiler and of gccgo: one that says more is
 * none. */
#define GO_MAX_PROCESSORS 65536
#define GO_MAX_GOROUTINES (UINT64_C(1) << 24)
#define GO_MAX_NONSENSE (1U << 16) /* rows one after another that lead to no goroutine */

/* runtime._Gidle and so on. */
enum g_status {
    G_IDLE = 0,
    G_RUNNABLE = 1,
    G_RUNNING = 2,
    G_SYSCALL = 3,
    G_WAITING = 4,
    G_DEAD = 6,
    G_COPYSTACK = 8,
    G_PREEMPTED = 9,
    G_LEAKED = 10,     /* since 1.26 */
    G_DEAD_EXTRA = 11, /* since 1.26 */
    G_STATUS_LAST = 11,
    G_SCAN = 0x1000, /* added while the collector looks at it */
};

/* How many bytes of a g are to be read, all fields that are used included. */
size_t g_bytes(const struct go_layout *layout);

/* Reads g_bytes bytes of a g to `to`. */
bool g_read(struct mem_reader *reader, const struct go_layout *layout, uint64_t address, void *to);

/* Whether these are the bytes of a goroutine in any state. */
bool g_is_plausible(const struct go_layout *layout, const void *bytes,
                    const struct pclntab *functions);

/* Whether a plausible one that is not dead has a stack which is not being replaced. */
bool g_stands_still(const struct go_layout *layout, const void *bytes);

/* Whether a timer of this status is in a heap, and will fire: runtime.timerWaiting and so on, in Go
 * until 1.22 and in libgo. */
static inline bool g_timer_is_set(uint32_t status)
{
    enum {
        WAITING = 1,
        RUNNING = 2,
        MODIFYING = 6,
        MODIFIED_EARLIER = 7,
        MODIFIED_LATER = 8,
        MOVING = 9
    };
    const uint32_t is_set = 1U << WAITING | 1U << RUNNING | 1U << MODIFYING |
                            1U << MODIFIED_EARLIER | 1U << MODIFIED_LATER | 1U << MOVING;
    return status <= MOVING && (is_set >> status & 1) != 0;
}

static inline uint32_t g_status(const struct go_layout *layout, const void *bytes)
{
    return half_at(bytes, layout->g_status) & ~(uint32_t)G_SCAN;
}

#endif
