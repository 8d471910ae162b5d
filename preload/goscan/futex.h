/* Which commands of futex(2) wait. */
#ifndef LEAKSPY_GOSCAN_FUTEX_H
#define LEAKSPY_GOSCAN_FUTEX_H

#include <linux/futex.h>
#include <stdbool.h>
#include <stdint.h>

/* `op`: as the kernel takes it, an int. */
static inline bool futex_waits(uint32_t op)
{
    switch (op & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
        return true;
    default:
        return false;
    }
}

#endif
