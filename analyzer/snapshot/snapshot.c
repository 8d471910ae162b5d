#include "analyzer/snapshot/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/large.h"

void snapshot_init(struct snapshot *snapshot)
{
    memset(snapshot, 0, sizeof(*snapshot));
}

void snapshot_deinit(struct snapshot *snapshot)
{
    if (snapshot->cmdline) {
        for (char **word = snapshot->cmdline; *word; word++)
            free(*word);
    }
    free(snapshot->cmdline);
    free(snapshot->path);
    free(snapshot->continued_in);
    free(snapshot->exe);
    free(snapshot->tasks);
    free(snapshot->extras);
    free(snapshot->workers);
    free(snapshot->sites);
    free(snapshot->pcs);
    free(snapshot->frames);
    free(snapshot->modules);
    free(snapshot->calls);
    free(snapshot->cases);
    free(snapshot->object_texts);
    free(snapshot->label_sets);
    free(snapshot->labels);
    free(snapshot->before);
    for (size_t i = 0; i < snapshot->holder_count; i++)
        free(snapshot->holders[i].text);
    free(snapshot->holders);
    for (size_t i = 0; i < snapshot->note_count; i++)
        free(snapshot->notes[i]);
    free(snapshot->notes);
    free(snapshot->doubt);
    free(snapshot->strings);
    while (snapshot->texts) {
        struct snapshot_text *next = snapshot->texts->next;
        free(snapshot->texts);
        snapshot->texts = next;
    }
    memset(snapshot, 0, sizeof(*snapshot));
}

bool snapshot_add_holder(struct snapshot *snapshot, size_t task, const char *text)
{
    char *copy = strdup(text);
    struct snapshot_holder *rows =
        copy ? reallocarray(snapshot->holders, snapshot->holder_count + 1, sizeof(*rows)) : NULL;
    if (!rows) {
        free(copy);
        return false;
    }
    snapshot->holders = rows;
    struct snapshot_holder *row = &rows[snapshot->holder_count++];
    row->task = task;
    row->text = copy;
    return true;
}

static int compare_holders(const void *a, const void *b)
{
    const struct snapshot_holder *left = a, *right = b;
    return (left->task > right->task) - (left->task < right->task);
}

const char *snapshot_holder_of(const struct snapshot *snapshot, size_t task)
{
    const struct snapshot_holder key = {.task = task};
    const struct snapshot_holder *row =
        snapshot->holder_count ? bsearch(&key, snapshot->holders, snapshot->holder_count,
                                         sizeof(*snapshot->holders), compare_holders)
                               : NULL;
    return row ? row->text : NULL;
}

bool snapshot_vnote(struct snapshot *snapshot, const char *format, va_list arguments)
{
    char *note;
    if (vasprintf(&note, format, arguments) < 0)
        return false;
    char **notes = reallocarray(snapshot->notes, snapshot->note_count + 1, sizeof(*notes));
    if (!notes) {
        free(note);
        return false;
    }
    snapshot->notes = notes;
    notes[snapshot->note_count++] = note;
    return true;
}

bool snapshot_note(struct snapshot *snapshot, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool ok = snapshot_vnote(snapshot, format, arguments);
    va_end(arguments);
    return ok;
}

bool snapshot_vdoubt(struct snapshot *snapshot, const char *format, va_list arguments)
{
    if (!snapshot_vnote(snapshot, format, arguments))
        return false;
    if (!snapshot->doubt)
        snapshot->doubt = strdup(snapshot->notes[snapshot->note_count - 1]);
    return snapshot->doubt != NULL;
}

bool snapshot_doubt(struct snapshot *snapshot, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    bool ok = snapshot_vdoubt(snapshot, format, arguments);
    va_end(arguments);
    return ok;
}

static bool make_room(struct snapshot *snapshot, size_t expected)
{
    return large_grow((void **)&snapshot->tasks, &snapshot->task_room, snapshot->task_count,
                      expected, sizeof(*snapshot->tasks));
}

void snapshot_expect_tasks(struct snapshot *snapshot, size_t more)
{
    size_t unexpected = more / 64 + 256; /* there are always some: a table that is full doubles */
    size_t room;
    if (!__builtin_add_overflow(snapshot->task_count + unexpected, more, &room) &&
        room > snapshot->task_room)
        (void)make_room(snapshot, room);
}

struct snapshot_task *snapshot_add_task(struct snapshot *snapshot)
{
    if (snapshot->task_count == snapshot->task_room && !make_room(snapshot, 0))
        return NULL;
    struct snapshot_task *task = &snapshot->tasks[snapshot->task_count++];
    task->parked_ns = SNAPSHOT_AGE_UNKNOWN;
    return task;
}

bool snapshot_add_worker(struct snapshot *snapshot, uint32_t os_tid)
{
    if (snapshot->worker_count == snapshot->worker_room &&
        !large_grow((void **)&snapshot->workers, &snapshot->worker_room, snapshot->worker_count, 0,
                    sizeof(*snapshot->workers)))
        return false;
    snapshot->workers[snapshot->worker_count++] = os_tid;
    return true;
}

uint32_t snapshot_cases_given(const struct snapshot *snapshot, const struct snapshot_task *task)
{
    uint32_t given = snapshot_extra(snapshot, task)->arg;
    if (task->kind == REC_KIND_GOROUTINE) /* so many sends, so many receives */
        given = (given >> 16) + (given & 0xffff);
    return given;
}

struct snapshot_extra *snapshot_extra_for(struct snapshot *snapshot, struct snapshot_task *task)
{
    if (task->extra)
        return &snapshot->extras[task->extra];
    size_t row = snapshot->extra_count ? snapshot->extra_count : 1;
    if (row >= snapshot->extra_room &&
        !large_grow((void **)&snapshot->extras, &snapshot->extra_room, snapshot->extra_count, 0,
                    sizeof(*snapshot->extras)))
        return NULL;
    snapshot->extra_count = row + 1;
    task->extra = (uint32_t)row;
    return &snapshot->extras[row];
}

uint64_t snapshot_lost_tasks(const struct snapshot *snapshot)
{
    return snapshot->loss.tasks + snapshot->loss.unreadable;
}

bool snapshot_is_unwatched(const struct snapshot *snapshot)
{
    bool late = snapshot->look_age_ns > snapshot_look_is_late_after(snapshot->look_period_ns);
    if (late && snapshot->end != SNAPSHOT_RUNNING)
        return true; /* whatever it did then: it may have executed another program */
    if (!late && snapshot->look_age_ns != SNAPSHOT_AGE_UNKNOWN)
        return false;
    for (size_t i = 0; i < snapshot->task_count; i++) {
        if (snapshot->tasks[i].flags & SNAPSHOT_PARKED)
            return true;
    }
    return snapshot->task_count == 0; /* not even its first thread was seen */
}

uint64_t snapshot_lost(const struct snapshot *snapshot)
{
    const struct snapshot_loss *loss = &snapshot->loss;
    return loss->tasks + loss->unreadable + loss->sites + loss->stacks + loss->rows;
}

const struct snapshot_module *snapshot_module_of(const struct snapshot *snapshot, uint64_t pc,
                                                 uint32_t epoch)
{
    /* The call is at pc - 1: a call that never returns may be the last instruction of its file. */
    uint64_t address = pc - 1;
    const struct snapshot_module *fallback = NULL;
    for (size_t i = 1; i < snapshot->module_count; i++) {
        const struct snapshot_module *module = &snapshot->modules[i];
        if (module->start == 0 || address < module->start || address >= module->end)
            continue;
        if (module->loaded_epoch <= epoch &&
            (module->unloaded_epoch == 0 || epoch < module->unloaded_epoch))
            return module;
        /* A stack may be taken before the sampler has seen the library that was just loaded. */
        if (module->loaded_epoch > epoch && !fallback)
            fallback = module;
    }
    return fallback;
}

const char *snapshot_function_of(const struct snapshot *snapshot, uint64_t pc,
                                 const struct snapshot_module *module)
{
    size_t low = 0;
    size_t high = snapshot->frame_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (snapshot->frames[middle].pc < pc)
            low = middle + 1;
        else
            high = middle;
    }
    uint32_t number = module ? (uint32_t)(module - snapshot->modules) : 0;
    for (; low < snapshot->frame_count && snapshot->frames[low].pc == pc; low++) {
        const struct snapshot_frame *frame = &snapshot->frames[low];
        if (frame->module == number && frame->function[0])
            return frame->function;
    }
    return NULL;
}

static const struct {
    const char *text;
    enum rec_object object;
} ops[] = {
#define X(name, number, text, object, class) [number] = {text, REC_OBJECT_##object},
    REC_OPS(X)
#undef X
};

static const char *const objects[] = {
#define X(name, number, text) [number] = text,
    REC_OBJECTS(X)
#undef X
};

static const char *const kinds[] = {
#define X(name, number, text) [number] = text,
    REC_KINDS(X)
#undef X
};

static const char *const sources[] = {
    [SNAPSHOT_RECORDING] = "recording",
    [SNAPSHOT_PROCESS] = "process",
    [SNAPSHOT_CORE] = "core",
};

static const char *const ends[] = {
    [SNAPSHOT_RUNNING] = "running",     [SNAPSHOT_EXITED] = "exited",
    [SNAPSHOT_SIGNALLED] = "signalled", [SNAPSHOT_EXEC] = "exec",
    [SNAPSHOT_VANISHED] = "vanished",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *snapshot_kind_name(unsigned kind)
{
    return kind < COUNT(kinds) ? kinds[kind] : "unknown";
}

const char *snapshot_op_name(unsigned op)
{
    return op < COUNT(ops) ? ops[op].text : "unknown";
}

const char *snapshot_object_name(unsigned object)
{
    return object < COUNT(objects) ? objects[object] : "unknown";
}

enum rec_object snapshot_op_object(unsigned op)
{
    return op < COUNT(ops) ? ops[op].object : REC_OBJECT_NONE;
}

const char *snapshot_source_name(enum snapshot_source source)
{
    return sources[source];
}

const char *snapshot_end_name(enum snapshot_end end)
{
    return ends[end];
}
