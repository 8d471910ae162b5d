#include "analyzer/verdict/evidence_cases.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzer/verdict/evidence.h"

#define MAX_NAMED 6

/* The cases of one task, as far as they are known. */
struct cases {
    const struct snapshot_case *rows;
    uint32_t count, senders;
    bool all;
};

static struct cases cases_of(const struct judge *judge, uint32_t index)
{
    const struct snapshot *snapshot = judge->snapshot;
    const struct snapshot_task *task = &snapshot->tasks[index];
    const struct snapshot_extra *extra = snapshot_extra(snapshot, task);
    struct cases cases = {.count = extra->case_count,
                          .all = snapshot_cases_given(snapshot, task) <= extra->case_count};
    if (cases.count > 0)
        cases.rows = &snapshot->cases[extra->case_first];
    for (uint32_t i = 0; i < cases.count; i++)
        cases.senders += cases.rows[i].op == REC_OP_CHAN_SEND;
    return cases;
}

static bool are_on_same_channels(const struct cases *a, const struct cases *b)
{
    for (uint32_t i = 0; i < a->count; i++)
        if (a->rows[i].op != b->rows[i].op || a->rows[i].object != b->rows[i].object)
            return false;
    return true;
}

/* "cases: chan receive 0xc000076120, chan send 0xc000076180, chan receive of a nil channel" */
static char *name_all(const struct cases *cases)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        return NULL;
    for (uint32_t i = 0; i < cases->count && i < MAX_NAMED; i++) {
        fprintf(out, "%s%s ", i ? ", " : "cases: ", snapshot_op_name(cases->rows[i].op));
        if (cases->rows[i].object)
            fprintf(out, "%#" PRIx64, cases->rows[i].object);
        else
            fputs("of a nil channel", out);
    }
    if (!cases->all)
        fputs(", and others that are not known", out);
    else if (cases->count > MAX_NAMED)
        fprintf(out, " and %" PRIu32 " more", cases->count - MAX_NAMED);
    fclose(out);
    return text;
}

static void add_numbers(struct group *group, const struct cases *cases)
{
    uint32_t receivers = cases->count - cases->senders;
    if (receivers == 0)
        evidence_add(group, "cases of each: %" PRIu32 " chan send", cases->senders);
    else if (cases->senders == 0)
        evidence_add(group, "cases of each: %" PRIu32 " chan receive", receivers);
    else
        evidence_add(group, "cases of each: %" PRIu32 " chan receive, %" PRIu32 " chan send",
                     receivers, cases->senders);
}

void evidence_add_cases(const struct judge *judge, struct group *group)
{
    struct cases first = cases_of(judge, group->members[0]);
    bool same_channels = true;
    if (first.count == 0)
        return;
    for (size_t i = 1; i < group->count; i++) {
        struct cases other = cases_of(judge, group->members[i]);
        if (other.count != first.count || other.senders != first.senders || !other.all)
            return;
        same_channels = same_channels && are_on_same_channels(&first, &other);
    }
    if (!same_channels) {
        if (first.all)
            add_numbers(group, &first);
        return;
    }
    char *named = name_all(&first);
    if (named)
        evidence_add(group, "%s", named);
    free(named);
}
