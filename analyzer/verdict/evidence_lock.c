#include "analyzer/verdict/evidence_lock.h"

#include <inttypes.h>
#include <stdio.h>

#include "preload/goscan/reasons.h"

/* "once", "3 times" */
static const char *times(uint32_t count, char to[32])
{
    snprintf(to, 32, count == 1 ? "once" : "%" PRIu32 " times", count);
    return to;
}

/* Whoever unlocks a mutex that somebody waits for leaves a mark of that there until it is taken. */
static const char *mutex_state(const struct object_look *look)
{
    if (look->lock == LOCK_STATE_HELD)
        return look->lock_word & GO_MUTEX_STARVING ? "in starvation mode; who holds it is not known"
                                                   : "who holds it is not known";
    return look->lock_word == 0 ? "unlocked, and it counts no waiter: it was overwritten"
                                : "unlocked: the next one is about to take it";
}

const char *evidence_lock_state(const struct object_look *look, bool reads,
                                char to[EVIDENCE_LOCK_BYTES])
{
    char number[32];
    switch (look->lock) {
    case LOCK_STATE_FREE:
    case LOCK_STATE_HELD:
        return mutex_state(look);
    case LOCK_STATE_READ:
        snprintf(to, EVIDENCE_LOCK_BYTES, "held for reading %s (by whom is not known)%s",
                 times(look->readers, number), reads ? ", and a writer waits ahead" : "");
        return to;
    case LOCK_STATE_WRITTEN:
        return "held for writing (by whom is not known)";
    case LOCK_STATE_UNKNOWN:
        break;
    }
    return "who holds it is not known";
}

const char *evidence_counter(const struct object_look *look, char to[EVIDENCE_LOCK_BYTES])
{
    char number[32];
    to[0] = '\0';
    if (!look->has_counter)
        return to;
    int length = snprintf(to, EVIDENCE_LOCK_BYTES, "; counter %" PRId32, look->counter);
    if (look->counter > 0)
        snprintf(to + length, EVIDENCE_LOCK_BYTES - (size_t)length, ": Done is missing %s",
                 times((uint32_t)look->counter, number));
    else if (look->counter < 0)
        snprintf(to + length, EVIDENCE_LOCK_BYTES - (size_t)length, ": Done was called too often");
    return to;
}

const char *evidence_counters(const struct judge *judge, const struct group *group,
                              char to[EVIDENCE_LOCK_BYTES])
{
    int32_t least = INT32_MAX, most = INT32_MIN;
    to[0] = '\0';
    for (size_t i = 0; i < group->count; i++) {
        struct object_look look = object_look_at(judge->snapshot, judge->graph, group->members[i]);
        if (!look.has_counter)
            return to;
        least = look.counter < least ? look.counter : least;
        most = look.counter > most ? look.counter : most;
    }
    if (least == most)
        snprintf(to, EVIDENCE_LOCK_BYTES, ", each with the counter %" PRId32, least);
    else
        snprintf(to, EVIDENCE_LOCK_BYTES, ", with counters of %" PRId32 " to %" PRId32, least,
                 most);
    return to;
}
