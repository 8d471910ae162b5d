#include "analyzer/verdict/rules_age.h"

#include <string.h>

#include "analyzer/verdict/evidence.h"

static bool is_abandoned(const struct judge *judge, const struct group *group)
{
    return judge_task(judge, group->members[0])->flags & SNAPSHOT_ABANDONED;
}

static const char *abandoned(const struct group *group)
{
    return group->count == 1 ? "its runtime has stopped while it was parked: it will not run again"
                             : "their runtime has stopped while they were parked: they will not "
                               "run again";
}

bool age_deadline(const struct judge *judge, uint32_t index)
{
    return (judge_task(judge, index)->flags & SNAPSHOT_DEADLINE) ||
           judge_op(judge, index) == REC_OP_SLEEP;
}

void age_explain_deadline(const struct judge *judge, struct group *group)
{
    const char *have = group->count == 1 ? "it has" : "they have";
    /* All that is known of a call which the kernel took up again: only such ones are. */
    if (group->call && strcmp(group->call, "restart_syscall") == 0) {
        evidence_add(group, "an interrupted call with a timeout");
        return;
    }
    if (is_abandoned(judge, group)) {
        evidence_add(group, "%s a deadline; but %s", have, abandoned(group));
        return;
    }
    /* Not what the task does: it may wait so again and again. */
    evidence_add(group, "%s a deadline: %s", have,
                 group->count == 1 ? "this wait ends by itself" : "these waits end by themselves");
}

bool age_fresh(const struct judge *judge, uint32_t index)
{
    return snapshot_is_fresh(judge->snapshot, judge_task(judge, index));
}

void age_explain_fresh(const struct judge *judge, struct group *group)
{
    if (group->past_threshold && group->unknown_age == group->count)
        evidence_add(group, "nobody knows since when: another look will tell whether it lasts");
    else if (group->past_threshold)
        evidence_add(group, "begun only just now: another look will tell whether it lasts");
    else
        evidence_add_threshold(judge, group);
}

bool age_below_threshold(const struct judge *judge, uint32_t index)
{
    return !judge_is_past(judge, index);
}

void age_explain_stuck(const struct judge *judge, struct group *group)
{
    evidence_add_threshold(judge, group);
    if (is_abandoned(judge, group))
        evidence_add(group, "%s", abandoned(group));
}
