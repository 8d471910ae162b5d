/* What the threads of a process wait for, by what the kernel says of them and by their stacks.
 *
 * Every thread is looked at twice: what was read in between is of one moment only where both looks
 * saw it in the same place. Those that moved are looked at again, a few times, and then run. */
#ifndef LEAKSPY_ANALYZER_INSPECT_THREAD_WAITS_H
#define LEAKSPY_ANALYZER_INSPECT_THREAD_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/image/image.h"
#include "analyzer/inspect/thread_calls.h"
#include "analyzer/inspect/thread_locks.h"
#include "analyzer/inspect/c_library.h"
#include "analyzer/inspect/preloaded.h"
#include "analyzer/inspect/thread_stacks.h"

/* What is to be told of one thread. */
struct thread_wait {
    struct thread_look look;
    struct thread_call call;
    const struct thread_function *function; /* NULL: none is known */
    struct thread_lock lock;                /* of a futex in one of glibc's objects */
    bool is_lock;
    bool has_owner;
    uint32_t owner;
    uint32_t readers; /* that hold a rwlock, at both looks the same number; 0: nothing is known */
    bool settled;
};

struct thread_waits {
    struct image *image;
    struct c_library *libc;
    struct thread_stacks *stacks;
    struct thread_wait *rows; /* one a thread of the program */
    size_t count;
    struct table tids; /* of these */
};

/* Takes the threads of the image, as they were found there, but for the preload library's own.
 * `image`, `libc` and `stacks` have to outlive it. False: no memory. */
bool thread_waits_init(struct thread_waits *ret, struct image *image, struct c_library *libc,
                       const struct preloaded *preloaded, struct thread_stacks *stacks);
void thread_waits_deinit(struct thread_waits *waits);

/* Reads what they wait for; changes their order. False: no memory. */
bool thread_waits_read(struct thread_waits *waits);

/* Whether the lock is held by whom thread_waits_read() found, also now; true of what has no holder.
 */
bool thread_wait_owner_is_same(const struct thread_waits *waits, const struct thread_wait *wait);

/* Whether a thread ran since it was read, if only to park in the same place again; now: as it is
 * found later. One that was stopped ran for that; its stack was copied while it stood. Of one whose
 * switches are not known, as in a process that a signal stopped, nothing says that it ran. */
bool thread_wait_has_run(const struct thread_wait *wait, const struct image_thread *now);

#endif
