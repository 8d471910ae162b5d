/* From tasks of a libtaskrt, as they were read, to tasks of a snapshot. */
#ifndef LEAKSPY_ANALYZER_INSPECT_TASKRT_TASKS_H
#define LEAKSPY_ANALYZER_INSPECT_TASKRT_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/image/image.h"
#include "analyzer/inspect/taskrt_looks.h"
#include "analyzer/snapshot/builder.h"

#define TASKRT_REASONS (TASKRT_REASON_FD + 1)

/* What is to be looked at once more when all tasks were seen. */
struct taskrt_parked {
    uint64_t address, wait_count;
    uint64_t owner; /* of the mutex that it waits for */
    uint32_t task;  /* index of snapshot->tasks */
    bool has_owner;
};

struct taskrt_tasks {
    struct snapshot_builder *builder;
    struct image *image;
    const struct taskrt_inspect *table;
    struct taskrt_parked *parked;
    size_t parked_count;
    uint32_t calls[2 * TASKRT_REASONS]; /* rows of the snapshot's, without and with a deadline */
    bool failed;                        /* no memory */
};

/* `image` and `table` have to outlive it. */
void taskrt_tasks_init(struct taskrt_tasks *ret, struct snapshot_builder *builder,
                       struct image *image, const struct taskrt_inspect *table);
void taskrt_tasks_deinit(struct taskrt_tasks *tasks);

/* Whether it is known what a task that is parked for this reason does. */
bool taskrt_reason_is_known(uint32_t reason);

/* Adds a task; `parked`: with its wait, whose reason is known. Sets `failed` without memory. */
void taskrt_tasks_add(struct taskrt_tasks *tasks, const struct taskrt_look *look, bool parked);

/* When all tasks were added: turns owners of locks from addresses into what REC_DETAIL_OWNER_ROW
 * names in a snapshot. False: no memory. */
bool taskrt_tasks_name_owners(struct taskrt_tasks *tasks);

#endif
