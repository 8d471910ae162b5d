#include "analyzer/source/watch.h"

#include <stdlib.h>

#include "analyzer/base/rows.h"
#include "analyzer/base/table.h"

#define SLACK_NS UINT64_C(10000000) /* by which clocks of sources may differ */

/* A wait as it was at the latest look, or the end of a thread that nobody joined. */
struct seen {
    uint64_t id;
    uint64_t object;
    uint64_t call, site;      /* what they say: rows differ from snapshot to snapshot */
    uint64_t since_ns;        /* parked so at every look since */
    uint64_t source_since_ns; /* by the source's own clock; 0: it did not know */
    uint32_t wait_number;
    uint32_t first; /* row of watch->first, when it is of a task that stayed; 0: it is not */
    uint8_t kind;
    bool noted;    /* the source's clock stands until the task runs */
    bool at_least; /* it was there when the watch began */
    bool again;    /* seen at two looks or more */
};

/* A task that was parked at the first look. */
struct first {
    struct table_key group;
    bool stayed;
};

struct watch {
    struct seen *seen;    /* row 0 unused */
    struct table by_task; /* id, kind: row of `seen` */
    struct first *first;  /* row 0 unused */
    uint32_t first_count;
    uint64_t first_end_ns, last_begin_ns, last_slack_ns;
    uint32_t looks;
};

struct watch *watch_create(void)
{
    return calloc(1, sizeof(struct watch));
}

void watch_destroy(struct watch *watch)
{
    if (!watch)
        return;
    free(watch->seen);
    free(watch->first);
    table_deinit(&watch->by_task);
    free(watch);
}

static uint64_t text_sum(const char *text)
{
    uint64_t sum = 1;
    for (; *text; text++)
        sum = table_mix(sum, (unsigned char)*text);
    return sum;
}

/* What the rows of a snapshot say, as numbers that are the same in the next snapshot. */
struct contents {
    uint64_t *calls, *sites;
};

static void contents_deinit(struct contents *contents)
{
    free(contents->calls);
    free(contents->sites);
    *contents = (struct contents){0};
}

/* False: no memory; there is nothing to be deinitialized then. */
static bool contents_init(struct contents *contents, const struct snapshot *snapshot)
{
    contents->calls = calloc(snapshot->call_count + 1, sizeof(uint64_t));
    contents->sites = calloc(snapshot->site_count + 1, sizeof(uint64_t));
    if (!contents->calls || !contents->sites) {
        contents_deinit(contents);
        return false;
    }
    for (size_t i = 1; i < snapshot->call_count; i++) {
        const struct snapshot_call *call = &snapshot->calls[i];
        contents->calls[i] = table_mix(call->name ? text_sum(call->name) : 0, call->number);
    }
    for (size_t i = 1; i < snapshot->site_count; i++) {
        const struct snapshot_site *site = &snapshot->sites[i];
        uint64_t sum = site->pc_count;
        for (uint32_t k = 0; k < site->pc_count; k++)
            sum = table_mix(sum, snapshot->pcs[site->first_pc + k]);
        contents->sites[i] = table_mix(sum, site->flags) | 1; /* 0 is no site */
    }
    return true;
}

/* What tasks have in common that are counted together. */
static struct table_key group_of(const struct contents *contents, const struct snapshot_task *task)
{
    bool deadline = task->flags & SNAPSHOT_DEADLINE;
    return (struct table_key){
        table_mix(contents->calls[task->call], contents->sites[task->wait_site]),
        table_mix(contents->sites[task->spawn_site], (uint64_t)task->kind << 1 | deadline),
    };
}

/* Of goroutines in processes the number has 8 bits: one of 256 that ran has the same again. */
static bool is_short(const struct seen *seen)
{
    return seen->kind == REC_KIND_GOROUTINE && seen->wait_number >> 8 == 1;
}

/* Whether a wait may have ended since the look before, and another one have begun that looks like
 * it. A number that counts waits knows; else the source's own clock, where it has one. */
static bool is_another(const struct seen *before, const struct seen *now, bool exact,
                       uint64_t slack_ns)
{
    if (before->call != now->call || before->object != now->object)
        return true;
    /* It is the same one only if no task has run. */
    if (now->wait_number == SNAPSHOT_WAITS_UNCOUNTED)
        return now->source_since_ns == 0 || now->source_since_ns > before->since_ns;
    bool counted = before->wait_number && now->wait_number;
    if (counted && (before->wait_number != now->wait_number || !is_short(now)))
        return before->wait_number != now->wait_number;
    if (before->site && now->site && before->site != now->site)
        return true;
    if (counted && !before->noted)
        return false; /* how long the process was quiet says nothing of one task in it */
    if (now->source_since_ns == 0)
        return before->source_since_ns != 0;
    if (before->source_since_ns && now->source_since_ns > before->source_since_ns + slack_ns)
        return true;
    return exact && now->source_since_ns > before->since_ns + slack_ns;
}

/* Whether it ended, and only looks tell since when: by PID. A recording knows, or says that it does
 * not. */
static bool has_ended(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_FINISHED) && snapshot->source != SNAPSHOT_RECORDING;
}

/* Whether a look is to remember the task. */
static bool is_remembered(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_PARKED) || has_ended(snapshot, task);
}

/* The wait of a task as this look saw it. */
static struct seen see(const struct watch *watch, const struct contents *contents,
                       const struct snapshot_task *task, uint64_t begin_ns, uint64_t end_ns)
{
    struct seen now = {
        .id = task->id,
        .kind = task->kind,
        .object = task->object,
        .call = contents->calls[task->call],
        .site =
            contents->sites[task->flags & SNAPSHOT_FINISHED ? task->spawn_site : task->wait_site],
        .wait_number = task->wait_number,
        .noted = task->flags & SNAPSHOT_NOTED,
        .since_ns = end_ns,
        .at_least = watch->looks == 0,
    };
    bool exact = task->parked_ns != SNAPSHOT_AGE_UNKNOWN && !(task->flags & SNAPSHOT_AT_LEAST);
    if (task->parked_ns != SNAPSHOT_AGE_UNKNOWN) {
        uint64_t age_ns = (uint64_t)task->parked_ns;
        now.source_since_ns = age_ns < begin_ns ? begin_ns - age_ns : 1;
        if (exact)
            now.at_least = false;
    }
    const uint32_t *row =
        watch->looks ? table_find(&watch->by_task, (struct table_key){task->id, task->kind}) : NULL;
    if (!row || !*row)
        return now;
    const struct seen *before = &watch->seen[*row];
    if (is_another(before, &now, exact, watch->last_slack_ns + end_ns - begin_ns + SLACK_NS))
        return now;
    now.since_ns = before->since_ns;
    now.at_least = before->at_least && !exact;
    now.first = before->first;
    now.again = true;
    if (now.site == 0)
        now.site = before->site;
    return now;
}

bool watch_look(struct watch *watch, const struct snapshot *snapshot, uint64_t begin_ns,
                uint64_t end_ns)
{
    struct contents contents;
    struct table by_task = {0};
    struct seen *seen = malloc((snapshot->task_count + 1) * sizeof(*seen));
    bool first = watch->looks == 0;
    if (first)
        watch->first = malloc((snapshot->task_count + 1) * sizeof(*watch->first));
    bool ok = contents_init(&contents, snapshot);
    ok = ok && seen && (!first || watch->first) && table_init(&by_task, snapshot->task_count);

    uint32_t count = 1;
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (!is_remembered(snapshot, task))
            continue;
        uint32_t *row = table_at(&by_task, (struct table_key){task->id, task->kind});
        ok = row != NULL;
        if (!ok || *row) /* an id that is not one: the first is kept */
            continue;
        seen[count] = see(watch, &contents, task, begin_ns, end_ns);
        if (first) { /* of one that has ended, nothing is counted */
            watch->first[count] = (struct first){.group = group_of(&contents, task),
                                                 .stayed = task->flags & SNAPSHOT_FINISHED};
            seen[count].first = task->flags & SNAPSHOT_FINISHED ? 0 : count;
        }
        *row = count++;
    }
    contents_deinit(&contents);
    if (!ok) {
        free(seen);
        table_deinit(&by_task);
        return false;
    }
    free(watch->seen);
    table_deinit(&watch->by_task);
    watch->seen = seen;
    watch->by_task = by_task;
    if (first) {
        watch->first_count = count;
        watch->first_end_ns = end_ns;
    }
    watch->last_begin_ns = begin_ns;
    watch->last_slack_ns = end_ns - begin_ns;
    watch->looks++;
    return true;
}

static void tell_task(const struct watch *watch, const struct seen *seen,
                      enum snapshot_source source, struct snapshot_task *task)
{
    if (!seen->again) { /* since the look before: nothing, as far as looks tell */
        if (task->parked_ns == SNAPSHOT_AGE_UNKNOWN &&
            task->wait_number != SNAPSHOT_WAITS_UNCOUNTED)
            task->parked_ns = 0;
        return;
    }
    /* What a recording tells of a wait's object is as old as the sampler's look at it: two looks at
     * the file may be at one and the same. */
    if (source != SNAPSHOT_RECORDING && task->flags & SNAPSHOT_PARKED)
        task->flags |= SNAPSHOT_SETTLED;
    uint64_t age_ns =
        watch->last_begin_ns > seen->since_ns ? watch->last_begin_ns - seen->since_ns : 0;
    if (task->parked_ns == SNAPSHOT_AGE_UNKNOWN || age_ns > (uint64_t)task->parked_ns)
        task->parked_ns = (int64_t)age_ns;
    if (seen->at_least)
        task->flags |= SNAPSHOT_AT_LEAST;
    else
        task->flags &= (uint16_t)~SNAPSHOT_AT_LEAST;
    if (seen->first) {
        task->flags |= SNAPSHOT_STAYED;
        watch->first[seen->first].stayed = true;
    }
}

/* Tells of each kind of task in this snapshot how many of the first look were of it and left. */
static bool tell_before(const struct watch *watch, const struct contents *contents,
                        struct snapshot *snapshot)
{
    struct table left, known = {0};
    bool ok = table_init(&left, 64) && table_init(&known, 64);
    for (uint32_t i = 1; ok && i < watch->first_count; i++) {
        uint32_t *count = NULL;
        if (!watch->first[i].stayed) {
            count = table_at(&left, watch->first[i].group);
            ok = count != NULL;
        }
        if (count)
            ++*count;
    }
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (!(task->flags & SNAPSHOT_PARKED))
            continue;
        struct table_key group = group_of(contents, task);
        const uint32_t *count = table_find(&left, group);
        uint32_t *done = count ? table_at(&known, group) : NULL;
        ok = !count || done;
        if (!done || *done)
            continue;
        *done = 1;
        ok = rows_grow(&snapshot->before, snapshot->before_count, sizeof(*snapshot->before));
        if (!ok)
            break;
        snapshot->before[snapshot->before_count++] = (struct snapshot_before){
            .call = task->call,
            .wait_site = task->wait_site,
            .spawn_site = task->spawn_site,
            .kind = task->kind,
            .deadline = task->flags & SNAPSHOT_DEADLINE,
            .count = *count,
        };
    }
    table_deinit(&left);
    table_deinit(&known);
    return ok;
}

bool watch_tell(struct watch *watch, struct snapshot *snapshot)
{
    if (watch->looks < 2)
        return true;
    struct contents contents;
    if (!contents_init(&contents, snapshot))
        return false;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        struct snapshot_task *task = &snapshot->tasks[i];
        const uint32_t *row =
            is_remembered(snapshot, task)
                ? table_find(&watch->by_task, (struct table_key){task->id, task->kind})
                : NULL;
        if (row && *row)
            tell_task(watch, &watch->seen[*row], snapshot->source, task);
    }
    bool ok = tell_before(watch, &contents, snapshot);
    contents_deinit(&contents);
    snapshot->looks = watch->looks;
    snapshot->watched_ns = watch->last_begin_ns > watch->first_end_ns
                               ? (int64_t)(watch->last_begin_ns - watch->first_end_ns)
                               : 0;
    return ok;
}
