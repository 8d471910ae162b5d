#include "analyzer/verdict/judge.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/verdict/rules.h"
#include "analyzer/verdict/rules_ended.h"

uint32_t judge_joined_by(const struct judge *judge, uint32_t index)
{
    if (!waitgraph_is_join(judge->snapshot, judge_task(judge, index)))
        return WAITGRAPH_NONE;
    return waitgraph_next(judge->graph, index);
}

static uint8_t first_that_fits(const struct judge *judge, uint32_t index)
{
    if (!(judge_task(judge, index)->flags & (SNAPSHOT_PARKED | SNAPSHOT_FINISHED)))
        return RULE_NONE;
    uint8_t rule = 0;
    while (!rules[rule].fits(judge, index))
        rule++;
    return rule;
}

/* Judges a task after the one that it joins: along the chain to its end, and back. A chain that
 * comes back to itself (one whose cycle is not proved) is cut where it was entered. */
static void judge_chain(struct judge *judge, uint32_t start, uint8_t *judged, uint32_t *path)
{
    size_t depth = 0;
    for (uint32_t at = start; at != WAITGRAPH_NONE && !judged[at];
         at = judge_joined_by(judge, at)) {
        judged[at] = 1;
        path[depth++] = at;
    }
    while (depth) {
        uint32_t at = path[--depth];
        judge->rule_of_task[at] = first_that_fits(judge, at);
    }
}

bool judge_tasks(struct judge *judge)
{
    size_t count = judge->snapshot->task_count;
    uint8_t *judged = calloc(count + 1, 1);
    uint32_t *path = malloc((count + 1) * sizeof(*path));
    bool ok = judged && path && ended_prepare(judge);
    if (ok) {
        /* Where a chain is cut, the task that it comes back to is asked for before it is judged. */
        memset(judge->rule_of_task, rules_last, count);
        for (uint32_t i = 0; i < count; i++)
            judge_chain(judge, i, judged, path);
    }
    free(judged);
    free(path);
    return ok;
}
