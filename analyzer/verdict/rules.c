#include "analyzer/verdict/rules.h"

#include "analyzer/verdict/evidence.h"
#include "analyzer/verdict/rules_age.h"
#include "analyzer/verdict/rules_ended.h"
#include "analyzer/verdict/rules_idle.h"
#include "analyzer/verdict/rules_proved.h"

static bool joins_one_that_goes_on(const struct judge *judge, uint32_t index)
{
    uint32_t target = judge_joined_by(judge, index);
    if (target == WAITGRAPH_NONE)
        return false;
    uint8_t rule = judge->rule_of_task[target];
    return rule == RULE_NONE || rules[rule].verdict == VERDICT_WAITING ||
           rules[rule].verdict == VERDICT_UNJOINED;
}

static bool always(const struct judge *judge, uint32_t index)
{
    (void)judge;
    (void)index;
    return true;
}

/* The first rule that fits is the task's. Beside the rows is what would go wrong elsewhere; where
 * nothing is said of two rows, their order only chooses the sentence, or no task is known that fits
 * both. */
const struct verdict_rule rules[] = {
    /* Threads that ended. What excuses one stands before the row that fits all of them, by which it
     * would be UNJOINED; and that one before the ages, by which it would be told to be parked. */
    {VERDICT_WAITING, false, ended_beside_joined, ended_explain_beside_joined},
    {VERDICT_WAITING, false, ended_lately, ended_explain_unjoined},
    {VERDICT_WAITING, false, ended_is_joined_later, ended_explain_joined_later},
    {VERDICT_UNJOINED, false, ended_is_finished, ended_explain_unjoined},

    /* A deadlock is one below the threshold, too: behind the ages it would be WAITING. Tasks with
     * deadlines are in no cycle (waitgraph_init). */
    {VERDICT_DEADLOCKED, false, proved_cycle, evidence_add_cycles},

    /* Before the deadline, which would be all that is said of an idle wait that has one. */
    {VERDICT_WAITING, false, idle_system, idle_explain_system},
    {VERDICT_WAITING, false, idle_by_stack, idle_explain_stack},
    {VERDICT_WAITING, false, idle_input, idle_explain_input},

    /* Before the proofs: a select over nothing that has a deadline would be LEAKED, though it ends.
     * Before the pollers: a poll with a timeout would be told to wait for whatever comes next. */
    {VERDICT_WAITING, false, age_deadline, age_explain_deadline},

    /* Before the ages: LEAKED below the threshold, too. The collector finds who waits on a nil
     * channel as well; the better sentence is the one that says why. */
    {VERDICT_LEAKED, false, proved_nothing, proved_explain_nothing},
    {VERDICT_LEAKED, false, proved_unreachable, proved_explain_unreachable},

    /* Before the ages, by which those below the threshold would count as young or undecided: these
     * are expected, however long they last. Who polls nothing that is known fits the row of pollers
     * as well, and would be told to wait for whatever comes next. */
    {VERDICT_WAITING, false, idle_polls_nothing_known, idle_explain_nothing_known},
    {VERDICT_WAITING, false, idle_poller, idle_explain_poller},
    {VERDICT_WAITING, false, idle_signal, idle_explain_signal},

    /* With a threshold below SNAPSHOT_FRESH_NS, or of 0, what has only just begun would be STUCK
     * before another look could tell whether it lasts. */
    {VERDICT_WAITING, true, age_fresh, age_explain_fresh},
    {VERDICT_WAITING, true, age_below_threshold, age_explain_stuck},

    /* Behind the ages: a young join would not share a group with those of its place that are stuck,
     * nor count as young. */
    {VERDICT_WAITING, false, joins_one_that_goes_on, NULL},
    {VERDICT_STUCK, true, always, age_explain_stuck},
};
const uint8_t rules_last = sizeof(rules) / sizeof(rules[0]) - 1;

bool rules_go_by_age(uint8_t rule)
{
    return rule != RULE_NONE && rules[rule].by_age;
}
