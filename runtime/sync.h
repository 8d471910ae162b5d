/* What lies in the opaque words of the public types of sync.c. */
#ifndef TASKRT_SYNC_H
#define TASKRT_SYNC_H

#include "runtime/internal.h"

struct rt_mutex {
    struct rt_lock lock;
    uint32_t run;                      /* in which it was used last */
    struct taskrt_task *_Atomic owner; /* NULL: nobody */
    struct rt_queue waiters;
    uint64_t owner_id; /* another task may have the memory of an owner that ended */
};

struct rt_cond {
    struct rt_lock lock;
    uint32_t run; /* in which it was used last */
    struct rt_queue waiters;
};

struct rt_waitgroup {
    struct rt_lock lock;
    uint32_t run; /* in which it was used last */
    int64_t count;
    struct rt_queue waiters;
};

_Static_assert(sizeof(struct rt_mutex) <= sizeof(struct taskrt_mutex), "fits its words");
_Static_assert(sizeof(struct rt_cond) <= sizeof(struct taskrt_cond), "fits its words");
_Static_assert(sizeof(struct rt_waitgroup) <= sizeof(struct taskrt_waitgroup), "fits its words");

#endif
