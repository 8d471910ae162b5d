/* The list of tasks of a libtaskrt in an image, read by the table that it exports
 * (runtime/taskrt_inspect.h). Nothing in it is trusted: offsets are checked, and a list that comes
 * back to itself ends there. */
#ifndef LEAKSPY_ANALYZER_INSPECT_TASKRT_LIST_H
#define LEAKSPY_ANALYZER_INSPECT_TASKRT_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/image/image.h"
#include "runtime/taskrt_inspect.h"

#define TASKRT_LIST_PAGES 64
#define TASKRT_LIST_PAGE_BYTES 4096
/* Of a struct taskrt_case: a table that says more is damaged. */
#define TASKRT_MAX_CASE_BYTES 256

enum taskrt_found {
    TASKRT_FOUND,
    TASKRT_NONE,    /* there is no libtaskrt in the process, or it has never run */
    TASKRT_UNKNOWN, /* there is one, of a version that is not known here, or its table is damaged */
};

/* Finds the table. *ret_version is that of an unknown one. */
enum taskrt_found taskrt_find(struct image *image, struct taskrt_inspect *ret,
                              uint32_t *ret_version);

/* The same of a table whose address is known. */
enum taskrt_found taskrt_read_table(struct image *image, uint64_t address,
                                    struct taskrt_inspect *ret, uint32_t *ret_version);

/* Finds where its threads are told of. False: it does not run, or is older than that. */
bool taskrt_find_workers(struct image *image, struct taskrt_inspect_workers *ret);

/* A task as the list has it. */
struct taskrt_entry {
    uint64_t address;
    uint64_t wait_count; /* read before anything else of the task */
    uint32_t state;
};

struct taskrt_list {
    struct mem_reader *memory;
    const struct taskrt_inspect *table;
    uint64_t next;
    uint64_t seen;     /* tasks so far */
    bool broken;       /* it could not be followed to its end */
    struct table rows; /* by address: number of the task, from 1 */
    uint64_t first;    /* the pages at hand: address of the first one */
    bool there[TASKRT_LIST_PAGES];
    unsigned char bytes[TASKRT_LIST_PAGES * TASKRT_LIST_PAGE_BYTES];
};

/* False: no memory. `table` is of TASKRT_FOUND, and outlives the list. */
bool taskrt_list_init(struct taskrt_list *ret, struct mem_reader *memory,
                      const struct taskrt_inspect *table);
void taskrt_list_deinit(struct taskrt_list *list);

/* The next tasks, FREE ones too. Returns how many; 0: it is over (see `broken`), or there is no
 * memory (*ret_failed). */
size_t taskrt_list_next(struct taskrt_list *list, struct taskrt_entry *entries, size_t count,
                        bool *ret_failed);

#endif
