#include "analyzer/verdict/evidence_holders.h"

#include <string.h>

#include "analyzer/verdict/evidence.h"

#define MAX_HOLDERS 3

/* How many members wait for what this text says the holder of. */
static size_t count_of(const struct snapshot *snapshot, const struct group *group, const char *text)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++) {
        const char *other = snapshot_holder_of(snapshot, group->members[i]);
        count += other && strcmp(other, text) == 0;
    }
    return count;
}

static bool is_among(const char *const told[], size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(told[i], text) == 0)
            return true;
    return false;
}

void evidence_add_holders(const struct judge *judge, struct group *group)
{
    const struct snapshot *snapshot = judge->snapshot;
    const char *told[MAX_HOLDERS];
    size_t count = 0;
    for (size_t i = 0; snapshot->holder_count && i < group->count && count < MAX_HOLDERS; i++) {
        const char *text = snapshot_holder_of(snapshot, group->members[i]);
        if (!text || is_among(told, count, text))
            continue;
        told[count++] = text;
        size_t alike = count_of(snapshot, group, text);
        if (alike == group->count)
            evidence_add(group, "the lock %s", text);
        else
            evidence_add(group, "%zu of %zu: the lock %s", alike, group->count, text);
    }
}
