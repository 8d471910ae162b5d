/* The table of verdict rules: to add a rule, add a row in rules.c. What rows ask of a task, and the
 * sentences that they add, are in a file for each subject: threads that ended (rules_ended.c),
 * proofs (rules_proved.c), idle waits (rules_idle.c), time (rules_age.c). */
#ifndef LEAKSPY_ANALYZER_VERDICT_RULES_H
#define LEAKSPY_ANALYZER_VERDICT_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/verdict/judge.h"
#include "analyzer/verdict/verdict.h"

#define RULE_NONE 0xff /* of a task that runs: nothing to judge */

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
extern const uint8_t rules_last; /* the row that fits every task */

/* Whether tasks of this rule would be judged otherwise, had they another age. */
bool rules_go_by_age(uint8_t rule);

#endif
