#include "analyzer/verdict/evidence_object.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"
#include "analyzer/verdict/evidence.h"
#include "analyzer/verdict/evidence_cases.h"
#include "analyzer/verdict/evidence_holders.h"
#include "analyzer/verdict/evidence_lock.h"
#include "analyzer/verdict/judge.h"
#include "analyzer/verdict/names.h"
#include "analyzer/verdict/object_look.h"
#include "analyzer/verdict/waiters.h"

static bool is_recorded(const struct judge *judge)
{
    return judge->snapshot->source == SNAPSHOT_RECORDING;
}

/* What a task does that is not parked. One may hang in a call that is not recorded; of a goroutine,
 * Go's runtime was asked. */
static const char *not_parked(const struct judge *judge, const struct snapshot_task *task)
{
    if (judge->snapshot->end != SNAPSHOT_RUNNING)
        return "which was not parked";
    return is_recorded(judge) && task->kind != REC_KIND_GOROUTINE
               ? "which is in no call that is recorded"
               : "which runs";
}

/* What another task is doing: "which runs", "which is in cond wait for 12s". */
static const char *doing(const struct judge *judge, uint32_t index, char *to, size_t bytes)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[index];
    char age[32];
    if (task->flags & SNAPSHOT_FINISHED)
        snprintf(to, bytes, "which has ended");
    else if (!(task->flags & SNAPSHOT_PARKED))
        snprintf(to, bytes, "%s", not_parked(judge, task));
    else if (task->parked_ns == SNAPSHOT_AGE_UNKNOWN)
        snprintf(to, bytes, "which is in %s", judge->waits->rows[judge->waits->of_task[index]].op);
    else
        snprintf(to, bytes, "which is in %s for %s%s",
                 judge->waits->rows[judge->waits->of_task[index]].op,
                 text_duration(task->parked_ns, age),
                 task->flags & SNAPSHOT_AT_LEAST ? " or longer" : "");
    return to;
}

/* Where other tasks may exist of which nothing is known, "nobody" is not certain. */
static const char *known(const struct judge *judge)
{
    if (!snapshot_lost_tasks(judge->snapshot) && !judge->snapshot->doubt)
        return "";
    return is_recorded(judge) ? " that was recorded" : " that could be read";
}

static void explain_channel(const struct judge *judge, struct group *group,
                            const struct object_look *look)
{
    uint32_t senders = waiters_of(judge->waiters, REC_OBJECT_CHANNEL, look->address, false);
    uint32_t receivers = waiters_of(judge->waiters, REC_OBJECT_CHANNEL, look->address, true);
    char buffer[80] = "";
    if (look->has_channel && look->capacity == 0)
        snprintf(buffer, sizeof(buffer), "unbuffered, ");
    else if (look->has_channel)
        snprintf(buffer, sizeof(buffer), "%" PRIu32 " of %" PRIu32 " buffered, ", look->length,
                 look->capacity);
    if (look->closed)
        strcat(buffer, "closed, ");

    char number[2][16] = {"no", "no"};
    char plural[2][64];
    if (senders)
        snprintf(number[0], 16, "%" PRIu32, senders);
    if (receivers)
        snprintf(number[1], 16, "%" PRIu32, receivers);
    names_plural("sender", senders ? senders : 1, plural[0]);
    names_plural("receiver", receivers ? receivers : 1, plural[1]);
    evidence_add(group, "channel %#" PRIx64 ": %s%s %s%s waiting, %s %s%s waiting", look->address,
                 buffer, number[0], plural[0], senders ? "" : known(judge), number[1], plural[1],
                 receivers ? "" : known(judge));
}

/* The thread on which the lock was taken that a task waits for. */
static const char *worker_name(const struct judge *judge, uint32_t index, char to[64])
{
    const struct snapshot *snapshot = judge->snapshot;
    uint32_t thread = waitgraph_next(judge->graph, index);
    if (thread != WAITGRAPH_NONE && snapshot->tasks[thread].kind == REC_KIND_THREAD)
        return names_task(snapshot, thread, to);
    snprintf(to, 64, "the thread with the system's id %" PRIu32, snapshot->tasks[index].detail_a);
    return to;
}

static void explain_lock(const struct judge *judge, struct group *group,
                         const struct object_look *look)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[group->members[0]];
    uint32_t count = waiters_of(judge->waiters, look->kind, look->address, false);
    unsigned op = judge->snapshot->calls[task->call].number;
    char object[64], who[64], what[128], state[EVIDENCE_LOCK_BYTES];
    names_object(look->kind, look->address, object);
    if (look->owner != WAITGRAPH_NONE)
        evidence_add(group, "%s: held by %s, %s; %" PRIu32 " waiting for it", object,
                     names_task(judge->snapshot, look->owner, who),
                     doing(judge, look->owner, what, sizeof(what)), count);
    else if (waitgraph_is_loose(judge->graph, group->members[0]))
        evidence_add(group,
                     "%s: locked on %s, on which a runtime runs its tasks: one of them holds it, "
                     "which may be elsewhere by now; %" PRIu32 " waiting for it",
                     object, worker_name(judge, group->members[0], who), count);
    else if ((task->detail_flags & REC_DETAIL_OWNER) && task->detail_a)
        evidence_add(group,
                     "%s: held by the thread with the system's id %" PRIu32
                     ", which is none of this process: it has ended, %sor another process has "
                     "locked it; %" PRIu32 " waiting for it",
                     object, task->detail_a, is_recorded(judge) ? "was not recorded, " : "", count);
    else if (look->kind == REC_OBJECT_RWLOCK && look->text)
        evidence_add(group, "%s: %s (by whom is not known); %" PRIu32 " waiting for it", object,
                     look->text, count);
    else
        evidence_add(group, "%s: %s; %" PRIu32 " waiting for it", object,
                     evidence_lock_state(look, op == REC_OP_RWLOCK_RDLOCK, state), count);
}

static void explain_join(const struct judge *judge, struct group *group,
                         const struct object_look *look)
{
    char who[64], what[128];
    bool is_thread = look->kind == REC_OBJECT_THREAD;
    if (look->joined != WAITGRAPH_NONE)
        evidence_add(group, "joins %s, %s", names_task(judge->snapshot, look->joined, who),
                     doing(judge, look->joined, what, sizeof(what)));
    else
        evidence_add(group, "joins a %s (%#" PRIx64 ") that %sis not among those %s",
                     is_thread ? "thread" : "task", look->address,
                     is_thread && judge->snapshot->worker_count
                         ? "runs a runtime's tasks, which are told instead, or "
                         : "",
                     is_recorded(judge) ? "recorded" : "read");
}

static void explain_waiters(const struct judge *judge, struct group *group,
                            const struct object_look *look)
{
    char object[64], plural[64], counter[EVIDENCE_LOCK_BYTES];
    uint32_t count = waiters_of(judge->waiters, look->kind, look->address, false);
    names_plural("task", count, plural);
    evidence_add(group, "%s: %" PRIu32 " %s waiting%s",
                 names_object(look->kind, look->address, object), count, plural,
                 evidence_counter(look, counter));
}

static void explain_fd(const struct judge *judge, struct group *group,
                       const struct object_look *look)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[group->members[0]];
    const char *open = look->text ? " (" : "", *close = look->text ? ")" : "";
    const char *text = look->text ? look->text : "";
    char object[64], more[32] = "";
    uint32_t fds = snapshot_extra(judge->snapshot, task)->arg;
    if ((task->flags & SNAPSHOT_FDS) && fds > 1)
        snprintf(more, sizeof(more), " and %" PRIu32 " more", fds - 1);
    evidence_add(group, "%s%s%s%s%s, in %s", names_object(look->kind, look->address, object), open,
                 text, close, more, group->call);
}

/* One row for each kind of object that has something to say. */
static const struct {
    enum rec_object kind;
    void (*explain)(const struct judge *judge, struct group *group, const struct object_look *look);
} explainers[] = {
    {REC_OBJECT_CHANNEL, explain_channel},   {REC_OBJECT_MUTEX, explain_lock},
    {REC_OBJECT_RWLOCK, explain_lock},       {REC_OBJECT_THREAD, explain_join},
    {REC_OBJECT_TASK, explain_join},         {REC_OBJECT_FD, explain_fd},
    {REC_OBJECT_COND, explain_waiters},      {REC_OBJECT_SEMAPHORE, explain_waiters},
    {REC_OBJECT_BARRIER, explain_waiters},   {REC_OBJECT_FUTEX, explain_waiters},
    {REC_OBJECT_WAITGROUP, explain_waiters}, {REC_OBJECT_ONCE, explain_waiters},
    {REC_OBJECT_SEMSET, explain_waiters},    {REC_OBJECT_QUEUE, explain_waiters},
    {REC_OBJECT_PROCESS, explain_waiters},
};

/* What many channels have in common. */
static void explain_many_channels(const struct judge *judge, struct group *group)
{
    size_t unbuffered = 0, full = 0, empty_ones = 0, closed = 0, lonely = 0, known_ones = 0;
    bool sending = waiters_send(judge->snapshot, group);

    for (size_t i = 0; i < group->count; i++) {
        if (i + WAITERS_AHEAD < group->count)
            waiters_fetch(judge->waiters, judge->snapshot,
                          &judge->snapshot->tasks[group->members[i + WAITERS_AHEAD]], true);
        struct object_look look = object_look_at(judge->snapshot, judge->graph, group->members[i]);
        known_ones += look.has_channel;
        unbuffered += look.has_channel && look.capacity == 0;
        full += look.has_channel && look.capacity && look.length >= look.capacity;
        empty_ones += look.has_channel && look.capacity && look.length == 0;
        closed += look.closed;
        lonely += waiters_of(judge->waiters, REC_OBJECT_CHANNEL, look.address, sending) == 0;
    }
    char state[160] = "";
    size_t at = 0;
    const struct {
        size_t count;
        const char *word;
    } parts[] = {{unbuffered, "unbuffered"},
                 {sending ? full : 0, "full"},
                 {sending ? 0 : empty_ones, "empty"},
                 {closed, "closed"}};
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].count == group->count && known_ones)
            at += (size_t)snprintf(state + at, sizeof(state) - at, "all %s, ", parts[i].word);
        else if (parts[i].count)
            at += (size_t)snprintf(state + at, sizeof(state) - at, "%zu %s, ", parts[i].count,
                                   parts[i].word);
    }
    const char *partner = sending ? "receiver" : "sender";
    if (lonely == group->count)
        evidence_add(group, "different channels: %sno %s%s waiting on any", state, partner,
                     known(judge));
    else
        evidence_add(group, "different channels: %sno %s%s waiting on %zu of %zu tasks' channels",
                     state, partner, known(judge), lonely, group->count);
}

#define MAX_FDS 3 /* of many that are told */

struct fd_row {
    uint64_t fd;
    const char *text; /* NULL: not known */
};

static int compare_fd_rows(const void *a, const void *b)
{
    const struct fd_row *left = a;
    const struct fd_row *right = b;
    if (left->fd != right->fd)
        return left->fd < right->fd ? -1 : 1;
    return (left->text == NULL) - (right->text == NULL);
}

/* "12 (tcp 127.0.0.1:80 -> 10.0.0.7:5123), 14 and 2 more", of sorted rows. Returns how many
 * descriptors these are. */
static size_t write_fds(FILE *out, const struct fd_row *rows, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        if (i && rows[i].fd == rows[i - 1].fd)
            continue;
        if (different++ >= MAX_FDS)
            continue;
        fprintf(out, "%s%" PRIu64, different > 1 ? ", " : "", rows[i].fd);
        if (rows[i].text)
            fprintf(out, " (%s)", rows[i].text);
    }
    if (different > MAX_FDS)
        fprintf(out, " and %zu more", different - MAX_FDS);
    return different;
}

/* The first ones of many descriptors, each with what it is. */
static void explain_many_fds(const struct judge *judge, struct group *group)
{
    const struct snapshot *snapshot = judge->snapshot;
    struct fd_row *rows = malloc(group->count * sizeof(*rows));
    char *text = NULL, plural[64];
    size_t bytes, count = 0;
    bool others = false;
    FILE *out = rows ? open_memstream(&text, &bytes) : NULL;
    if (!out) {
        free(rows);
        return;
    }
    for (size_t i = 0; i < group->count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[group->members[i]];
        struct object_look look = object_look_at(snapshot, judge->graph, group->members[i]);
        if (look.kind != REC_OBJECT_FD)
            continue;
        rows[count++] = (struct fd_row){look.address, look.text};
        others = others || (task->flags & SNAPSHOT_FDS && snapshot_extra(snapshot, task)->arg > 1);
    }
    qsort(rows, count, sizeof(*rows), compare_fd_rows);
    size_t different = write_fds(out, rows, count);
    if (fclose(out) == 0 && different)
        evidence_add(group, "%zu %s: %s%s, in %s", different,
                     names_plural("descriptor", different, plural), text,
                     others ? ", and more beside them" : "", group->call);
    free(text);
    free(rows);
}

/* How many of the tasks wait behind a deadlock that they are no part of. */
static void explain_blocked(const struct judge *judge, struct group *group)
{
    size_t count = 0;
    uint32_t behind = WAITGRAPH_NONE;
    for (size_t i = 0; i < group->count; i++) {
        uint32_t at = waitgraph_blocked(judge->graph, group->members[i]);
        if (at == WAITGRAPH_NONE)
            continue;
        count++;
        behind = behind == WAITGRAPH_NONE ? at : behind;
    }
    char who[64];
    if (count == 0)
        return;
    names_task(judge->snapshot, behind, who);
    if (count == group->count)
        evidence_add(group, "not part of the deadlock, but waiting behind it: behind %s", who);
    else
        evidence_add(group, "%zu of %zu wait behind a deadlock: behind %s", count, group->count,
                     who);
}

/* Whether another task waits on the other side of a case. Those that a task itself has there, in
 * the same select, do not count. */
static bool has_partner(const struct judge *judge, const struct snapshot_extra *member)
{
    const struct snapshot_case *cases = &judge->snapshot->cases[member->case_first];
    for (uint32_t k = 0; k < member->case_count; k++) {
        bool sends = cases[k].op == REC_OP_CHAN_SEND;
        uint32_t others =
            cases[k].object ? waiters_of(judge->waiters, REC_OBJECT_CHANNEL, cases[k].object, sends)
                            : 0;
        for (uint32_t i = 0; others && i < member->case_count; i++)
            others -=
                cases[i].object == cases[k].object && (cases[i].op == REC_OP_CHAN_SEND) != sends;
        if (others)
            return true;
    }
    return false;
}

static void explain_cases(const struct judge *judge, struct group *group)
{
    const struct snapshot *snapshot = judge->snapshot;
    uint32_t least = UINT32_MAX, most = 0;
    bool partners = false, all = true;
    for (size_t i = 0; i < group->count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[group->members[i]];
        const struct snapshot_extra *member = snapshot_extra(snapshot, task);
        uint32_t count = member->case_count;
        if (i == 0 && count == 0)
            return;
        all = all && snapshot_cases_given(snapshot, task) <= count;
        partners = partners || has_partner(judge, member);
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    char cases[64];
    if (least == most)
        snprintf(cases, sizeof(cases), "%s%" PRIu32 " case%s", all ? "" : "more than ", most,
                 most == 1 ? "" : "s");
    else
        snprintf(cases, sizeof(cases), "%" PRIu32 " to %s%" PRIu32 " cases", least,
                 all ? "" : "more than ", most);
    const char *seen = all ? "any" : "any that is known";
    if (partners)
        evidence_add(group, "%s, another task waiting on the other side of one", cases);
    else
        evidence_add(group, "%s, no task%s waiting on the other side of %s", cases, known(judge),
                     seen);
}

/* A goroutine that is locked to its thread keeps that from all others while it is parked. */
static void explain_locked(const struct judge *judge, struct group *group)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++)
        count += (judge->snapshot->tasks[group->members[i]].flags & SNAPSHOT_LOCKED) != 0;
    if (count == 0)
        return;
    if (count < group->count)
        evidence_add(group, "%zu of %zu are locked to their threads", count, group->count);
    else
        evidence_add(group, count == 1 ? "locked to its thread" : "each is locked to its thread");
}

/* What of the verdict others might change, of whom nothing is known: a proved one stands. */
static void explain_loss(const struct judge *judge, struct group *group)
{
    uint64_t lost = snapshot_lost_tasks(judge->snapshot);
    bool proved = group->verdict == VERDICT_LEAKED || group->verdict == VERDICT_DEADLOCKED;
    if (lost == 0 || group->verdict == VERDICT_WAITING)
        return;
    evidence_add(group, "%" PRIu64 " %s %s: others may wait here too%s%s", lost,
                 lost == 1 ? "task" : "tasks",
                 is_recorded(judge)
                     ? lost == 1 ? "was lost to the recording" : "were lost to the recording"
                     : "could not be read",
                 proved ? "" : ", or be the ones to wake ",
                 proved              ? ""
                 : group->count == 1 ? "it"
                                     : "these");
}

void evidence_add_object(const struct judge *judge, struct group *group)
{
    if (!group->wait)
        return;
    if (group->verdict != VERDICT_DEADLOCKED && group->object != REC_OBJECT_NONE) {
        if (group->same_object) {
            struct object_look look =
                object_look_at(judge->snapshot, judge->graph, group->members[0]);
            for (size_t i = 0; i < sizeof(explainers) / sizeof(explainers[0]); i++) {
                if (explainers[i].kind == look.kind)
                    explainers[i].explain(judge, group, &look);
            }
        } else if (group->object == REC_OBJECT_CHANNEL) {
            explain_many_channels(judge, group);
        } else if (group->object == REC_OBJECT_FD) {
            explain_many_fds(judge, group);
        } else {
            char counters[EVIDENCE_LOCK_BYTES];
            evidence_add(group, "on different objects (%s)%s", snapshot_object_name(group->object),
                         evidence_counters(judge, group, counters));
        }
    }
    evidence_add_holders(judge, group);
    explain_cases(judge, group);
    evidence_add_cases(judge, group);
    explain_locked(judge, group);
    explain_blocked(judge, group);
    explain_loss(judge, group);
}
