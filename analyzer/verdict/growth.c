#include "analyzer/verdict/growth.h"

#include "analyzer/base/table.h"
#include "analyzer/base/text.h"
#include "analyzer/verdict/evidence.h"

static struct table_key key_of(uint32_t call, uint32_t wait_site, uint32_t spawn_site, uint8_t kind,
                               bool deadline)
{
    return (struct table_key){
        (uint64_t)wait_site << 32 | spawn_site,
        (uint64_t)call << 16 | (uint64_t)kind << 1 | deadline,
    };
}

#define AMBIGUOUS UINT32_MAX

/* Finds the group of each kind of task of which some have left. */
static bool find_groups(struct table *groups, const struct verdicts *verdicts,
                        const struct snapshot *snapshot, const uint32_t *group_of)
{
    for (size_t i = 0; i < snapshot->before_count; i++) {
        const struct snapshot_before *before = &snapshot->before[i];
        if (!table_at(groups, key_of(before->call, before->wait_site, before->spawn_site,
                                     before->kind, before->deadline)))
            return false;
    }
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (!group_of[i] || !(task->flags & SNAPSHOT_PARKED))
            continue;
        uint32_t *group = table_find(groups, key_of(task->call, task->wait_site, task->spawn_site,
                                                    task->kind, task->flags & SNAPSHOT_DEADLINE));
        if (!group || *group == group_of[i])
            continue;
        if (*group) {
            verdicts->groups[group_of[i] - 1].watched = false;
            if (*group != AMBIGUOUS)
                verdicts->groups[*group - 1].watched = false;
        }
        *group = *group ? AMBIGUOUS : group_of[i];
    }
    return true;
}

bool growth_count(struct verdicts *verdicts, const struct snapshot *snapshot,
                  const uint32_t *group_of)
{
    if (snapshot->looks < 2)
        return true;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        if (group_of[i] && snapshot->tasks[i].flags & SNAPSHOT_STAYED)
            verdicts->groups[group_of[i] - 1].stayed++;
    }
    for (size_t i = 0; i < verdicts->count; i++) {
        verdicts->groups[i].watched = verdicts->groups[i].wait != NULL;
        verdicts->groups[i].first_count = verdicts->groups[i].stayed;
    }
    struct table groups;
    bool ok = table_init(&groups, snapshot->before_count) &&
              find_groups(&groups, verdicts, snapshot, group_of);
    for (size_t i = 0; ok && i < snapshot->before_count; i++) {
        const struct snapshot_before *before = &snapshot->before[i];
        const uint32_t *group =
            table_find(&groups, key_of(before->call, before->wait_site, before->spawn_site,
                                       before->kind, before->deadline));
        if (group && *group && *group != AMBIGUOUS)
            verdicts->groups[*group - 1].first_count += before->count;
    }
    table_deinit(&groups);
    return ok;
}

void growth_explain(struct group *group, const struct snapshot *snapshot)
{
    char age[32];
    if (!group->watched)
        return;
    text_duration(snapshot->watched_ns, age);
    if (group->count == group->stayed && group->count == group->first_count)
        evidence_add(group, "%s parked on the same thing all the while it was watched (%s)",
                     group->count == 1 ? "it was" : "all were", age);
    else if (group->count == group->first_count)
        evidence_add(group,
                     "as many as when the watch began (%s before), of which %zu stayed parked on "
                     "the same thing",
                     age, group->stayed);
    else
        evidence_add(group,
                     "%s from %zu to %zu while it was watched (%s); %zu stayed parked on the same "
                     "thing all the while",
                     group->count > group->first_count ? "grew" : "went down", group->first_count,
                     group->count, age, group->stayed);
}
