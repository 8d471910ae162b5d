#include "analyzer/verdict/evidence_object.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analyzer/base/text.h"
#include "analyzer/verdict/evidence.h"
#include "analyzer/verdict/rules.h"

static struct table_key waiters_key(enum rec_object kind, uint64_t object, bool receives)
{
    return (struct table_key){object, (uint64_t)kind * 2 + receives};
}

/* What will be asked of the waiters. To count those of every object would take a table as large as
 * that of the tasks, where each of a million waits on a channel of its own. */
struct questions {
    struct table *objects; /* has a row for each object that is asked for by itself */
    bool channels[2];      /* those who send to any channel are asked for; who receive */
};

static bool ask_for_object(struct questions *questions, const struct object_look *look)
{
    return table_at(questions->objects, waiters_key(look->kind, look->address, false)) &&
           table_at(questions->objects, waiters_key(look->kind, look->address, true));
}

/* Whoever is on the other side of some case. Only of a group whose tasks select. */
static void ask_for_partners(struct questions *questions, const struct snapshot *snapshot,
                             const struct group *group)
{
    if (snapshot_extra(snapshot, &snapshot->tasks[group->members[0]])->case_count == 0)
        return;
    for (size_t i = 0; i < group->count; i++) {
        const struct snapshot_extra *member =
            snapshot_extra(snapshot, &snapshot->tasks[group->members[i]]);
        for (uint32_t k = 0; k < member->case_count; k++)
            questions->channels[snapshot->cases[member->case_first + k].op == REC_OP_CHAN_SEND] =
                true;
    }
}

static bool sends(const struct snapshot *snapshot, const struct group *group)
{
    return snapshot->calls[group->wait->call].number == REC_OP_CHAN_SEND;
}

/* What evidence_add_object will ask. */
static bool ask(struct questions *questions, const struct judge *judge, const struct group *group)
{
    if (!group->wait)
        return true;
    ask_for_partners(questions, judge->snapshot, group);
    if (group->object == REC_OBJECT_CHANNEL && !group->same_object)
        questions->channels[sends(judge->snapshot, group)] = true;
    struct object_look look = evidence_look_at(judge->snapshot, judge->graph, group->members[0]);
    return !group->same_object || ask_for_object(questions, &look);
}

static bool count_one(struct questions *questions, enum rec_object kind, uint64_t object,
                      bool receives)
{
    struct table_key key = waiters_key(kind, object, receives);
    bool any = kind == REC_OBJECT_CHANNEL && questions->channels[receives];
    uint32_t *value = any ? table_at(questions->objects, key) : table_find(questions->objects, key);
    if (value)
        ++*value;
    return value || !any;
}

/* Tasks this far ahead are fetched: many tasks wait on as many objects. */
#define AHEAD 12

static void fetch_waiters(const struct snapshot *snapshot, const struct snapshot_task *task,
                          const struct table *waiters, bool other_side)
{
    if (!(task->flags & SNAPSHOT_PARKED) || task->object == 0)
        return;
    unsigned op = snapshot->calls[task->call].number;
    bool receives = (op == REC_OP_CHAN_RECEIVE) != other_side;
    table_prefetch(waiters, waiters_key(snapshot_op_object(op), task->object, receives));
}

/* ---- Goroutines and their threads ---- */

/* What a task waits on, by its thread. b 0: on nothing, or it has no thread. */
static struct table_key wait_of_thread(const struct snapshot *snapshot,
                                       const struct snapshot_task *task)
{
    uint64_t os_tid = snapshot_extra(snapshot, task)->os_tid;
    if (os_tid == 0 || task->object == 0 || !(task->flags & SNAPSHOT_PARKED))
        return (struct table_key){0, 0};
    enum rec_object kind = snapshot_op_object(snapshot->calls[task->call].number);
    return (struct table_key){task->object, os_tid << 32 | kind};
}

/* A goroutine in a system call and its thread, which is told as well, are one that waits: takes
 * back what was counted twice. */
static bool count_once(const struct snapshot *snapshot, struct table *waiters)
{
    struct table threads;
    bool ok = table_init(&threads, 64);
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind != REC_KIND_THREAD)
            continue;
        struct table_key key = wait_of_thread(snapshot, task);
        ok = key.b == 0 || table_at(&threads, key);
    }
    for (size_t i = 0; ok && i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (task->kind != REC_KIND_GOROUTINE)
            continue;
        struct table_key key = wait_of_thread(snapshot, task);
        if (key.b == 0 || !table_find(&threads, key))
            continue;
        enum rec_object kind = snapshot_op_object(snapshot->calls[task->call].number);
        uint32_t *value = table_find(waiters, waiters_key(kind, task->object, false));
        if (value && *value > 1)
            --*value;
    }
    table_deinit(&threads);
    return ok;
}

bool evidence_count_waiters(const struct judge *judge, const struct group *groups, size_t count,
                            struct table *ret)
{
    const struct snapshot *snapshot = judge->snapshot;
    struct questions questions = {.objects = ret};
    bool by_threads = false; /* some goroutine has one, and may wait by it */
    for (size_t i = 0; i < count; i++) {
        if (!ask(&questions, judge, &groups[i]))
            return false;
    }
    for (size_t i = 0; i < snapshot->task_count; i++) {
        const struct snapshot_task *task = &snapshot->tasks[i];
        if (i + AHEAD < snapshot->task_count)
            fetch_waiters(snapshot, task + AHEAD, ret, false);
        if (!(task->flags & SNAPSHOT_PARKED))
            continue;
        unsigned op = snapshot->calls[task->call].number;
        enum rec_object kind = snapshot_op_object(op);
        if (snapshot_has_object(task, kind) &&
            !count_one(&questions, kind, task->object, op == REC_OP_CHAN_RECEIVE))
            return false;
        const struct snapshot_extra *extra = snapshot_extra(snapshot, task);
        by_threads = by_threads || (task->kind == REC_KIND_GOROUTINE && extra->os_tid);
        for (uint32_t k = 0; k < extra->case_count; k++) {
            const struct snapshot_case *row = &snapshot->cases[extra->case_first + k];
            if (row->object && !count_one(&questions, REC_OBJECT_CHANNEL, row->object,
                                          row->op == REC_OP_CHAN_RECEIVE))
                return false;
        }
    }
    return !by_threads || count_once(snapshot, ret);
}

static uint32_t waiters(const struct judge *judge, enum rec_object kind, uint64_t object,
                        bool receive)
{
    const uint32_t *value = table_find(&judge->waiters, waiters_key(kind, object, receive));
    return value ? *value : 0;
}

bool evidence_waiters(const struct verdicts *verdicts, const struct snapshot *snapshot,
                      const struct group *group, uint32_t task, bool receive, uint32_t *ret)
{
    const struct snapshot_task *row = &snapshot->tasks[task];
    unsigned op = snapshot->calls[row->call].number;
    bool other_side = op == (receive ? REC_OP_CHAN_SEND : REC_OP_CHAN_RECEIVE);
    if (row->object == 0 || !(group->same_object || other_side))
        return false;
    const uint32_t *value =
        table_find(&verdicts->waiters, waiters_key(REC_OBJECT_CHANNEL, row->object, receive));
    *ret = value ? *value : 0;
    return true;
}

/* What another task is doing: "which runs", "which is in cond wait for 12s". */
static const char *doing(const struct judge *judge, uint32_t index, char *to, size_t bytes)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[index];
    char age[32];
    if (task->flags & SNAPSHOT_FINISHED)
        snprintf(to, bytes, "which has ended");
    else if (!(task->flags & SNAPSHOT_PARKED))
        snprintf(to, bytes,
                 judge->snapshot->end == SNAPSHOT_RUNNING ? "which runs" : "which was not parked");
    else if (task->parked_ns == SNAPSHOT_AGE_UNKNOWN)
        snprintf(to, bytes, "which is in %s", judge->waits->rows[judge->waits->of_task[index]].op);
    else
        snprintf(to, bytes, "which is in %s for %s%s",
                 judge->waits->rows[judge->waits->of_task[index]].op,
                 text_duration(task->parked_ns, age),
                 task->flags & SNAPSHOT_AT_LEAST ? " or longer" : "");
    return to;
}

static bool is_recorded(const struct judge *judge)
{
    return judge->snapshot->source == SNAPSHOT_RECORDING;
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
    uint32_t senders = waiters(judge, REC_OBJECT_CHANNEL, look->address, false);
    uint32_t receivers = waiters(judge, REC_OBJECT_CHANNEL, look->address, true);
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
    evidence_plural("sender", senders ? senders : 1, plural[0]);
    evidence_plural("receiver", receivers ? receivers : 1, plural[1]);
    evidence_add(group, "channel %#" PRIx64 ": %s%s %s%s waiting, %s %s%s waiting", look->address,
                 buffer, number[0], plural[0], senders ? "" : known(judge), number[1], plural[1],
                 receivers ? "" : known(judge));
}

/* The thread on which the lock was taken that a task waits for. */
static const char *carrier_name(const struct judge *judge, uint32_t index, char to[64])
{
    const struct snapshot *snapshot = judge->snapshot;
    uint32_t thread = waitgraph_next(judge->graph, index);
    if (thread != WAITGRAPH_NONE && snapshot->tasks[thread].kind == REC_KIND_THREAD)
        return evidence_task_name(snapshot, thread, to);
    snprintf(to, 64, "the thread with the system's id %" PRIu32, snapshot->tasks[index].detail_a);
    return to;
}

static void explain_lock(const struct judge *judge, struct group *group,
                         const struct object_look *look)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[group->members[0]];
    uint32_t count = waiters(judge, look->kind, look->address, false);
    char object[64], who[64], what[128];
    evidence_object_name(look->kind, look->address, object);
    if (look->owner != WAITGRAPH_NONE)
        evidence_add(group, "%s: held by %s, %s; %" PRIu32 " waiting for it", object,
                     evidence_task_name(judge->snapshot, look->owner, who),
                     doing(judge, look->owner, what, sizeof(what)), count);
    else if (waitgraph_is_loose(judge->graph, group->members[0]))
        evidence_add(group,
                     "%s: locked on %s, on which a runtime runs its tasks: one of them holds it, "
                     "which may be elsewhere by now; %" PRIu32 " waiting for it",
                     object, carrier_name(judge, group->members[0], who), count);
    else if ((task->detail_flags & REC_DETAIL_OWNER) && task->detail_a)
        evidence_add(group,
                     "%s: held by the thread with the system's id %" PRIu32
                     ", which is none of this process: it has ended, %sor another process has "
                     "locked it; %" PRIu32 " waiting for it",
                     object, task->detail_a, is_recorded(judge) ? "was not recorded, " : "", count);
    else
        evidence_add(group, "%s: who holds it is not known; %" PRIu32 " waiting for it", object,
                     count);
}

static void explain_join(const struct judge *judge, struct group *group,
                         const struct object_look *look)
{
    char who[64], what[128];
    if (look->joined != WAITGRAPH_NONE)
        evidence_add(group, "joins %s, %s", evidence_task_name(judge->snapshot, look->joined, who),
                     doing(judge, look->joined, what, sizeof(what)));
    else
        evidence_add(group, "joins a %s (%#" PRIx64 ") that is not among those %s",
                     look->kind == REC_OBJECT_THREAD ? "thread" : "task", look->address,
                     is_recorded(judge) ? "recorded" : "read");
}

static void explain_waiters(const struct judge *judge, struct group *group,
                            const struct object_look *look)
{
    char object[64], plural[64];
    uint32_t count = waiters(judge, look->kind, look->address, false);
    evidence_plural("task", count, plural);
    evidence_add(group, "%s: %" PRIu32 " %s waiting",
                 evidence_object_name(look->kind, look->address, object), count, plural);
}

static void explain_fd(const struct judge *judge, struct group *group,
                       const struct object_look *look)
{
    const struct snapshot_task *task = &judge->snapshot->tasks[group->members[0]];
    char object[320];
    evidence_object_name(look->kind, look->address, object);
    if (look->text)
        snprintf(object + strlen(object), sizeof(object) - 64, " (%s)", look->text);
    uint32_t fds = snapshot_extra(judge->snapshot, task)->arg;
    if ((task->flags & SNAPSHOT_FDS) && fds > 1)
        evidence_add(group, "%s and %" PRIu32 " more, in %s", object, fds - 1, group->call);
    else
        evidence_add(group, "%s, in %s", object, group->call);
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
    bool sending = sends(judge->snapshot, group);

    for (size_t i = 0; i < group->count; i++) {
        if (i + AHEAD < group->count)
            fetch_waiters(judge->snapshot, &judge->snapshot->tasks[group->members[i + AHEAD]],
                          &judge->waiters, true);
        struct object_look look =
            evidence_look_at(judge->snapshot, judge->graph, group->members[i]);
        known_ones += look.has_channel;
        unbuffered += look.has_channel && look.capacity == 0;
        full += look.has_channel && look.capacity && look.length >= look.capacity;
        empty_ones += look.has_channel && look.capacity && look.length == 0;
        closed += look.closed;
        lonely += waiters(judge, REC_OBJECT_CHANNEL, look.address, sending) == 0;
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
    evidence_task_name(judge->snapshot, behind, who);
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
            cases[k].object ? waiters(judge, REC_OBJECT_CHANNEL, cases[k].object, sends) : 0;
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
                evidence_look_at(judge->snapshot, judge->graph, group->members[0]);
            for (size_t i = 0; i < sizeof(explainers) / sizeof(explainers[0]); i++) {
                if (explainers[i].kind == look.kind)
                    explainers[i].explain(judge, group, &look);
            }
        } else if (group->object == REC_OBJECT_CHANNEL) {
            explain_many_channels(judge, group);
        } else {
            evidence_add(group, "on different objects (%s)", snapshot_object_name(group->object));
        }
    }
    explain_cases(judge, group);
    explain_locked(judge, group);
    explain_blocked(judge, group);
    explain_loss(judge, group);
}
