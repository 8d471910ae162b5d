/* The report for programs: schema leakspy-report/1, which only ever grows.
 *
 * Groups and tasks are written one by one, so that memory does not grow with their number. */
#include "analyzer/report/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"
#include "analyzer/report/report.h"
#include "analyzer/verdict/object_look.h"
#include "analyzer/verdict/waiters.h"

json_t *report_json_text(const char *bytes)
{
    if (!bytes)
        return json_null();
    json_t *string = json_string(bytes);
    if (string)
        return string;
    char *utf8 = text_utf8_dup(bytes, strlen(bytes));
    string = utf8 ? json_string(utf8) : NULL;
    free(utf8);
    return string;
}

static json_t *text_or_null(const char *bytes)
{
    return report_json_text(bytes && bytes[0] ? bytes : NULL);
}

static json_t *hex(uint64_t value)
{
    return json_sprintf("0x%" PRIx64, value);
}

static json_t *count(uint64_t value)
{
    return json_integer(value < INT64_MAX ? (json_int_t)value : INT64_MAX);
}

static json_t *age(int64_t age_ns)
{
    return age_ns == SNAPSHOT_AGE_UNKNOWN ? json_null() : json_integer(age_ns);
}

static json_t *when(int64_t unix_ns)
{
    char buffer[40];
    return unix_ns ? json_string(text_rfc3339(unix_ns, buffer)) : json_null();
}

static json_t *runtimes(const struct snapshot *snapshot)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } rows[] = {
        {REC_RUNTIME_PTHREAD, "pthread"},
        {REC_RUNTIME_TASKRT, "taskrt"},
        {REC_RUNTIME_LIBGO, "libgo"},
    };
    json_t *array = json_array();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (snapshot->runtimes & rows[i].bit)
            json_array_append_new(array, json_string(rows[i].name));
    }
    if (snapshot->go_version[0])
        json_array_append_new(array, report_json_text(snapshot->go_version));
    return array;
}

static json_t *source(const struct snapshot *snapshot)
{
    json_t *cmdline = json_array();
    for (char **word = snapshot->cmdline; word && *word; word++)
        json_array_append_new(cmdline, report_json_text(*word));

    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(snapshot_source_name(snapshot->source)));
    json_object_set_new(object, "path", report_json_text(snapshot->path));
    json_object_set_new(object, "pid", count(snapshot->pid));
    json_object_set_new(object, "exe", report_json_text(snapshot->exe));
    json_object_set_new(object, "cmdline", cmdline);
    json_object_set_new(object, "runtimes", runtimes(snapshot));
    json_object_set_new(object, "started", when(snapshot->started_unix_ns));
    json_object_set_new(object, "taken", when(snapshot->taken_unix_ns));
    json_object_set_new(object, "last_walk", when(snapshot->looked_unix_ns));
    json_object_set_new(object, "looks", count(snapshot->looks ? snapshot->looks : 1));
    json_object_set_new(object, "watched_ns", json_integer(snapshot->watched_ns));
    json_object_set_new(object, "end", json_string(snapshot_end_name(snapshot->end)));
    json_object_set_new(object, "exit_code",
                        snapshot->has_exit_code ? json_integer(snapshot->exit_code) : json_null());
    json_object_set_new(object, "signal",
                        snapshot->signal ? json_integer(snapshot->signal) : json_null());
    return object;
}

static json_t *totals(const struct report *report)
{
    const struct totals *totals = &report->verdicts->totals;
    const struct snapshot *snapshot = report->snapshot;
    const struct snapshot_loss *loss = &snapshot->loss;

    json_t *by_kind = json_object();
    json_object_set_new(by_kind, "tasks", count(loss->tasks));
    json_object_set_new(by_kind, "unreadable", count(loss->unreadable));
    json_object_set_new(by_kind, "sites", count(loss->sites));
    json_object_set_new(by_kind, "stacks", count(loss->stacks));
    json_object_set_new(by_kind, "rows", count(loss->rows));

    json_t *object = json_object();
    json_object_set_new(object, "tasks", count(totals->tasks));
    json_object_set_new(object, "running", count(totals->running));
    json_object_set_new(object, "parked", count(totals->parked));
    json_object_set_new(object, "past_threshold", count(totals->past_threshold));
    json_object_set_new(object, "undecided", count(totals->undecided));
    json_object_set_new(object, "unjoined", count(totals->unjoined));
    json_object_set_new(object, "spawned",
                        snapshot->has_spawned ? count(snapshot->spawned) : json_null());
    json_object_set_new(object, "finished",
                        snapshot->has_spawned ? count(snapshot->finished) : json_null());
    json_object_set_new(object, "lost", count(totals->lost));
    json_object_set_new(object, "lost_by_kind", by_kind);
    return object;
}

static json_t *build_id(const struct snapshot_module *module)
{
    if (!module || module->build_id_bytes == 0)
        return json_null();
    char buffer[2 * sizeof(module->build_id) + 1];
    for (uint32_t i = 0; i < module->build_id_bytes; i++)
        snprintf(buffer + 2 * i, 3, "%02x", module->build_id[i]);
    return json_string(buffer);
}

static json_t *stack(const struct report *report, uint32_t site)
{
    const struct stack *stack = stacks_get(report->stacks, site);
    json_t *array = json_array();
    for (size_t i = 0; i < stack->count; i++) {
        const struct frame *frame = &stack->frames[i];
        json_t *object = json_object();
        json_object_set_new(object, "pc", hex(frame->pc));
        json_object_set_new(object, "function", text_or_null(frame->function));
        json_object_set_new(object, "file", text_or_null(frame->file));
        json_object_set_new(object, "line", frame->line ? json_integer(frame->line) : json_null());
        json_object_set_new(object, "inlined", json_boolean(frame->inlined));
        json_object_set_new(object, "module",
                            text_or_null(frame->module ? frame->module->path : NULL));
        json_object_set_new(object, "build_id", build_id(frame->module));
        json_object_set_new(object, "offset", hex(frame->offset));
        json_array_append_new(array, object);
    }
    return array;
}

/* Whether a stack has a flag of enum rec_site_flag. */
static json_t *site_has(const struct report *report, uint32_t site, uint16_t flag)
{
    return json_boolean(site != 0 && report->snapshot->sites[site].flags & flag);
}

/* Of a channel: how many wait on a side of it. */
static json_t *waiting(const struct report *report, const struct group *group, uint32_t task,
                       enum rec_object kind, bool receive)
{
    uint32_t number;
    bool known =
        kind == REC_OBJECT_CHANNEL &&
        waiters_on_channel(report->verdicts, report->snapshot, group, task, receive, &number);
    return known ? count(number) : json_null();
}

static json_t *id_of(const struct snapshot *snapshot, uint32_t task)
{
    return task != WAITGRAPH_NONE ? count(snapshot->tasks[task].id) : json_null();
}

static json_t *object_of(const struct report *report, const struct group *group, uint32_t task)
{
    struct object_look look = object_look_at(report->snapshot, &report->verdicts->graph, task);
    if (look.kind == REC_OBJECT_NONE)
        return json_null();
    json_t *object = json_object();
    json_object_set_new(object, "kind", json_string(snapshot_object_name(look.kind)));
    json_object_set_new(object, "address", hex(look.address));
    json_object_set_new(object, "description", text_or_null(look.text));
    json_object_set_new(object, "capacity", look.has_channel ? count(look.capacity) : json_null());
    json_object_set_new(object, "length", look.has_channel ? count(look.length) : json_null());
    json_object_set_new(object, "closed",
                        look.has_channel ? json_boolean(look.closed) : json_null());
    json_object_set_new(object, "senders", waiting(report, group, task, look.kind, false));
    json_object_set_new(object, "receivers", waiting(report, group, task, look.kind, true));
    bool locks = look.lock != LOCK_STATE_UNKNOWN;
    bool counts_readers = look.lock == LOCK_STATE_READ || look.lock == LOCK_STATE_WRITTEN;
    json_object_set_new(object, "counter",
                        look.has_counter ? json_integer(look.counter) : json_null());
    json_object_set_new(object, "locked",
                        locks ? json_boolean(look.lock != LOCK_STATE_FREE) : json_null());
    json_object_set_new(object, "readers", counts_readers ? count(look.readers) : json_null());
    json_object_set_new(object, "owner_task", id_of(report->snapshot, look.owner));
    json_object_set_new(object, "joined_task", id_of(report->snapshot, look.joined));
    return object;
}

/* Whether a group has the object of all of its tasks: else each has its own, or none. */
static bool has_object(const struct report *report, const struct group *group)
{
    return group->same_object &&
           object_look_at(report->snapshot, &report->verdicts->graph, group->members[0]).kind !=
               REC_OBJECT_NONE;
}

static json_t *cases_of(const struct snapshot *snapshot, const struct snapshot_extra *extra)
{
    json_t *array = json_array();
    for (uint32_t i = 0; i < extra->case_count; i++) {
        const struct snapshot_case *row = &snapshot->cases[extra->case_first + i];
        bool known = row->detail_flags & REC_DETAIL_CHANNEL;
        json_t *object = json_object();
        json_object_set_new(object, "op", json_string(snapshot_op_name(row->op)));
        json_object_set_new(object, "address", row->object ? hex(row->object) : json_null());
        json_object_set_new(object, "capacity", known ? count(row->capacity) : json_null());
        json_object_set_new(object, "length", known ? count(row->length) : json_null());
        json_object_set_new(object, "closed",
                            known ? json_boolean(row->detail_flags & REC_DETAIL_CLOSED)
                                  : json_null());
        json_array_append_new(array, object);
    }
    return array;
}

/* How many more there are at least is said where not all of them are known. */
static void put_cases(json_t *object, const struct snapshot *snapshot,
                      const struct snapshot_task *task, const struct snapshot_extra *extra)
{
    uint32_t given = snapshot_cases_given(snapshot, task);
    json_object_set_new(object, "cases", cases_of(snapshot, extra));
    json_object_set_new(object, "cases_omitted",
                        count(given > extra->case_count ? given - extra->case_count : 0));
}

static json_t *labels_of(const struct snapshot *snapshot, const struct snapshot_extra *extra)
{
    json_t *object = json_object();
    const struct snapshot_label_set *set =
        extra->labels ? &snapshot->label_sets[extra->labels] : NULL;
    for (uint32_t i = 0; set && i < set->count; i++) {
        const struct snapshot_label *label = &snapshot->labels[set->first + i];
        char *key = text_utf8_dup(label->key, strlen(label->key));
        if (key)
            json_object_set_new(object, key, report_json_text(label->value));
        free(key);
    }
    return object;
}

static json_t *task_of(const struct report *report, const struct group *group, uint32_t index)
{
    const struct snapshot_task *task = &report->snapshot->tasks[index];
    const struct snapshot_extra *extra = snapshot_extra(report->snapshot, task);
    json_t *object = json_object();
    json_object_set_new(object, "id", count(task->id));
    json_object_set_new(object, "os_tid", extra->os_tid ? count(extra->os_tid) : json_null());
    json_object_set_new(object, "name", text_or_null(extra->name));
    json_object_set_new(object, "parked_ns", age(task->parked_ns));
    json_object_set_new(object, "parked_at_least", json_boolean(task->flags & SNAPSHOT_AT_LEAST));
    json_object_set_new(object, "deadline", json_boolean(task->flags & SNAPSHOT_DEADLINE));
    json_object_set_new(object, "labels", labels_of(report->snapshot, extra));
    json_object_set_new(object, "spawner", task->spawner ? count(task->spawner) : json_null());
    json_object_set_new(object, "locked_to_thread", json_boolean(task->flags & SNAPSHOT_LOCKED));
    if (!has_object(report, group))
        json_object_set_new(object, "object", object_of(report, group, index));
    if (extra->case_count)
        put_cases(object, report->snapshot, task, extra);
    return object;
}

/* What a watch has seen of a group; null where nothing was watched. */
static json_t *watch_of(const struct report *report, const struct group *group)
{
    if (!group->watched)
        return json_null();
    json_t *object = json_object();
    json_object_set_new(object, "watched_ns", json_integer(report->snapshot->watched_ns));
    json_object_set_new(object, "first_count", count(group->first_count));
    json_object_set_new(object, "stayed", count(group->stayed));
    return object;
}

/* A group without its tasks. */
static json_t *group_of(const struct report *report, const struct group *group)
{
    json_t *evidence = json_array();
    for (size_t i = 0; i < group->evidence_count; i++)
        json_array_append_new(evidence, report_json_text(group->evidence[i]));
    json_t *growth = json_object();
    json_object_set_new(growth, "window_ns", json_integer(VERDICT_GROWTH_NS));
    json_object_set_new(growth, "count", count(group->grown));

    json_t *object = json_object();
    json_object_set_new(object, "verdict", json_string(verdict_name(group->verdict)));
    json_object_set_new(object, "evidence", evidence);
    json_object_set_new(object, "kind", json_string(snapshot_kind_name(group->kind)));
    json_object_set_new(object, "op", report_json_text(group->op));
    json_object_set_new(object, "call", text_or_null(group->call));
    json_object_set_new(object, "count", count(group->count));
    json_object_set_new(object, "past_threshold", count(group->past_threshold));
    json_object_set_new(object, "oldest_ns", age(group->oldest_ns));
    json_object_set_new(object, "newest_ns", age(group->newest_ns));
    json_object_set_new(object, "growth", growth);
    json_object_set_new(object, "oldest_at_least", json_boolean(group->at_least));
    json_object_set_new(object, "watch", watch_of(report, group));
    json_object_set_new(object, "object",
                        group->same_object ? object_of(report, group, group->members[0])
                                           : json_null());
    /* Of one of the tasks: the others may have other frames where the text shows none. */
    uint32_t wait_site = group->wait ? report->snapshot->tasks[group->members[0]].wait_site : 0;
    json_object_set_new(object, "wait_stack", stack(report, wait_site));
    json_object_set_new(object, "wait_stack_cut", site_has(report, wait_site, REC_SITE_CUT));
    json_object_set_new(object, "wait_stack_broken", site_has(report, wait_site, REC_SITE_BROKEN));
    json_object_set_new(object, "spawn_stack", stack(report, group->spawn_site));
    json_object_set_new(object, "spawn_stack_cut",
                        site_has(report, group->spawn_site, REC_SITE_CUT));
    json_object_set_new(object, "spawn_stack_broken",
                        site_has(report, group->spawn_site, REC_SITE_BROKEN));
    json_object_set_new(object, "spawn_is_start",
                        json_boolean(report_spawn_is_start(report, group)));
    return object;
}

/* Writes a value and lets it go. */
static bool put(FILE *out, json_t *value)
{
    bool ok = value && json_dumpf(value, out, REPORT_JSON_LINE | JSON_ENCODE_ANY) == 0;
    json_decref(value);
    return ok || ferror(out);
}

/* Writes a group; its tasks follow one by one, so that memory does not grow with their number. */
static bool put_group(const struct report *report, const struct group *group, FILE *out)
{
    json_t *head = group_of(report, group);
    char *text = head ? json_dumps(head, REPORT_JSON_LINE) : NULL;
    json_decref(head);
    if (!text)
        return false;
    text[strlen(text) - 1] = '\0'; /* the closing brace */
    fprintf(out, "%s,\"tasks\":[", text);
    free(text);
    bool ok = true;
    for (size_t i = 0; ok && i < group->listed_count; i++) {
        if (i)
            fputc(',', out);
        ok = put(out, task_of(report, group, group->listed[i]));
    }
    fprintf(out, "],\"tasks_omitted\":%zu}", group->count - group->listed_count);
    return ok;
}

struct notes {
    json_t *array;
    const char *path; /* of the source */
};

static void add_note(const char *path, const char *note, void *arg)
{
    struct notes *notes = arg;
    json_t *object = json_object();
    json_object_set_new(object, "path", report_json_text(path));
    json_object_set_new(object, "note", report_json_text(note));
    json_array_append_new(notes->array, object);
}

static void add_remark(const char *note, void *arg)
{
    const struct notes *notes = arg;
    add_note(notes->path, note, arg);
}

bool report_write_json(const struct report *report, FILE *out)
{
    fputs("{\"schema\": \"leakspy-report/1\",\n \"source\": ", out);
    bool ok = put(out, source(report->snapshot));
    fprintf(out,
            ",\n \"threshold_ns\": %" PRId64 ",\n \"totals\": ", report->options->threshold_ns);
    ok = put(out, totals(report)) && ok;
    fputs(",\n \"groups\": [", out);
    const char *separator = "\n  ";
    for (size_t i = 0; i < report->verdicts->count; i++) {
        const struct group *group = &report->verdicts->groups[i];
        if (!report_shows(report, group))
            continue;
        fputs(separator, out);
        ok = put_group(report, group, out) && ok;
        separator = ",\n  ";
    }
    struct notes notes = {json_array(), report->snapshot->path};
    report_notes(report, add_remark, &notes);
    stacks_notes(report->stacks, add_note, &notes);
    fputs("],\n \"notes\": ", out);
    ok = put(out, notes.array) && ok;
    fputs("}\n", out);
    return ok;
}
