/* Verdicts: what a snapshot means. Pure functions over a const snapshot and the named waits: no
 * clock, no I/O, no globals. */
#ifndef LEAKSPY_ANALYZER_VERDICT_VERDICT_H
#define LEAKSPY_ANALYZER_VERDICT_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzer/base/table.h"
#include "analyzer/naming/waits.h"
#include "analyzer/snapshot/snapshot.h"
#include "analyzer/snapshot/waitgraph.h"

/* Worst first. */
enum verdict {
    VERDICT_DEADLOCKED,
    VERDICT_LEAKED,
    VERDICT_STUCK,
    VERDICT_UNJOINED,
    VERDICT_WAITING,
    VERDICT_COUNT,
};

const char *verdict_name(enum verdict verdict);

#define VERDICT_GROWTH_NS INT64_C(60000000000) /* growth is said of the last minute */

struct verdict_options {
    int64_t threshold_ns;
    uint64_t max_tasks; /* tasks listed of each group */
};

#define VERDICT_MAX_EVIDENCE 8

/* Tasks of the same kind, op, wait site and spawn site of which the same is to be said. */
struct group {
    enum verdict verdict;
    const struct wait *wait; /* NULL: finished tasks, which wait for nothing */
    const char *op;
    const char *call; /* what was called; NULL: nothing */
    uint8_t kind;     /* enum rec_kind */
    uint32_t spawn_site;
    size_t count;
    int64_t oldest_ns, newest_ns; /* SNAPSHOT_AGE_UNKNOWN where no task's age is known */
    size_t past_threshold;
    size_t unknown_age;      /* tasks of whose age nothing is known */
    size_t undecided;        /* tasks that may be past the threshold, these included */
    size_t grown;            /* tasks whose wait began within VERDICT_GROWTH_NS */
    bool at_least;           /* some of these ages are lower bounds (SNAPSHOT_AT_LEAST) */
    bool watched;            /* the next two are known */
    size_t first_count;      /* how many there were at the first look of a watch */
    size_t stayed;           /* members that are parked on the same thing since that look */
    const uint32_t *members; /* indices of snapshot->tasks; `count` of them */
    uint32_t *listed;        /* the oldest of them, oldest first */
    size_t listed_count;
    enum rec_object object; /* what kind of object they wait on; REC_OBJECT_NONE: on none */
    bool same_object;       /* all on the one that the first member waits on */
    char *evidence[VERDICT_MAX_EVIDENCE];
    size_t evidence_count;
    uint8_t rule; /* row of the table of rules */
};

struct totals {
    uint64_t tasks, running, parked, past_threshold, unjoined, lost;
    uint64_t young;     /* parked for less than the threshold, and judged by that */
    uint64_t undecided; /* parked, and perhaps past the threshold: nobody knows since when */
    uint64_t by_verdict[VERDICT_COUNT]; /* tasks */
};

struct verdicts {
    struct group *groups; /* worst verdict first, then largest, then oldest */
    size_t count;
    struct totals totals;
    struct waitgraph graph;
    uint32_t *members;
    uint8_t *rule_of_task;
    struct table waiters; /* see waiters_count */
};

/* Sorts the tasks into groups and judges them. False: no memory; *ret is then empty. */
bool verdicts_init(struct verdicts *ret, const struct snapshot *snapshot, const struct waits *waits,
                   const struct verdict_options *options);
void verdicts_deinit(struct verdicts *verdicts);

/* Whether a task has waited as long as the threshold. A wait of unknown age is past 0 only. */
bool verdict_is_past(const struct snapshot_task *task, int64_t threshold_ns);

#endif
