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

const struct verdict_rule rules[] = {
    {VERDICT_WAITING, false, ended_beside_joined, ended_explain_beside_joined},
    {VERDICT_WAITING, false, ended_lately, ended_explain_unjoined},
    {VERDICT_WAITING, false, ended_is_joined_later, ended_explain_joined_later},
    {VERDICT_UNJOINED, false, ended_is_finished, ended_explain_unjoined},
    {VERDICT_DEADLOCKED, false, proved_cycle, evidence_add_cycles},
    {VERDICT_WAITING, false, idle_system, idle_explain_system},
    {VERDICT_WAITING, false, idle_by_stack, idle_explain_stack},
    {VERDICT_WAITING, false, idle_input, idle_explain_input},
    {VERDICT_WAITING, false, age_deadline, age_explain_deadline},
    {VERDICT_LEAKED, false, proved_nothing, proved_explain_nothing},
    {VERDICT_LEAKED, false, proved_unreachable, proved_explain_unreachable},
    {VERDICT_WAITING, false, idle_polls_nothing_known, idle_explain_nothing_known},
    {VERDICT_WAITING, false, idle_poller, idle_explain_poller},
    {VERDICT_WAITING, false, idle_signal, idle_explain_signal},
    {VERDICT_WAITING, true, age_fresh, age_explain_fresh},
    {VERDICT_WAITING, true, age_below_threshold, age_explain_stuck},
    {VERDICT_WAITING, false, joins_one_that_goes_on, NULL},
    {VERDICT_STUCK, true, always, age_explain_stuck},
};
const uint8_t rules_last = sizeof(rules) / sizeof(rules[0]) - 1;

bool rules_go_by_age(uint8_t rule)
{
    return rule != RULE_NONE && rules[rule].by_age;
}
