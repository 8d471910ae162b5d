#include "analyzer/verdict/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/base/text.h"

#define MAX_COMM_BYTES 15 /* characters of a name that the kernel keeps */

/* Whether a thread has the name of its program, as all have that were given none. */
static bool is_named_as_program(const struct snapshot *snapshot, const char *name)
{
    const char *program = text_basename(snapshot->exe);
    size_t length = strlen(name);
    return strncmp(program, name, length) == 0 && (length == MAX_COMM_BYTES || !program[length]);
}

const char *names_own(const struct snapshot *snapshot, uint32_t index)
{
    const char *name = snapshot_extra(snapshot, &snapshot->tasks[index])->name;
    return name[0] && !is_named_as_program(snapshot, name) ? name : NULL;
}

const char *names_task(const struct snapshot *snapshot, uint32_t index, char to[64])
{
    const struct snapshot_task *task = &snapshot->tasks[index];
    int length = snprintf(to, 64, "%s %" PRIu64, snapshot_kind_name(task->kind), task->id);
    const char *name = names_own(snapshot, index);
    if (name)
        snprintf(to + length, 64 - (size_t)length, " (%s)", name);
    return to;
}

const char *names_object(enum rec_object kind, uint64_t address, char to[64])
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

const char *names_plural(const char *word, uint64_t count, char to[64])
{
    size_t length = strlen(word);
    bool es = length > 1 && (word[length - 1] == 'x' || strcmp(word + length - 2, "ch") == 0);
    snprintf(to, 64, "%s%s", word, count == 1 ? "" : es ? "es" : "s");
    return to;
}
