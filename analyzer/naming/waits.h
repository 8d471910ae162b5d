/* The distinct waits of a snapshot, with what their stacks say of them.
 *
 * Two tasks have the same wait when they called the same function from the same site. Naming looks
 * at stacks, and so needs symbols; it is done once for each wait, before the verdicts, which then
 * need nothing but data.
 */
#ifndef LEAKSPY_ANALYZER_NAMING_WAITS_H
#define LEAKSPY_ANALYZER_NAMING_WAITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/naming/stacks.h"
#include "analyzer/snapshot/snapshot.h"

struct wait {
    uint32_t call; /* row of snapshot->calls */
    uint32_t site;
    const char *op;           /* as reports show it */
    const char *idle_because; /* why such a wait is expected; NULL: it is not */
    bool for_answer;          /* it is for one answer, also where it polls */
};

struct waits {
    struct wait *rows; /* row 0: no wait */
    size_t count;
    uint32_t *of_task;   /* by index of snapshot->tasks: row of its wait, 0: not parked */
    uint32_t *same_site; /* by site: the first one that reads the same, itself at first */
    /* By site at which a thread that ended was started: why one such thread, and no more, may not
     * be joined yet; NULL: for no reason that is known. */
    const char **joined_later;
};

/* Finds the distinct waits; op is the recorded one. False: no memory. */
bool waits_init(struct waits *waits, const struct snapshot *snapshot);
void waits_deinit(struct waits *waits);

/* Renames ops and marks idle waits, and threads that are joined later, by the functions on their
 * stacks. Sites become one whose frames
 * that are shown (stack_user_part) have the same functions, files and lines: a compiler that
 * unrolls a loop makes several of the one that was written, and a library takes several ways.
 * False: no memory. */
bool waits_name(struct waits *waits, const struct snapshot *snapshot, struct stacks *stacks);

#endif
