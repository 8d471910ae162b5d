/* The report for people: the finding first. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"
#include "analyzer/report/frames.h"
#include "analyzer/report/report.h"
#include "analyzer/verdict/names.h"

#define INDENT "       "
#define FUNCTION_COLUMNS 40
#define MAX_FUNCTION_COLUMNS 80

/* A colour for each verdict, worst in red. */
static const char *const colours[VERDICT_COUNT] = {
    [VERDICT_DEADLOCKED] = "\033[1;31m", [VERDICT_LEAKED] = "\033[1;31m",
    [VERDICT_STUCK] = "\033[1;33m",      [VERDICT_UNJOINED] = "\033[1;33m",
    [VERDICT_WAITING] = "\033[2m",
};

struct writer {
    const struct report *report;
    FILE *out;
};

static void put_printable(FILE *out, const char *text)
{
    char *printable = text_printable_dup(text);
    fputs(printable ? printable : "?", out);
    free(printable);
}

/* One line of totals; it begins with what was found. */
static void put_totals(const struct writer *writer)
{
    const struct totals *totals = &writer->report->verdicts->totals;
    const struct snapshot *snapshot = writer->report->snapshot;
    FILE *out = writer->out;
    char age[32], plural[64];
    /* Of a process that has ended, nothing runs any more. */
    const char *running = snapshot_is_live(snapshot) ? "running" : "not parked";
    bool any = false;

    for (unsigned i = 0; i < VERDICT_WAITING; i++) {
        if (!totals->by_verdict[i])
            continue;
        fprintf(out, "%s%" PRIu64 " %s", any ? ", " : "", totals->by_verdict[i], verdict_name(i));
        any = true;
    }
    const char *nothing =
        report_doubt(writer->report) ? "nothing found among what could be read" : "nothing found";
    fprintf(out,
            "%s: %" PRIu64 " %s, %" PRIu64 " %s, %" PRIu64 " parked, %" PRIu64
            " of them for %s or longer",
            any ? "" : nothing, totals->tasks, names_plural("task", totals->tasks, plural),
            totals->running, running, totals->parked, totals->past_threshold,
            text_duration(writer->report->options->threshold_ns, age));
    if (snapshot->has_spawned)
        fprintf(out, "; %" PRIu64 " spawned, %" PRIu64 " finished", snapshot->spawned,
                snapshot->finished);
    if (totals->lost)
        fprintf(out, ", %" PRIu64 " LOST", totals->lost);
    fputc('\n', out);
}

/* What was looked at, and when. */
static void put_source(const struct writer *writer)
{
    const struct snapshot *snapshot = writer->report->snapshot;
    FILE *out = writer->out;
    char taken[40], watched[32];

    fputs(INDENT "in ", out);
    put_printable(out, snapshot->exe[0] ? snapshot->exe : "an unknown program");
    fprintf(out, ", pid %" PRIu32 ", ", snapshot->pid);
    bool core = snapshot->source == SNAPSHOT_CORE;
    switch (snapshot->end) {
    case SNAPSHOT_RUNNING:
        fputs(core ? "dumped while it ran" : "running", out);
        break;
    case SNAPSHOT_EXITED:
        fprintf(out, "which exited with status %d", snapshot->exit_code);
        break;
    case SNAPSHOT_SIGNALLED:
        fprintf(out, "which was killed by signal %d", snapshot->signal);
        break;
    case SNAPSHOT_EXEC:
        fputs("which executed another program", out);
        break;
    case SNAPSHOT_VANISHED:
        fputs("which vanished", out);
        break;
    }
    if (snapshot->looks > 1)
        fprintf(out, "; watched for %s, %" PRIu32 " looks",
                text_duration(snapshot->watched_ns, watched), snapshot->looks);
    if (core) {
        fputs("; core ", out);
        put_printable(out, snapshot->path);
    }
    fprintf(out, "; as of %s\n", text_rfc3339(snapshot->taken_unix_ns, taken));
}

static void put_loss(const struct writer *writer)
{
    const struct snapshot_loss *loss = &writer->report->snapshot->loss;
    char plural[64];
    const struct {
        uint64_t count;
        const char *thing, *what;
    } rows[] = {
        {loss->tasks, "task",
         " had no room in the recording, or began before it: nothing else is known"},
        {loss->unreadable, "task", " could not be read whole"},
        {loss->sites, "stack", " had no room in the recording"},
        {loss->stacks, "stack", " could not be unwound"},
        {loss->rows, "", "names, labels, modules or select cases are missing"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].count)
            fprintf(writer->out, INDENT "lost: %" PRIu64 " %s%s\n", rows[i].count,
                    rows[i].thing[0] ? names_plural(rows[i].thing, rows[i].count, plural) : "",
                    rows[i].what);
    }
}

static void put_remark(const char *note, void *arg)
{
    const struct writer *writer = arg;
    fputs(INDENT "note: ", writer->out);
    put_printable(writer->out, note);
    fputc('\n', writer->out);
}

/* Where ages are lower bounds, only what a watch has counted is growth. */
static void put_growth(const struct writer *writer, const struct group *group)
{
    char age[32];
    if (!group->at_least && group->grown)
        fprintf(writer->out, ", +%zu in the last 60s", group->grown);
    else if (group->at_least && group->watched && group->count > group->first_count)
        fprintf(writer->out, ", +%zu in %s", group->count - group->first_count,
                text_duration(writer->report->snapshot->watched_ns, age));
}

/* "STUCK  50 goroutines in chan send for 12s to 58s, +50 in the last 60s" */
static void put_headline(const struct writer *writer, const struct group *group)
{
    FILE *out = writer->out;
    bool colour = writer->report->options->colour;
    char plural[64], newest[32], oldest[32];

    if (colour)
        fputs(colours[group->verdict], out);
    for (const char *at = verdict_name(group->verdict); *at; at++)
        fputc(toupper((unsigned char)*at), out);
    if (colour)
        fputs("\033[0m", out);
    fprintf(out, "  %zu %s ", group->count,
            names_plural(snapshot_kind_name(group->kind), group->count, plural));
    if (group->wait) {
        fputs("in ", out);
        put_printable(out, group->op);
    } else {
        fputs("ended", out);
    }
    if (group->oldest_ns != SNAPSHOT_AGE_UNKNOWN) {
        text_duration(group->newest_ns, newest);
        text_duration(group->oldest_ns, oldest);
        if (strcmp(newest, oldest) == 0)
            fprintf(out, " for %s", oldest);
        else
            fprintf(out, " for %s to %s", newest, oldest);
        if (group->at_least)
            fputs(" or longer", out);
        fputs(group->wait ? "" : " now", out);
        if (group->unknown_age)
            fprintf(out, " (%zu for an unknown time)", group->unknown_age);
    } else if (group->wait) {
        fputs(" for an unknown time", out);
    }
    if (group->verdict != VERDICT_WAITING && group->count > 1)
        put_growth(writer, group);
    fputc('\n', out);
}

/* A function's name. Returns how many columns are left of its own. */
static int put_function(FILE *out, const char *function)
{
    char *printable = text_printable_dup(function);
    char *name = printable ? frames_short_name(printable, MAX_FUNCTION_COLUMNS) : NULL;
    size_t columns = frames_columns(name ? name : "?");
    fputs(name ? name : "?", out);
    free(name);
    free(printable);
    return columns < FUNCTION_COLUMNS ? (int)(FUNCTION_COLUMNS - columns) : 0;
}

static void put_frame(const struct writer *writer, const struct frame *frame, const char *label,
                      bool is_start)
{
    FILE *out = writer->out;
    bool in_module = frame->module && frame->module->path[0];
    fprintf(out, INDENT "%-3s ", label);
    /* Where a thread began matters less than where it is: its place in the file is enough. */
    if (frame->function || !in_module || !is_start) {
        char address[32];
        snprintf(address, sizeof(address), "%#" PRIx64, frame->pc);
        int left = put_function(out, frame->function ? frame->function : address);
        if (frame->file || in_module)
            fprintf(out, "%*s ", left, "");
    }
    if (frame->file) {
        put_printable(out, text_basename(frame->file));
        if (frame->line)
            fprintf(out, ":%d", frame->line);
    } else if (in_module) {
        put_printable(out, text_basename(frame->module->path));
        fprintf(out, "+%#" PRIx64, frame->offset);
    }
    fputs(frame->inlined ? " (inlined)\n" : "\n", out);
}

/* Whether nothing but the go statement is known, as of every goroutine of Go's own compiler: its
 * runtime notes no more (GODEBUG=tracebackancestors has it do so), so that nothing was lost. */
static bool is_go_statement(const struct writer *writer, const struct group *group)
{
    return group->kind == REC_KIND_GOROUTINE &&
           writer->report->snapshot->sites[group->spawn_site].pc_count == 1;
}

/* Why a stack has no more frames; NULL: there are none. */
static const char *end_of(const struct snapshot *snapshot, uint32_t site)
{
    uint16_t flags = snapshot->sites[site].flags;
    if (flags & REC_SITE_CUT)
        return "the stack is longer than what was kept";
    return flags & REC_SITE_BROKEN ? "the stack could not be followed further" : NULL;
}

static void put_stack(const struct writer *writer, uint32_t site, const char *label, bool is_whole)
{
    const struct stack *whole = stacks_get(writer->report->stacks, site);
    struct stack stack = stack_user_part(whole);
    uint64_t most = writer->report->options->frames;
    const char *end = is_whole ? NULL : end_of(writer->report->snapshot, site);
    /* Where not all have room, a run of libraries' frames takes that of one. */
    bool fold = stack.count > most && frames_hide_others(&stack);
    size_t at = 0;
    for (uint64_t rows = 0; at < stack.count && rows < most; rows++) {
        const char *library = NULL;
        size_t run = fold ? frames_of_libraries(&stack, at, &library) : 0;
        if (run > 1)
            fprintf(writer->out, INDENT "    … %zu of %s\n", run, library);
        else
            put_frame(writer, &stack.frames[at], at ? "" : label,
                      whole->flags & SNAPSHOT_SITE_START);
        at += run > 1 ? run : 1;
    }
    if (at < stack.count && most)
        fprintf(writer->out, INDENT "    … %zu more%s%s\n", stack.count - at, end ? "; " : "",
                end ? end : "");
    else if (end && most)
        fprintf(writer->out, INDENT "    … %s\n", end);
}

#define LABELS_SHOWN 6

static uint32_t labels_of(const struct snapshot *snapshot, uint32_t task)
{
    return snapshot_extra(snapshot, &snapshot->tasks[task])->labels;
}

static bool has_label(const struct snapshot *snapshot, uint32_t set,
                      const struct snapshot_label *wanted)
{
    const struct snapshot_label *labels = &snapshot->labels[snapshot->label_sets[set].first];
    for (uint32_t i = 0; i < snapshot->label_sets[set].count; i++) {
        if (strcmp(labels[i].key, wanted->key) == 0 && strcmp(labels[i].value, wanted->value) == 0)
            return true;
    }
    return false;
}

/* Finds the labels that all tasks of a group have; returns how many. */
static size_t common_labels(const struct snapshot *snapshot, const struct group *group,
                            const struct snapshot_label *ret[SNAPSHOT_MAX_LABELS])
{
    size_t count = 0;
    uint32_t row = labels_of(snapshot, group->members[0]);
    if (row == 0)
        return 0;
    const struct snapshot_label_set *set = &snapshot->label_sets[row];
    for (uint32_t i = 0; i < set->count && count < SNAPSHOT_MAX_LABELS; i++)
        ret[count++] = &snapshot->labels[set->first + i];
    for (size_t i = 1; count && i < group->count; i++) {
        uint32_t other = labels_of(snapshot, group->members[i]);
        if (other == row)
            continue;
        row = other;
        size_t kept = 0;
        for (size_t k = 0; k < count; k++) {
            if (row && has_label(snapshot, row, ret[k]))
                ret[kept++] = ret[k];
        }
        count = kept;
    }
    return count;
}

/* "labels service=shop, handler=/cart" */
static void put_labels(const struct writer *writer, const struct group *group)
{
    const struct snapshot_label *common[SNAPSHOT_MAX_LABELS];
    size_t count = common_labels(writer->report->snapshot, group, common);
    for (size_t i = 0; i < count && i < LABELS_SHOWN; i++) {
        fputs(i ? ", " : INDENT "labels ", writer->out);
        put_printable(writer->out, common[i]->key);
        fputc('=', writer->out);
        put_printable(writer->out, common[i]->value);
    }
    if (count)
        fputs(count > LABELS_SHOWN ? ", …\n" : "\n", writer->out);
}

#define TASKS_SHOWN 5

/* The name that all tasks of a group have of their own; NULL: they have none, or several. */
static const char *common_name(const struct snapshot *snapshot, const struct group *group)
{
    const char *name = names_own(snapshot, group->members[0]);
    for (size_t i = 1; name && i < group->count; i++) {
        const char *other = names_own(snapshot, group->members[i]);
        if (!other || strcmp(other, name) != 0)
            return NULL;
    }
    return name;
}

/* "18", "2 (tid 4711, worker)": what else it is known by, where it is. */
static void put_task_number(const struct writer *writer, uint32_t index, const char *name)
{
    const struct snapshot *snapshot = writer->report->snapshot;
    const struct snapshot_task *task = &snapshot->tasks[index];
    uint32_t tid = snapshot_extra(snapshot, task)->os_tid;
    bool has_tid = task->kind == REC_KIND_THREAD && tid != 0 && tid != task->id;
    fprintf(writer->out, "%" PRIu64, task->id);
    if (!has_tid && !name)
        return;
    fputs(" (", writer->out);
    if (has_tid)
        fprintf(writer->out, "tid %" PRIu32 "%s", tid, name ? ", " : "");
    if (name)
        put_printable(writer->out, name);
    fputc(')', writer->out);
}

/* "goroutines 18, 19, 20, 21, 22 and 45 more", "threads 2, 3, named worker": those that have waited
 * for longest. By these numbers they are found in a debugger, in logs and in what a runtime prints.
 */
static void put_task_numbers(const struct writer *writer, const struct group *group)
{
    const struct snapshot *snapshot = writer->report->snapshot;
    const char *all_named = common_name(snapshot, group);
    size_t shown = group->listed_count < TASKS_SHOWN ? group->listed_count : TASKS_SHOWN;
    if (shown == 0)
        return;
    fprintf(writer->out, INDENT "%s%s ", snapshot_kind_name(group->kind),
            group->count == 1 ? "" : "s");
    for (size_t i = 0; i < shown; i++) {
        uint32_t index = group->listed[i];
        fputs(i ? ", " : "", writer->out);
        put_task_number(writer, index, all_named ? NULL : names_own(snapshot, index));
    }
    if (group->count > shown)
        fprintf(writer->out, " and %zu more", group->count - shown);
    if (all_named) {
        fputs(", named ", writer->out);
        put_printable(writer->out, all_named);
    }
    fputc('\n', writer->out);
}

static void put_group(const struct writer *writer, const struct group *group)
{
    FILE *out = writer->out;
    fputc('\n', out);
    put_headline(writer, group);
    for (size_t i = 0; i < group->evidence_count; i++) {
        fputs(INDENT, out);
        put_printable(out, group->evidence[i]);
        fputc('\n', out);
    }
    put_task_numbers(writer, group);
    put_labels(writer, group);
    if (group->wait && group->wait->site)
        put_stack(writer, group->wait->site, "at", false);
    else if (group->wait) {
        fputs(INDENT "at  (its stack was not recorded; the call is ", out);
        put_printable(out, group->call);
        fputs(")\n", out);
    }
    if (group->spawn_site)
        put_stack(writer, group->spawn_site,
                  report_spawn_is_start(writer->report, group) ? "in" : "by",
                  is_go_statement(writer, group));
}

static void put_note(const char *path, const char *note, void *arg)
{
    const struct writer *writer = arg;
    fputs("note: ", writer->out);
    put_printable(writer->out, path);
    fprintf(writer->out, ": %s\n", note);
}

/* Groups that are left out for one reason. */
struct hidden {
    size_t groups;
    uint64_t tasks;
};

static void put_hidden(FILE *out, const struct hidden *hidden, const char *separator)
{
    char tasks[64], groups[64];
    fprintf(out, "%snot shown: %" PRIu64 " %s in %zu %s", separator, hidden->tasks,
            names_plural("task", hidden->tasks, tasks), hidden->groups,
            names_plural("group", hidden->groups, groups));
}

bool report_write_text(const struct report *report, FILE *out)
{
    const struct writer writer = {report, out};
    struct hidden waiting = {0}, small = {0};

    put_totals(&writer);
    put_source(&writer);
    put_loss(&writer);
    report_notes(report, put_remark, (void *)&writer);
    for (size_t i = 0; i < report->verdicts->count; i++) {
        const struct group *group = &report->verdicts->groups[i];
        if (report_shows(report, group)) {
            put_group(&writer, group);
            continue;
        }
        bool waits = group->verdict == VERDICT_WAITING && !report->options->all;
        struct hidden *hidden = waits ? &waiting : &small;
        hidden->groups++;
        hidden->tasks += group->count;
    }
    if (small.groups) {
        put_hidden(out, &small, "\n");
        fprintf(out, " of fewer than %" PRIu64 " (--min-count)\n", report->options->min_count);
    }
    if (waiting.groups) {
        put_hidden(out, &waiting, small.groups ? "" : "\n");
        fputs(" that wait as expected or not for long (--all)\n", out);
    }
    stacks_notes(report->stacks, put_note, (void *)&writer);
    return true;
}
