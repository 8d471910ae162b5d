#include "analyzer/verdict/verdict.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"
#include "analyzer/base/table.h"
#include "analyzer/verdict/evidence_object.h"
#include "analyzer/verdict/growth.h"
#include "analyzer/verdict/judge.h"
#include "analyzer/verdict/rules.h"
#include "analyzer/verdict/waiters.h"

static const char *const names[VERDICT_COUNT] = {
    [VERDICT_DEADLOCKED] = "deadlocked", [VERDICT_LEAKED] = "leaked",   [VERDICT_STUCK] = "stuck",
    [VERDICT_UNJOINED] = "unjoined",     [VERDICT_WAITING] = "waiting",
};

const char *verdict_name(enum verdict verdict)
{
    return names[verdict];
}

bool verdict_is_past(const struct snapshot_task *task, int64_t threshold_ns)
{
    return threshold_ns == 0 || task->parked_ns >= threshold_ns;
}

/* Whether a parked task that is not known to be past the threshold may be. Threads are told by the
 * kernel's clock, which is a lower bound only where they woke up for nothing. */
static bool is_undecided(const struct snapshot_task *task, int64_t threshold_ns)
{
    return !verdict_is_past(task, threshold_ns) &&
           (task->parked_ns == SNAPSHOT_AGE_UNKNOWN ||
            (task->flags & SNAPSHOT_AT_LEAST &&
             (task->kind != REC_KIND_THREAD || task->flags & SNAPSHOT_INTERRUPTED)));
}

/* What makes tasks one group. */
static struct table_key group_key(const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[index];
    uint8_t rule = judge->rule_of_task[index];
    unsigned lot = rules[rule].by_age ? 0x100 : rule;
    bool deadline = task->flags & SNAPSHOT_DEADLINE;
    return (struct table_key){
        (uint64_t)judge->waits->of_task[index] << 32 | judge->waits->same_site[task->spawn_site],
        (uint64_t)lot << 16 | (uint64_t)task->kind << 1 | deadline,
    };
}

static void begin_group(struct group *group, const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[index];
    memset(group, 0, sizeof(*group));
    group->verdict = VERDICT_WAITING;
    group->rule = judge->rule_of_task[index];
    group->kind = task->kind;
    group->spawn_site = task->spawn_site;
    group->op = "exited";
    group->oldest_ns = SNAPSHOT_AGE_UNKNOWN;
    group->newest_ns = SNAPSHOT_AGE_UNKNOWN;
    if (judge->waits->of_task[index]) {
        group->wait = &judge->waits->rows[judge->waits->of_task[index]];
        group->op = group->wait->op;
        group->call = judge->snapshot->calls[task->call].name;
        group->object = snapshot_op_object(judge->snapshot->calls[task->call].number);
    }
    group->same_object = true;
}

static void add_to_group(struct group *group, const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[index];
    uint8_t rule = judge->rule_of_task[index];
    group->count++;
    if (rules[rule].verdict < group->verdict || group->count == 1) {
        group->verdict = rules[rule].verdict;
        group->rule = rule;
    }
    if (verdict_is_past(task, judge->options->threshold_ns))
        group->past_threshold++;
    group->undecided += is_undecided(task, judge->options->threshold_ns);
    if (task->parked_ns == SNAPSHOT_AGE_UNKNOWN) {
        group->unknown_age++;
        return;
    }
    if (task->parked_ns < VERDICT_GROWTH_NS && !(task->flags & SNAPSHOT_AT_LEAST))
        group->grown++;
    group->at_least = group->at_least || task->flags & SNAPSHOT_AT_LEAST;
    if (group->oldest_ns == SNAPSHOT_AGE_UNKNOWN || task->parked_ns > group->oldest_ns)
        group->oldest_ns = task->parked_ns;
    if (group->newest_ns == SNAPSHOT_AGE_UNKNOWN || task->parked_ns < group->newest_ns)
        group->newest_ns = task->parked_ns;
}

/* A further group, for the task. False: no memory. */
static bool add_group(struct verdicts *ret, size_t *room, const struct judge *judge, uint32_t index)
{
    if (ret->count == *room) {
        size_t more = *room ? *room * 2 : 64;
        struct group *groups = realloc(ret->groups, more * sizeof(*groups));
        if (!groups)
            return false;
        ret->groups = groups;
        *room = more;
    }
    begin_group(&ret->groups[ret->count++], judge, index);
    return true;
}

/* Finds the groups, and of which one each task is: `group_of` is by task, 0 for those of none and
 * else the number of the group, from 1. */
static bool find_groups(struct verdicts *ret, const struct judge *judge, uint32_t *group_of)
{
    struct table table;
    size_t room = 0;
    bool ok = table_init(&table, 64);
    for (uint32_t i = 0; ok && i < judge->snapshot->task_count; i++) {
        if (judge->rule_of_task[i] == RULE_NONE)
            continue;
        uint32_t *number = table_at(&table, group_key(judge, i));
        if (number && *number == 0 && add_group(ret, &room, judge, i))
            *number = (uint32_t)ret->count;
        ok = number && *number != 0;
        if (ok) {
            group_of[i] = *number;
            add_to_group(&ret->groups[*number - 1], judge, i);
        }
    }
    table_deinit(&table);
    return ok;
}

/* Puts the members of each group side by side, in their order. */
static bool place_members(struct verdicts *ret, const struct judge *judge, const uint32_t *group_of)
{
    size_t count = 0;
    for (size_t i = 0; i < ret->count; i++)
        count += ret->groups[i].count;
    uint32_t **next = malloc((ret->count + 1) * sizeof(*next)); /* where a group's next one goes */
    ret->members = malloc((count + 1) * sizeof(*ret->members));
    bool ok = next && ret->members;
    uint32_t *at = ret->members;
    for (size_t i = 0; ok && i < ret->count; i++) {
        ret->groups[i].members = next[i] = at;
        at += ret->groups[i].count;
    }
    for (uint32_t i = 0; ok && i < judge->snapshot->task_count; i++) {
        if (group_of[i])
            *next[group_of[i] - 1]++ = i;
    }
    free(next);
    return ok;
}

/* Whether task `a` is to be listed before task `b`: older first, then by id. */
static bool comes_before(const struct snapshot *snapshot, uint32_t a, uint32_t b)
{
    const struct snapshot_task *left = &snapshot->tasks[a];
    const struct snapshot_task *right = &snapshot->tasks[b];
    if (left->parked_ns != right->parked_ns)
        return left->parked_ns > right->parked_ns;
    return left->id < right->id;
}

/* Moves the element at `at` down in a heap whose root is the one to be listed last. */
static void sift_down(const struct snapshot *snapshot, uint32_t *heap, size_t count, size_t at)
{
    for (;;) {
        size_t last = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < count; child++) {
            if (comes_before(snapshot, heap[last], heap[child]))
                last = child;
        }
        if (last == at)
            return;
        uint32_t swap = heap[at];
        heap[at] = heap[last];
        heap[last] = swap;
        at = last;
    }
}

/* Picks the tasks of a group that are listed, without sorting the others. */
static bool list_tasks(struct group *group, const struct snapshot *snapshot, uint64_t max_tasks)
{
    size_t room = group->count < max_tasks ? group->count : (size_t)max_tasks;
    group->listed_count = 0;
    group->listed = malloc((room + 1) * sizeof(*group->listed));
    if (!group->listed)
        return false;
    if (room == 0)
        return true;

    uint32_t *heap = group->listed;
    memcpy(heap, group->members, room * sizeof(*heap));
    for (size_t i = room / 2 + 1; i-- > 0;)
        sift_down(snapshot, heap, room, i);
    for (size_t i = room; i < group->count; i++) {
        if (comes_before(snapshot, group->members[i], heap[0])) {
            heap[0] = group->members[i];
            sift_down(snapshot, heap, room, 0);
        }
    }
    for (size_t left = room; left > 1; left--) {
        uint32_t swap = heap[0];
        heap[0] = heap[left - 1];
        heap[left - 1] = swap;
        sift_down(snapshot, heap, left - 1, 0);
    }
    group->listed_count = room;
    return true;
}

static void compare_objects(struct group *group, const struct judge *judge)
{
    const struct snapshot_task *tasks = judge->snapshot->tasks;
    uint64_t object = tasks[group->members[0]].object;
    bool any = false;
    for (size_t i = 0; i < group->count; i++) {
        const struct snapshot_task *task = &tasks[group->members[i]];
        group->same_object = group->same_object && task->object == object;
        any = any || snapshot_has_object(task, group->object);
    }
    if (!any && group->object != REC_OBJECT_FD)
        group->object = REC_OBJECT_NONE;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *left = a;
    const struct group *right = b;
    if (left->verdict != right->verdict)
        return left->verdict < right->verdict ? -1 : 1;
    if (left->count != right->count)
        return left->count > right->count ? -1 : 1;
    if (left->oldest_ns != right->oldest_ns)
        return left->oldest_ns > right->oldest_ns ? -1 : 1;
    return left->members < right->members ? -1 : left->members > right->members;
}

static void count_totals(struct verdicts *ret, const struct judge *judge)
{
    struct totals *totals = &ret->totals;
    const struct snapshot *snapshot = judge->snapshot;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->flags & SNAPSHOT_FINISHED) {
            totals->unjoined++;
            continue;
        }
        totals->tasks++;
        if (!(task->flags & SNAPSHOT_PARKED)) {
            totals->running++;
            continue;
        }
        totals->parked++;
        bool past = verdict_is_past(task, judge->options->threshold_ns);
        totals->past_threshold += past;
        totals->young += !past && rules_go_by_age(judge->rule_of_task[i]);
        totals->undecided += is_undecided(task, judge->options->threshold_ns) &&
                             judge->snapshot->look_age_ns != SNAPSHOT_AGE_UNKNOWN &&
                             rules_go_by_age(judge->rule_of_task[i]);
    }
    totals->lost = snapshot_lost(snapshot);
    /* A group has the verdict of its worst task, which is not that of those that are younger. */
    for (size_t i = 0; i < ret->count; i++) {
        const struct group *group = &ret->groups[i];
        size_t judged = group->verdict == VERDICT_STUCK ? group->past_threshold : group->count;
        totals->by_verdict[group->verdict] += judged;
        totals->by_verdict[VERDICT_WAITING] += group->count - judged;
    }
}

bool verdicts_init(struct verdicts *ret, const struct snapshot *snapshot, const struct waits *waits,
                   const struct verdict_options *options)
{
    memset(ret, 0, sizeof(*ret));
    struct judge judge = {.snapshot = snapshot,
                          .waits = waits,
                          .options = options,
                          .graph = &ret->graph,
                          .waiters = &ret->waiters};
    uint32_t *group_of = large_calloc(snapshot->task_count + 1, sizeof(*group_of));
    ret->rule_of_task = malloc(snapshot->task_count + 1);
    judge.rule_of_task = ret->rule_of_task;

    bool ok = group_of && ret->rule_of_task && table_init(&judge.joined_sites, 16) &&
              table_init(&ret->waiters, 64) && waitgraph_init(&ret->graph, snapshot) &&
              judge_tasks(&judge) && find_groups(ret, &judge, group_of) &&
              place_members(ret, &judge, group_of) && growth_count(ret, snapshot, group_of);
    free(group_of);
    for (size_t i = 0; ok && i < ret->count; i++)
        compare_objects(&ret->groups[i], &judge);
    ok = ok && waiters_count(&judge, ret->groups, ret->count);
    for (size_t i = 0; ok && i < ret->count; i++) {
        struct group *group = &ret->groups[i];
        ok = list_tasks(group, snapshot, options->max_tasks);
        evidence_add_object(&judge, group);
        if (rules[group->rule].explain)
            rules[group->rule].explain(&judge, group);
        growth_explain(group, snapshot);
    }
    if (ok) {
        if (ret->count)
            qsort(ret->groups, ret->count, sizeof(*ret->groups), compare_groups);
        count_totals(ret, &judge);
    }
    table_deinit(&judge.joined_sites);
    if (!ok)
        verdicts_deinit(ret);
    return ok;
}

void verdicts_deinit(struct verdicts *verdicts)
{
    table_deinit(&verdicts->waiters);
    for (size_t i = 0; i < verdicts->count; i++) {
        free(verdicts->groups[i].listed);
        for (size_t k = 0; k < verdicts->groups[i].evidence_count; k++)
            free(verdicts->groups[i].evidence[k]);
    }
    free(verdicts->groups);
    free(verdicts->members);
    free(verdicts->rule_of_task);
    waitgraph_deinit(&verdicts->graph);
    memset(verdicts, 0, sizeof(*verdicts));
}
