#include "analyzer/verdict/rules_proved.h"

#include <string.h>

#include "analyzer/verdict/evidence.h"

bool proved_cycle(const struct judge *judge, uint32_t index)
{
    return waitgraph_cycle(judge->graph, index) != WAITGRAPH_NONE;
}

static bool has_only_nil_cases(const struct judge *judge, const struct snapshot_task *task)
{
    const struct snapshot_extra *extra = snapshot_extra(judge->snapshot, task);
    for (uint32_t i = 0; i < extra->case_count; i++) {
        if (judge->snapshot->cases[extra->case_first + i].object)
            return false;
    }
    return extra->case_count > 0;
}

/* Whether all cases of a select were recorded, and for the wait that it is in now: as many as the
 * call was given. */
static bool has_all_cases(const struct judge *judge, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_SETTLED) && snapshot_extra(judge->snapshot, task)->case_count ==
                                                   snapshot_cases_given(judge->snapshot, task);
}

/* A select with no case at all, or with none of a channel. A task gives the call the number of its
 * cases; of a goroutine it counts only where they were read. */
static bool has_no_case(const struct judge *judge, const struct snapshot_task *task)
{
    const struct snapshot_extra *extra = snapshot_extra(judge->snapshot, task);
    bool known = task->kind == REC_KIND_TASK || (task->flags & SNAPSHOT_CASES_KNOWN);
    return known && (task->flags & SNAPSHOT_SETTLED) && extra->arg == 0 && extra->case_count == 0;
}

bool proved_nothing(const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = judge_task(judge, index);
    const char *reason = judge->snapshot->calls[task->call].name;
    unsigned op = judge_op(judge, index);
    if (strstr(reason, "(nil chan)") || strstr(reason, "(no cases)"))
        return true;
    if (op == REC_OP_SELECT)
        return has_no_case(judge, task) ||
               (has_all_cases(judge, task) && has_only_nil_cases(judge, task));
    if (task->kind != REC_KIND_TASK)
        return false;
    return (op == REC_OP_CHAN_SEND || op == REC_OP_CHAN_RECEIVE) && task->object == 0;
}

void proved_explain_nothing(const struct judge *judge, struct group *group)
{
    bool select = strstr(group->op, "select") != NULL;
    (void)judge;
    evidence_add(group,
                 select ? "the select has no case that could ever be ready: nothing can wake it"
                        : "the channel is nil: no other task can ever use it, nothing can wake it");
}

bool proved_unreachable(const struct judge *judge, uint32_t index)
{
    return judge_task(judge, index)->detail_flags & REC_DETAIL_LEAKED;
}

void proved_explain_unreachable(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group,
                 group->count == 1
                     ? "Go's collector found that nothing that runs can reach what it waits on: "
                       "nothing can wake it"
                     : "Go's collector found that nothing that runs can reach what they wait on: "
                       "nothing can wake them");
}
