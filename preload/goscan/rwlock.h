/* What the C library's rwlock of pthreads says of its readers. */
#ifndef LEAKSPY_GOSCAN_RWLOCK_H
#define LEAKSPY_GOSCAN_RWLOCK_H

#include <stdint.h>

/* How often it is held for reading, by its word __readers (nptl/pthread_rwlock_common.c). Who holds
 * it for writing, or is about to, is in the write phase (bit 0), in which the readers that are
 * counted (from bit 3 on) wait; in the other phase they hold it. */
static inline uint32_t rwlock_readers(uint32_t word)
{
    return word & 1 ? 0 : word >> 3;
}

#endif
