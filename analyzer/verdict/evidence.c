#include "analyzer/verdict/evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "analyzer/base/text.h"
#include "analyzer/verdict/judge.h"
#include "analyzer/verdict/names.h"
#include "analyzer/verdict/object_look.h"

#define MAX_CYCLES 3       /* of one group that are told */
#define MAX_CYCLE_TASKS 12 /* of one cycle */

void evidence_add(struct group *group, const char *format, ...)
{
    if (group->evidence_count == VERDICT_MAX_EVIDENCE)
        return;
    char *sentence;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&sentence, format, args);
    va_end(args);
    if (length >= 0)
        group->evidence[group->evidence_count++] = sentence;
}

void evidence_add_threshold(const struct judge *judge, struct group *group)
{
    char threshold[32];
    text_duration(judge->options->threshold_ns, threshold);
    if (group->unknown_age == group->count)
        evidence_add(group, "no deadline; nobody knows since when %s parked",
                     group->count == 1 ? "it is" : "they are");
    else if (group->undecided == group->count)
        evidence_add(group, "no deadline; whether parked for %s or longer is not known", threshold);
    else if (group->undecided)
        evidence_add(
            group, "no deadline; %zu of %zu are parked for %s or longer, of %zu that is not known",
            group->past_threshold, group->count, threshold, group->undecided);
    else if (group->past_threshold == 0)
        evidence_add(group, "parked for less than the threshold of %s", threshold);
    else if (group->past_threshold < group->count)
        evidence_add(group, "no deadline; %zu of %zu are parked for %s or longer",
                     group->past_threshold, group->count, threshold);
    else if (judge->options->threshold_ns == 0)
        evidence_add(group, "no deadline");
    else
        evidence_add(group, "no deadline, and parked for %s or longer", threshold);
}

/* The tasks of a cycle, in the order in which each waits for the next. */
static void write_cycle(FILE *out, const struct judge *judge, uint32_t first)
{
    uint32_t at = first, count = 0;
    do {
        uint32_t next = waitgraph_next(judge->graph, at);
        if (count++ < MAX_CYCLE_TASKS) {
            struct object_look look = object_look_at(judge->snapshot, judge->graph, at);
            char who[64], object[64], whom[64];
            names_task(judge->snapshot, at, who);
            names_task(judge->snapshot, next, whom);
            fputs(at == first ? "" : "; ", out);
            if (waitgraph_is_join(judge->snapshot, &judge->snapshot->tasks[at]))
                fprintf(out, "%s joins %s", who, whom);
            else
                fprintf(out, "%s waits for %s, held by %s", who,
                        names_object(look.kind, look.address, object),
                        next == at ? "itself" : whom);
        }
        at = next;
    } while (at != first);
    if (count > MAX_CYCLE_TASKS)
        fprintf(out, "; and so on, %" PRIu32 " tasks in all", count);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

void evidence_add_cycles(const struct judge *judge, struct group *group)
{
    /* A cycle is known by its first task; those of a group's members, each once. */
    uint32_t *cycles = malloc(group->count * sizeof(*cycles));
    size_t count = 0;
    if (!cycles)
        return;
    for (size_t i = 0; i < group->count; i++)
        cycles[i] = waitgraph_cycle(judge->graph, group->members[i]);
    qsort(cycles, group->count, sizeof(*cycles), compare_numbers);
    for (size_t i = 0; i < group->count; i++) {
        if (count == 0 || cycles[i] != cycles[count - 1])
            cycles[count++] = cycles[i];
    }
    for (size_t i = 0; i < count && i < MAX_CYCLES; i++) {
        char *text = NULL;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);
        if (!out)
            break;
        write_cycle(out, judge, cycles[i]);
        if (fclose(out) == 0)
            evidence_add(group, "a cycle: %s", text);
        free(text);
    }
    if (count > MAX_CYCLES)
        evidence_add(group, "and %zu more such cycle%s", count - MAX_CYCLES,
                     count - MAX_CYCLES == 1 ? "" : "s");
    free(cycles);
}
