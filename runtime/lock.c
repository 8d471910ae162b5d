/* The slow half of rt_lock, and the futex calls. */
#include "runtime/internal.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPINS 200 /* about a microsecond: longer than any section that a running thread is in */

void rt_futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    errno = saved;
}

void rt_futex_wake(_Atomic uint32_t *word, int count)
{
    int saved = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    errno = saved;
}

void rt_lock_slow(struct rt_lock *lock)
{
    for (int i = 0; i < SPINS; i++) {
        uint32_t word = atomic_load_explicit(&lock->word, memory_order_relaxed);
        if (word == 0 && atomic_compare_exchange_weak_explicit(
                             &lock->word, &word, 1, memory_order_acquire, memory_order_relaxed))
            return;
        if (word == 2)
            break; /* its holder was preempted: others sleep already */
        rt_cpu_relax();
    }
    while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
        rt_futex_wait(&lock->word, 2);
}

void rt_lock_wake(struct rt_lock *lock)
{
    rt_futex_wake(&lock->word, 1);
}
