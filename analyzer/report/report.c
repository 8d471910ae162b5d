#include "analyzer/report/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"

const struct report_format report_formats[] = {
    {"text", report_write_text},
    {"json", report_write_json},
    {NULL, NULL},
};

const struct report_format *report_format_find(const char *name)
{
    for (const struct report_format *format = report_formats; format->name; format++) {
        if (strcmp(format->name, name) == 0)
            return format;
    }
    return NULL;
}

bool report_shows(const struct report *report, const struct group *group)
{
    if (group->verdict == VERDICT_WAITING && !report->options->all)
        return false;
    return group->count >= report->options->min_count;
}

bool report_spawn_is_start(const struct report *report, const struct group *group)
{
    return group->spawn_site &&
           report->snapshot->sites[group->spawn_site].flags & SNAPSHOT_SITE_START;
}

size_t report_findings(const struct report *report)
{
    size_t findings = 0;
    for (size_t i = 0; i < report->verdicts->count; i++) {
        const struct group *group = &report->verdicts->groups[i];
        findings += group->verdict != VERDICT_WAITING && report_shows(report, group);
    }
    return findings;
}

/* That nobody has looked at the tasks, or not lately. */
static void write_unwatched(const struct snapshot *snapshot, char *to, size_t bytes)
{
    char ago[32], period[32];
    text_duration(snapshot->look_age_ns, ago);
    text_duration(snapshot->look_period_ns, period);
    if (snapshot->end != SNAPSHOT_RUNNING && snapshot->look_age_ns == SNAPSHOT_AGE_UNKNOWN)
        snprintf(to, bytes,
                 "it ended before anybody looked at its tasks (that happens every %s): "
                 "how long they were parked is not known",
                 period);
    else if (snapshot->end != SNAPSHOT_RUNNING)
        snprintf(to, bytes,
                 "nobody looked at its tasks in the %s before it ended (that happens every %s): "
                 "waits that began then have no age",
                 ago, period);
    else if (snapshot->look_age_ns == SNAPSHOT_AGE_UNKNOWN)
        snprintf(to, bytes,
                 "nobody has looked at its tasks yet (that happens every %s, unless "
                 "the library could not start its thread): how long they are parked is "
                 "not known",
                 period);
    else
        snprintf(to, bytes,
                 "nobody has looked at its tasks for %s (that happens every %s, unless "
                 "the process is stopped or keeps the library's thread from running): "
                 "waits that are newer have no age",
                 ago, period);
}

/* Go's runtime leaves without a word, so that nobody looks at its goroutines in the end, as is done
 * where libc ends the process. */
static bool ended_unseen(const struct report *report)
{
    const struct snapshot *snapshot = report->snapshot;
    bool found = false;
    for (size_t i = 0; i < report->verdicts->count; i++) {
        const struct group *group = &report->verdicts->groups[i];
        found |= group->kind == REC_KIND_GOROUTINE && group->verdict != VERDICT_WAITING &&
                 report_shows(report, group);
    }
    return found && snapshot->end == SNAPSHOT_EXITED && snapshot->look_age_ns > 0 &&
           (snapshot->runtimes & REC_RUNTIME_GO_PROGRAM) && !snapshot_is_unwatched(snapshot);
}

static void write_ended_unseen(const struct snapshot *snapshot, char *to, size_t bytes)
{
    char ago[32];
    text_duration(snapshot->look_age_ns, ago);
    snprintf(
        to, bytes,
        "its goroutines were looked at last %s before it exited: those that wait here may have "
        "gone on since",
        ago);
}

/* Whether waits may be past the threshold that were told to be younger: how long one lasts is known
 * from the first look at it on. Looks once a second are often enough, reports wait for those. */
static bool is_looked_at_too_rarely(const struct report *report)
{
    const struct snapshot *snapshot = report->snapshot;
    int64_t threshold_ns = report->options->threshold_ns;
    return threshold_ns > 0 && snapshot->look_period_ns > threshold_ns &&
           snapshot->look_period_ns > SNAPSHOT_FRESH_NS && report->verdicts->totals.young > 0;
}

static void write_too_rarely(const struct report *report, char *to, size_t bytes)
{
    char period[32], threshold[32];
    text_duration(report->snapshot->look_period_ns, period);
    text_duration(report->options->threshold_ns, threshold);
    snprintf(to, bytes,
             "somebody looks at its tasks only every %s: waits may be that much longer than told, "
             "and past %s",
             period, threshold);
}

/* That tasks may be past the threshold of which nobody knows since when they are parked. */
static void write_undecided(const struct report *report, char *to, size_t bytes)
{
    uint64_t count = report->verdicts->totals.undecided;
    bool may_watch = snapshot_is_live(report->snapshot) && report->snapshot->looks < 2;
    char threshold[32];
    text_duration(report->options->threshold_ns, threshold);
    snprintf(to, bytes,
             "%" PRIu64 " parked task%s may be so for %s or longer, nobody knows since when: "
             "--threshold 0 shows %s%s",
             count, count == 1 ? "" : "s", threshold, count == 1 ? "it" : "them",
             may_watch ? ", --watch 10s tells what stays" : "");
}

void report_notes(const struct report *report, void (*visit)(const char *note, void *arg),
                  void *arg)
{
    char note[256];
    char *long_note;
    if (report->snapshot->continued_in &&
        asprintf(&long_note, "the program that it executed is recorded in %s",
                 report->snapshot->continued_in) >= 0) {
        visit(long_note, arg);
        free(long_note);
    }
    for (size_t i = 0; i < report->snapshot->note_count; i++)
        visit(report->snapshot->notes[i], arg);
    if (snapshot_is_unwatched(report->snapshot)) {
        write_unwatched(report->snapshot, note, sizeof(note));
        visit(note, arg);
    } else if (is_looked_at_too_rarely(report)) {
        write_too_rarely(report, note, sizeof(note));
        visit(note, arg);
    }
    if (ended_unseen(report)) {
        write_ended_unseen(report->snapshot, note, sizeof(note));
        visit(note, arg);
    }
    if (report->verdicts->totals.undecided) {
        write_undecided(report, note, sizeof(note));
        visit(note, arg);
    }
}

const char *report_doubt(const struct report *report)
{
    if (snapshot_lost_tasks(report->snapshot))
        return report->snapshot->source == SNAPSHOT_RECORDING ? "tasks were lost to the recording"
                                                              : "tasks could not be read";
    if (report->snapshot->doubt)
        return report->snapshot->doubt;
    if (report->snapshot->continued_in)
        return "it went on as another program, which has a recording of its own";
    if (report->snapshot->end == SNAPSHOT_EXEC)
        return "it went on as another program, of which no recording was found";
    if (snapshot_is_unwatched(report->snapshot))
        return "nobody has looked at its tasks lately";
    if (is_looked_at_too_rarely(report))
        return "its tasks are looked at less often than the threshold asks for";
    return NULL;
}
