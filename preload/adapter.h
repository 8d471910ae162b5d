/* A runtime whose tasks are recorded: what the sampler asks of it about a parked task. */
#ifndef LEAKSPY_ADAPTER_H
#define LEAKSPY_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/recording.h"

#define ADAPTER_MAX_CASES 64

/* What can be known about what a task waits on. */
struct wait_detail {
    uint32_t a; /* see struct rec_task: detail_a, detail_b, detail_flags */
    uint32_t b;
    uint16_t flags;
    uint16_t case_count; /* of a select; more than ADAPTER_MAX_CASES are not told */
    struct rec_case cases[ADAPTER_MAX_CASES];
};

struct blocked_call;

struct adapter {
    enum rec_kind kind;
    /* Fills *detail (zeroed before) for a parked task, of which `task` is a copy. Runs in the
     * sampler: reads memory of the target with memory_read only, calls nothing of the runtime's. */
    void (*describe)(const struct rec_task *task, enum rec_op op, struct wait_detail *detail);
    /* Does the runtime, too, say that the task is parked? What was read of its stack and of its
     * objects before counts only then. NULL: what the task publishes is all there is to know. The
     * same context. */
    bool (*is_parked)(const struct rec_task *task);
    /* Does it say that the task runs, or could, where it is not parked? NULL, context: as above. */
    bool (*is_awake)(const struct rec_task *task);
    /* Does a task that has published a wait for a condition wait for a mutex (*ret_mutex) by now?
     * `call`: what the kernel says of a thread, or NULL. NULL: that is published by itself. The
     * same context. */
    bool (*relocks)(const struct rec_task *task, const struct blocked_call *call,
                    uint64_t *ret_mutex);
};

extern const struct adapter adapter_pthread, adapter_taskrt, adapter_libgo;

#endif
