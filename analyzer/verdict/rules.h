/* The table of verdict rules: to add a rule, add a row in rules.c. */
#ifndef LEAKSPY_ANALYZER_VERDICT_RULES_H
#define LEAKSPY_ANALYZER_VERDICT_RULES_H

#include "analyzer/base/table.h"
#include "analyzer/verdict/evidence.h"
#include "analyzer/verdict/verdict.h"

#define RULE_NONE 0xff /* of a task that runs: nothing to judge */

struct judge {
    const struct snapshot *snapshot;
    const struct waits *waits;
    const struct verdict_options *options;
    const struct waitgraph *graph;
    struct table joined_sites; /* spawn sites of which a thread is being joined; key a */
    uint32_t joined_later;     /* the only task that may be joined later; WAITGRAPH_NONE: none, or
                                  there are several */
    struct table *waiters;     /* see waiters_count */
    uint8_t *rule_of_task;     /* rows of `rules` */
};

struct verdict_rule {
    enum verdict verdict;
    /* Whether it goes by the task's age. Tasks of all such rules may share a group, which then has
     * the verdict of its worst task; others share one only with those of their own rule. */
    bool by_age;
    /* Whether it fits task `index`; the first rule that fits is the task's. Rules for joins are
     * asked when the rule of the joined task is known. */
    bool (*fits)(const struct judge *judge, uint32_t index);
    /* Adds the sentences that are the rule's own. NULL: none. */
    void (*explain)(const struct judge *judge, struct group *group);
};

extern const struct verdict_rule rules[];

/* Whether tasks of this rule would be judged otherwise, had they another age. */
bool rules_go_by_age(uint8_t rule);

/* Finds the rule of every task. False: no memory. */
bool rules_judge(struct judge *judge);

#endif
