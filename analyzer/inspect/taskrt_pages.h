/* Copies of many tasks at once, by the pages that they lie in: side by side, they cost a few system
 * calls and little more than the copying. */
#ifndef LEAKSPY_ANALYZER_INSPECT_TASKRT_PAGES_H
#define LEAKSPY_ANALYZER_INSPECT_TASKRT_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/goscan/reader.h"

struct taskrt_pages {
    size_t tasks_most, task_bytes;
    struct mem_piece *pieces; /* runs of pages of the tasks that were placed last */
    size_t piece_count;
    size_t page_count;
    size_t *order;   /* of the tasks, by address */
    size_t *offsets; /* of each task in a copy */
};

/* For at most so many tasks at a time. False: no memory. */
bool taskrt_pages_init(struct taskrt_pages *ret, size_t tasks_most, size_t task_bytes);
void taskrt_pages_deinit(struct taskrt_pages *pages);

/* How large a copy can be, in bytes. */
size_t taskrt_pages_room(const struct taskrt_pages *pages);

/* Says which tasks the next copies are of. */
void taskrt_pages_place(struct taskrt_pages *pages, const uint64_t *addresses, size_t count);

/* Copies all of them as they are now; of `copy`, the task `i` begins at offsets[i]. Pages that
 * cannot be read are all ones. */
void taskrt_pages_read(struct taskrt_pages *pages, struct mem_reader *memory, unsigned char *copy);

#endif
