/* The lock of libunwind and of the module table, and what a fork does with it: see unwind.h. */
#include "preload/unwind.h"

#include <errno.h>
#include <linux/futex.h>
#include <time.h>

#include "preload/recorder.h"
#include "preload/signals.h"
#include "preload/sys.h"
#include "preload/unwind_rules.h"

static uint32_t lock_word; /* 0 free, 1 taken, 2 taken and waited for */
static uint64_t lock_signals;
static bool lock_by_fork; /* who has it copies the process, and may wait for locks of others */

/* A fork that has the lock waits for those of libc, which may be those of the very thread that
 * waits here: it does not wait for ever. */
static bool take_lock(void)
{
    static const struct timespec within = {.tv_nsec = 50000000};
    uint32_t was = 0;
    if (__atomic_compare_exchange_n(&lock_word, &was, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return true;
    while (__atomic_exchange_n(&lock_word, 2, __ATOMIC_ACQUIRE) != 0)
        if (sys_call(SYS_futex, &lock_word, FUTEX_WAIT_PRIVATE, 2, &within) == -ETIMEDOUT &&
            __atomic_load_n(&lock_by_fork, __ATOMIC_RELAXED) && !recorder_thread.sampler)
            return false;
    return true;
}

bool unwind_lock(void)
{
    if (recorder_thread.inside)
        return false; /* it forks, and a handler of that starts a thread, or forks itself */
    uint64_t before = signals_block();
    if (!take_lock()) {
        signals_restore(before);
        return false;
    }
    lock_signals = before;
    /* libunwind locks a mutex of its own, by a function that we intercept. */
    __atomic_store_n(&recorder_thread.outside, recorder_thread.task, __ATOMIC_RELEASE);
    __atomic_store_n(&recorder_thread.task, &recorder_thread.sink, __ATOMIC_RELEASE);
    recorder_thread.inside = true;
    return true;
}

void unwind_unlock(void)
{
    uint64_t before = lock_signals;
    recorder_thread.inside = false;
    recorder_thread.task = recorder_thread.outside;
    if (__atomic_exchange_n(&lock_word, 0, __ATOMIC_RELEASE) == 2)
        sys_call(SYS_futex, &lock_word, FUTEX_WAKE_PRIVATE, 1);
    signals_restore(before);
}

/* Signals are blocked also where the lock is not to be had: what a handler does in the child before
 * the recording is forgotten would be told of the parent. */
void unwind_before_fork(void)
{
    struct recorder_thread *self = &recorder_thread;
    uint64_t before = signals_block(); /* first: a signal's handler may fork as well */
    if (self->forks++ > 0) {
        signals_restore(before);
        return; /* in a handler of a fork, which has done all of it */
    }
    self->fork_signals = before;
    if (unwind_lock())
        __atomic_store_n(&lock_by_fork, true, __ATOMIC_RELAXED);
}

/* A child of a handler's fork may never come to the end of the other. */
void unwind_after_fork(bool in_child)
{
    struct recorder_thread *self = &recorder_thread;
    if (self->forks == 0)
        return; /* there was a filter already */
    self->forks = in_child ? 0 : self->forks - 1;
    if (self->forks > 0)
        return;
    if (self->inside) {
        __atomic_store_n(&lock_by_fork, false, __ATOMIC_RELAXED);
        unwind_unlock();
    }
    signals_restore(self->fork_signals);
}

void unwind_forget(void)
{
    recorder_thread.outside = NULL; /* it is of the parent's recording */
    if (recorder_thread.inside)
        return; /* it has the lock, and gives it back */
    /* Somebody who is not here was in the middle of libunwind, which is not to be entered again. */
    if (lock_word != 0 && !lock_by_fork)
        rules_give_up();
    lock_word = 0;
    lock_by_fork = false;
}
