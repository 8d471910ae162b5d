/* From goroutines, as the scanner tells of them, to tasks of a snapshot. Knows neither where the
 * runtime is nor how its memory is read. */
#ifndef LEAKSPY_ANALYZER_INSPECT_GO_TASKS_H
#define LEAKSPY_ANALYZER_INSPECT_GO_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/image/image.h"
#include "analyzer/snapshot/builder.h"
#include "preload/goscan/goscan.h"

/* A task whose labels are still to be read. */
struct go_labelled {
    size_t task;      /* index of the snapshot's tasks */
    uint64_t address; /* of the labels in the target */
};

struct go_tasks {
    struct snapshot_builder *builder;
    const struct go_reason *reasons;
    uint32_t reason_count;
    struct image *image;
    struct table thread_of; /* by the kernel's id: index of the image's threads + 1 */
    uint32_t described;     /* descriptors that were looked at */
    uint32_t calls[GO_MAX_REASONS][REC_OP_COUNT];
    size_t first_task;
    int64_t latest_ns; /* the latest moment of the runtime's clock that a goroutine tells of */
    struct go_labelled *labelled;
    size_t labelled_count;
    uint64_t stacks_lost;
    bool failed;
};

/* The note about timers that could not be read. */
extern const char go_tasks_timers_unknown[];

/* `reasons` and `image` have to outlive it. False: no memory. */
bool go_tasks_init(struct go_tasks *tasks, struct snapshot_builder *builder, struct image *image,
                   const struct go_reason *reasons, uint32_t reason_count);
void go_tasks_deinit(struct go_tasks *tasks);

/* Adds a goroutine; what goscan_run visits with. False: no memory. */
bool go_tasks_add(const struct go_goroutine *it, void *tasks);

/* Turns beginnings of waits into ages, which are lower bounds: the runtime's collector notes when
 * it first saw a goroutine wait. now_ns: the runtime's clock (CLOCK_MONOTONIC) now, or the latest
 * time of it that is known. */
void go_tasks_date(struct go_tasks *tasks, int64_t now_ns);

/* Says that no thread of the process has run for so long: then no goroutine has. */
void go_tasks_were_quiet(struct go_tasks *tasks, int64_t quiet_ns);

/* Gives tasks their labels: `read` as goscan_labels, `memory` reads their texts, and from each g,
 * at `labels_offset`, whether it has them still. */
void go_tasks_label(struct go_tasks *tasks,
                    size_t (*read)(void *arg, uint64_t labels,
                                   struct go_text pairs[2 * GO_MAX_LABELS]),
                    void *arg, struct mem_reader *memory, uint64_t labels_offset);

#endif
