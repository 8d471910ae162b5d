#include "analyzer/verdict/rules_ended.h"

#include "analyzer/verdict/evidence.h"

bool ended_is_finished(const struct judge *judge, uint32_t index)
{
    return judge_task(judge, index)->flags & SNAPSHOT_FINISHED;
}

/* Where a task was spawned, or the function that it began in, as far as it reads the same. */
static struct table_key spawn_place(const struct judge *judge, const struct snapshot_task *task)
{
    return (struct table_key){judge->waits->same_site[task->spawn_site], 0};
}

bool ended_beside_joined(const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = judge_task(judge, index);
    return ended_is_finished(judge, index) && task->spawn_site &&
           judge->snapshot->end == SNAPSHOT_RUNNING &&
           table_find(&judge->joined_sites, spawn_place(judge, task));
}

void ended_explain_beside_joined(const struct judge *judge, struct group *group)
{
    bool only_start = judge->snapshot->sites[group->spawn_site].flags & SNAPSHOT_SITE_START;
    evidence_add(group, "ended and not joined yet, while a thread that %s is being joined",
                 only_start ? "began in the same function" : "was started at the same place");
}

bool ended_lately(const struct judge *judge, uint32_t index)
{
    bool known = judge_task(judge, index)->parked_ns != SNAPSHOT_AGE_UNKNOWN ||
                 judge->snapshot->source != SNAPSHOT_RECORDING;
    return ended_is_finished(judge, index) && judge->snapshot->end == SNAPSHOT_RUNNING && known &&
           !judge_is_past(judge, index);
}

/* Why a thread that ended may be joined later; NULL: it is none, or for no reason that is known. */
static const char *joined_later(const struct judge *judge, uint32_t index)
{
    return ended_is_finished(judge, index)
               ? judge->waits->joined_later[judge_task(judge, index)->spawn_site]
               : NULL;
}

bool ended_is_joined_later(const struct judge *judge, uint32_t index)
{
    return judge->joined_later == index;
}

void ended_explain_joined_later(const struct judge *judge, struct group *group)
{
    evidence_add(group, "ended and not joined yet: %s", joined_later(judge, group->members[0]));
}

void ended_explain_unjoined(const struct judge *judge, struct group *group)
{
    const char *which = group->count == 1 ? "a joinable thread" : "joinable threads";
    if (judge->snapshot->end == SNAPSHOT_RUNNING)
        evidence_add(group, "%s that ended, and nobody has joined or detached %s", which,
                     group->count == 1 ? "it" : "them");
    else
        evidence_add(group, "%s that ended, and nobody joined or detached %s before the process %s",
                     which, group->count == 1 ? "it" : "them",
                     judge->snapshot->end == SNAPSHOT_EXEC ? "executed another program" : "ended");
    if (group->oldest_ns == SNAPSHOT_AGE_UNKNOWN && judge->snapshot->source != SNAPSHOT_RECORDING)
        evidence_add(group, "nobody knows when %s ended", group->count == 1 ? "it" : "they");
    evidence_add(group, "%s and what is left of %s descriptor stay in memory until then",
                 group->count == 1 ? "its stack" : "their stacks",
                 group->count == 1 ? "its" : "their");
}

static bool note_joined_sites(struct judge *judge)
{
    for (uint32_t i = 0; i < judge->snapshot->task_count; i++) {
        uint32_t target = judge_joined_by(judge, i);
        if (target == WAITGRAPH_NONE || judge_task(judge, target)->spawn_site == 0)
            continue;
        uint32_t *value =
            table_at(&judge->joined_sites, spawn_place(judge, judge_task(judge, target)));
        if (!value)
            return false;
        *value = 1;
    }
    return true;
}

static void note_joined_later(struct judge *judge)
{
    judge->joined_later = WAITGRAPH_NONE;
    for (uint32_t i = 0; i < judge->snapshot->task_count; i++) {
        if (!joined_later(judge, i))
            continue;
        if (judge->joined_later != WAITGRAPH_NONE) {
            judge->joined_later = WAITGRAPH_NONE;
            return;
        }
        judge->joined_later = i;
    }
}

bool ended_prepare(struct judge *judge)
{
    note_joined_later(judge);
    return note_joined_sites(judge);
}
