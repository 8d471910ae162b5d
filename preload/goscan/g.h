/* The bytes of one runtime.g. */
#ifndef LEAKSPY_GOSCAN_G_H
#define LEAKSPY_GOSCAN_G_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/goscan/layout.h"
#include "preload/goscan/pclntab.h"
#include "preload/goscan/reader.h"

#define GO_G_BYTES 1024 /* no field that is read lies farther */

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

static inline uint32_t g_status(const struct go_layout *layout, const void *bytes)
{
    return half_at(bytes, layout->g_status) & ~(uint32_t)G_SCAN;
}

#endif
