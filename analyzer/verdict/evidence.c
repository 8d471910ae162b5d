#include "analyzer/verdict/evidence.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"
#include "analyzer/verdict/judge.h"
#include "preload/goscan/reasons.h"

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

const char *evidence_plural(const char *word, uint64_t count, char to[64])
{
    size_t length = strlen(word);
    bool es = length > 1 && (word[length - 1] == 'x' || strcmp(word + length - 2, "ch") == 0);
    snprintf(to, 64, "%s%s", word, count == 1 ? "" : es ? "es" : "s");
    return to;
}

#define MAX_COMM_BYTES 15 /* characters of a name that the kernel keeps */

/* Whether a thread has the name of its program, as all have that were given none. */
static bool is_named_as_program(const struct snapshot *snapshot, const char *name)
{
    const char *program = text_basename(snapshot->exe);
    size_t length = strlen(name);
    return strncmp(program, name, length) == 0 && (length == MAX_COMM_BYTES || !program[length]);
}

const char *evidence_own_name(const struct snapshot *snapshot, uint32_t index)
{
    const char *name = snapshot_extra(snapshot, &snapshot->tasks[index])->name;
    return name[0] && !is_named_as_program(snapshot, name) ? name : NULL;
}

const char *evidence_task_name(const struct snapshot *snapshot, uint32_t index, char to[64])
{
    const struct snapshot_task *task = &snapshot->tasks[index];
    int length = snprintf(to, 64, "%s %" PRIu64, snapshot_kind_name(task->kind), task->id);
    const char *name = evidence_own_name(snapshot, index);
    if (name)
        snprintf(to + length, 64 - (size_t)length, " (%s)", name);
    return to;
}

static void take_mutex(int32_t state, struct object_look *look)
{
    look->lock = state & GO_MUTEX_LOCKED ? LOCK_STATE_HELD : LOCK_STATE_FREE;
    look->lock_word = state;
}

/* A writer takes readerCount below 0, and waits for as many as readerWait says. */
static void take_rwlock(int32_t count, int32_t leaving, struct object_look *look)
{
    if (count >= 0 || leaving < 0)
        return;
    look->lock = leaving > 0 ? LOCK_STATE_READ : LOCK_STATE_WRITTEN;
    look->readers = (uint32_t)leaving;
}

static void take_lock_words(const struct snapshot_task *task, struct object_look *look)
{
    int32_t state = (int32_t)task->detail_a;
    if (!(task->detail_flags & REC_DETAIL_LOCK_WORDS))
        return;
    if (look->kind == REC_OBJECT_MUTEX)
        take_mutex(state, look);
    else if (look->kind == REC_OBJECT_RWLOCK)
        take_rwlock(state, (int32_t)task->detail_b, look);
    look->has_counter = look->kind == REC_OBJECT_WAITGROUP;
    look->counter = look->has_counter ? state : 0;
}

struct object_look evidence_look_at(const struct snapshot *snapshot, const struct waitgraph *graph,
                                    uint32_t index)
{
    const struct snapshot_task *task = &snapshot->tasks[index];
    const struct snapshot_extra *extra = snapshot_extra(snapshot, task);
    struct object_look look = {
        .kind = REC_OBJECT_NONE, .owner = WAITGRAPH_NONE, .joined = WAITGRAPH_NONE};
    if (!(task->flags & SNAPSHOT_PARKED))
        return look;
    look.kind = snapshot_op_object(snapshot->calls[task->call].number);
    if (!snapshot_has_object(task, look.kind))
        look.kind = REC_OBJECT_NONE;
    /* A poll of no descriptor, or whose first one is left out: a negative number. */
    if ((task->flags & SNAPSHOT_FDS) && (extra->arg == 0 || task->object > INT32_MAX))
        look.kind = REC_OBJECT_NONE;
    look.address = task->object;
    if (look.kind == REC_OBJECT_CHANNEL && (task->detail_flags & REC_DETAIL_CHANNEL)) {
        look.has_channel = true;
        look.capacity = task->detail_a;
        look.length = task->detail_b;
        look.closed = task->detail_flags & REC_DETAIL_CLOSED;
    }
    take_lock_words(task, &look);
    if (waitgraph_has_owner(snapshot, task) && !waitgraph_is_loose(graph, index))
        look.owner = waitgraph_next(graph, index);
    if (waitgraph_is_join(snapshot, task))
        look.joined = waitgraph_next(graph, index);
    if (extra->object_text)
        look.text = snapshot->object_texts[extra->object_text];
    return look;
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

const char *evidence_object_name(enum rec_object kind, uint64_t address, char to[64])
{
    if (kind == REC_OBJECT_FD)
        snprintf(to, 64, "descriptor %" PRIu64, address);
    else if (kind == REC_OBJECT_PROCESS && (int64_t)address == -1) /* as of waitpid */
        snprintf(to, 64, "any child process");
    else if (kind == REC_OBJECT_PROCESS && (int64_t)address < -1)
        snprintf(to, 64, "any child process of group %" PRId64, -(int64_t)address);
    else if (kind == REC_OBJECT_PROCESS)
        snprintf(to, 64, "process %" PRIu64, address);
    else
        snprintf(to, 64, "%s %#" PRIx64, snapshot_object_name(kind), address);
    return to;
}

/* The tasks of a cycle, in the order in which each waits for the next. */
static void write_cycle(FILE *out, const struct judge *judge, uint32_t first)
{
    uint32_t at = first, count = 0;
    do {
        uint32_t next = waitgraph_next(judge->graph, at);
        if (count++ < MAX_CYCLE_TASKS) {
            struct object_look look = evidence_look_at(judge->snapshot, judge->graph, at);
            char who[64], object[64], whom[64];
            evidence_task_name(judge->snapshot, at, who);
            evidence_task_name(judge->snapshot, next, whom);
            fputs(at == first ? "" : "; ", out);
            if (waitgraph_is_join(judge->snapshot, &judge->snapshot->tasks[at]))
                fprintf(out, "%s joins %s", who, whom);
            else
                fprintf(out, "%s waits for %s, held by %s", who,
                        evidence_object_name(look.kind, look.address, object),
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
