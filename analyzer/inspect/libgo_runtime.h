/* gccgo's libgo in an image: where its data is, and what its wait reasons mean. */
#ifndef LEAKSPY_ANALYZER_INSPECT_LIBGO_RUNTIME_H
#define LEAKSPY_ANALYZER_INSPECT_LIBGO_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/image/image.h"
#include "analyzer/snapshot/snapshot.h"
#include "preload/goscan/goscan.h"

#define LIBGO_LOCKERS 4

struct libgo_runtime {
    uint32_t module;
    uint64_t all_g_pointer; /* runtime.allgptr */
    uint64_t all_g_count;   /* runtime.allglen */
    uint64_t all_m;         /* runtime.allm; 0: not known */
    uint64_t all_p;         /* runtime.allp (slice); 0: not known */
    uint64_t send_time;     /* time.sendTime: the code of timers that send on a channel */
    struct go_reason reasons[GO_MAX_REASONS];
    uint32_t reason_count;
    struct libgo_locker { /* a function that waits for a semaphore of its own */
        uint64_t start, end;
        enum go_lock lock;
    } lockers[LIBGO_LOCKERS];
};

/* False: there is no libgo in the process. */
bool libgo_find(struct image *image, struct libgo_runtime *ret);

/* Which lock a goroutine with this stack waits for. */
enum go_lock libgo_lock_of(const struct libgo_runtime *runtime, const uint64_t *pcs, size_t count);

/* Offset of a lock's semaphore in the lock. */
uint32_t libgo_semaphore_offset(enum go_lock lock);

/* Sets to 1 the values of those channels among the keys that a timer will send on. False: not all
 * timers could be read. */
bool libgo_timed_channels(const struct libgo_runtime *runtime, struct image *image,
                          struct table *channels);

/* Notes the threads of the runtime, and marks those that have no goroutine to run. False: no
 * memory. */
bool libgo_mark_threads(const struct libgo_runtime *runtime, struct image *image,
                        struct snapshot *snapshot);

#endif
