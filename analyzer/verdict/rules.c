#include "analyzer/verdict/rules.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/base/text.h"

static const struct snapshot_task *task_at(const struct judge *judge, uint32_t index)
{
    return &judge->snapshot->tasks[index];
}

static unsigned op_of(const struct judge *judge, uint32_t index)
{
    return judge->snapshot->calls[task_at(judge, index)->call].number;
}

static bool is_past(const struct judge *judge, uint32_t index)
{
    return verdict_is_past(task_at(judge, index), judge->options->threshold_ns);
}

static bool is_finished(const struct judge *judge, uint32_t index)
{
    return task_at(judge, index)->flags & SNAPSHOT_FINISHED;
}

/* Where a task was spawned, or the function that it began in, as far as it reads the same. */
static struct table_key spawn_place(const struct judge *judge, const struct snapshot_task *task)
{
    return (struct table_key){judge->waits->same_site[task->spawn_site], 0};
}

/* A loop joins the threads that a loop started, in order: those that ended early are next. */
static bool sibling_is_joined(const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = task_at(judge, index);
    return is_finished(judge, index) && task->spawn_site &&
           judge->snapshot->end == SNAPSHOT_RUNNING &&
           table_find(&judge->joined_sites, spawn_place(judge, task));
}

static void explain_sibling(const struct judge *judge, struct group *group)
{
    bool only_start = judge->snapshot->sites[group->spawn_site].flags & SNAPSHOT_SITE_START;
    evidence_add(group, "ended and not joined yet, while a thread that %s is being joined",
                 only_start ? "began in the same function" : "was started at the same place");
}

static const char *joined_later(const struct judge *judge, uint32_t index)
{
    return is_finished(judge, index) ? judge->waits->joined_later[task_at(judge, index)->spawn_site]
                                     : NULL;
}

static bool is_joined_later(const struct judge *judge, uint32_t index)
{
    return judge->joined_later == index;
}

static void explain_joined_later(const struct judge *judge, struct group *group)
{
    evidence_add(group, "ended and not joined yet: %s", joined_later(judge, group->members[0]));
}

/* A recording says of a thread that ended unseen nothing but that; of a process, nobody knows when
 * it was. */
static bool ended_lately(const struct judge *judge, uint32_t index)
{
    bool known = task_at(judge, index)->parked_ns != SNAPSHOT_AGE_UNKNOWN ||
                 judge->snapshot->source != SNAPSHOT_RECORDING;
    return is_finished(judge, index) && judge->snapshot->end == SNAPSHOT_RUNNING && known &&
           !is_past(judge, index);
}

static void explain_unjoined(const struct judge *judge, struct group *group)
{
    const char *which = group->count == 1 ? "a joinable thread" : "joinable threads";
    if (judge->snapshot->end == SNAPSHOT_RUNNING)
        evidence_add(group, "%s that ended, and nobody has joined or detached %s", which,
                     group->count == 1 ? "it" : "them");
    else
        evidence_add(group, "%s that ended, and nobody joined or detached %s before the process %s",
                     which, group->count == 1 ? "it" : "them",
                     judge->snapshot->end == SNAPSHOT_EXEC ? "executed another program" : "ended");
    if (group->oldest_ns == SNAPSHOT_AGE_UNKNOWN && judge->snapshot->source != SNAPSHOT_RECORDING)
        evidence_add(group, "nobody knows when %s ended", group->count == 1 ? "it" : "they");
    evidence_add(group, "%s and what is left of %s descriptor stay in memory until then",
                 group->count == 1 ? "its stack" : "their stacks",
                 group->count == 1 ? "its" : "their");
}

static bool is_in_cycle(const struct judge *judge, uint32_t index)
{
    return waitgraph_cycle(judge->graph, index) != WAITGRAPH_NONE;
}

static bool is_system(const struct judge *judge, uint32_t index)
{
    return (task_at(judge, index)->flags & SNAPSHOT_SYSTEM) || op_of(judge, index) == REC_OP_IDLE;
}

static void explain_system(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "%s to the runtime itself: parked while there is nothing to do",
                 group->count == 1 ? "it belongs" : "they belong");
}

static const struct wait *wait_of(const struct judge *judge, uint32_t index)
{
    return &judge->waits->rows[judge->waits->of_task[index]];
}

static bool is_idle_by_stack(const struct judge *judge, uint32_t index)
{
    const char *because = wait_of(judge, index)->idle_because;
    return because != NULL;
}

static void explain_idle(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "an idle wait that is expected: %s", group->wait->idle_because);
}

static bool is_abandoned(const struct judge *judge, const struct group *group)
{
    return task_at(judge, group->members[0])->flags & SNAPSHOT_ABANDONED;
}

static const char *abandoned(const struct group *group)
{
    return group->count == 1 ? "its runtime has stopped while it was parked: it will not run again"
                             : "their runtime has stopped while they were parked: they will not "
                               "run again";
}

static bool has_deadline(const struct judge *judge, uint32_t index)
{
    return (task_at(judge, index)->flags & SNAPSHOT_DEADLINE) ||
           op_of(judge, index) == REC_OP_SLEEP;
}

static void explain_deadline(const struct judge *judge, struct group *group)
{
    const char *have = group->count == 1 ? "it has" : "they have";
    /* All that is known of a call which the kernel took up again: only such ones are. */
    if (group->call && strcmp(group->call, "restart_syscall") == 0) {
        evidence_add(group, "an interrupted call with a timeout");
        return;
    }
    if (is_abandoned(judge, group)) {
        evidence_add(group, "%s a deadline; but %s", have, abandoned(group));
        return;
    }
    /* Not what the task does: it may wait so again and again. */
    evidence_add(group, "%s a deadline: %s", have,
                 group->count == 1 ? "this wait ends by itself" : "these waits end by themselves");
}

static bool has_only_nil_cases(const struct judge *judge, const struct snapshot_task *task)
{
    const struct snapshot_extra *extra = snapshot_extra(judge->snapshot, task);
    for (uint32_t i = 0; i < extra->case_count; i++) {
        if (judge->snapshot->cases[extra->case_first + i].object)
            return false;
    }
    return extra->case_count > 0;
}

/* Whether all cases of a select were recorded, and for the wait that it is in now: as many as the
 * call was given. */
static bool has_all_cases(const struct judge *judge, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_SETTLED) && snapshot_extra(judge->snapshot, task)->case_count ==
                                                   snapshot_cases_given(judge->snapshot, task);
}

/* A select with no case at all, or with none of a channel. A task gives the call the number of its
 * cases; of a goroutine it counts only where they were read. */
static bool has_no_case(const struct judge *judge, const struct snapshot_task *task)
{
    const struct snapshot_extra *extra = snapshot_extra(judge->snapshot, task);
    bool known = task->kind == REC_KIND_TASK || (task->flags & SNAPSHOT_CASES_KNOWN);
    return known && (task->flags & SNAPSHOT_SETTLED) && extra->arg == 0 && extra->case_count == 0;
}

/* A channel that is none, or a select over nothing but such. Of a goroutine the runtime's own words
 * say so; of a task, the object that it gave the call; of a select, its cases. */
static bool waits_on_nothing(const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = task_at(judge, index);
    const char *reason = judge->snapshot->calls[task->call].name;
    unsigned op = op_of(judge, index);
    if (strstr(reason, "(nil chan)") || strstr(reason, "(no cases)"))
        return true;
    if (op == REC_OP_SELECT)
        return has_no_case(judge, task) ||
               (has_all_cases(judge, task) && has_only_nil_cases(judge, task));
    if (task->kind != REC_KIND_TASK)
        return false;
    return (op == REC_OP_CHAN_SEND || op == REC_OP_CHAN_RECEIVE) && task->object == 0;
}

static void explain_nothing(const struct judge *judge, struct group *group)
{
    bool select = strstr(group->op, "select") != NULL;
    (void)judge;
    evidence_add(group,
                 select ? "the select has no case that could ever be ready: nothing can wake it"
                        : "the channel is nil: no other task can ever use it, nothing can wake it");
}

/* Its runtime's collector has looked: what still runs leads to nothing that could wake it. */
static bool is_unreachable(const struct judge *judge, uint32_t index)
{
    return task_at(judge, index)->detail_flags & REC_DETAIL_LEAKED;
}

static void explain_unreachable(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group,
                 group->count == 1
                     ? "Go's collector found that nothing that runs can reach what it waits on: "
                       "nothing can wake it"
                     : "Go's collector found that nothing that runs can reach what they wait on: "
                       "nothing can wake them");
}

/* libc reads standard input for a line: whatever comes next. What the program itself reads from
 * there may be one answer. */
static bool reads_input(const struct judge *judge, uint32_t index)
{
    const uint16_t both = REC_DETAIL_ASLEEP | REC_DETAIL_INPUT;
    return op_of(judge, index) == REC_OP_IO_WAIT &&
           (task_at(judge, index)->detail_flags & both) == both;
}

static void explain_input(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "an idle wait that is expected: for what comes on its standard input");
}

/* A descriptor from which nothing but events is read, of whatever may happen. */
static bool is_queue_of_events(const struct judge *judge, const struct snapshot_task *task)
{
    static const char *const queues[] = {"signalfd", "inotify"};
    uint32_t row = snapshot_extra(judge->snapshot, task)->object_text;
    const char *text = row ? judge->snapshot->object_texts[row] : NULL;
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        if (text && strcmp(text, queues[i]) == 0)
            return true;
    }
    return false;
}

/* Who polls the connection to one peer, and nothing else, waits for that one's answer, as in recv:
 * clients of databases do it. */
static bool polls_connection(const struct judge *judge, const struct snapshot_task *task)
{
    return (task->flags & SNAPSHOT_FDS) && snapshot_extra(judge->snapshot, task)->arg == 1 &&
           (task->detail_flags & REC_DETAIL_CONNECTED);
}

static bool is_poller(const struct judge *judge, uint32_t index)
{
    static const char *const pollers[] = {
        "accept",         "accept4",      "epoll_wait",    "epoll_pwait", "epoll_pwait2",
        "io_uring_enter", "io_getevents", "io_pgetevents", "poll",        "ppoll",
        "select",         "pselect",      "pselect6",
    };
    const struct snapshot_task *task = task_at(judge, index);
    if (op_of(judge, index) != REC_OP_IO_WAIT)
        return false;
    if (task->detail_flags & REC_DETAIL_LISTENING || is_queue_of_events(judge, task))
        return true;
    if (polls_connection(judge, task) || wait_of(judge, index)->for_answer)
        return false;
    const char *call;
    size_t length = text_plain_function(judge->snapshot->calls[task->call].name, &call);
    for (size_t i = 0; i < sizeof(pollers) / sizeof(pollers[0]); i++) {
        if (strncmp(call, pollers[i], length) == 0 && pollers[i][length] == '\0')
            return true;
    }
    return false;
}

static void explain_poller(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "an idle wait that is expected: %s waits for whatever comes next",
                 group->call);
}

/* A poll or select in which no descriptor was found: there is none, or they could not be read. A
 * ring that was registered has a number instead. */
static bool polls_nothing_known(const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = task_at(judge, index);
    return (task->flags & SNAPSHOT_FDS) && snapshot_extra(judge->snapshot, task)->arg == 0 &&
           !strstr(judge->snapshot->calls[task->call].name, "io_uring") && is_poller(judge, index);
}

static void explain_nothing_known(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group,
                 "taken for an idle wait: %s waits for nothing that is known; if it is given "
                 "nothing, only a signal can end it",
                 group->call);
}

static bool waits_for_signal(const struct judge *judge, uint32_t index)
{
    return op_of(judge, index) == REC_OP_SIGNAL_WAIT;
}

static void explain_signal(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "an idle wait that is expected: for a signal from outside");
}

static bool is_fresh(const struct judge *judge, uint32_t index)
{
    return snapshot_is_fresh(judge->snapshot, task_at(judge, index));
}

static void explain_fresh(const struct judge *judge, struct group *group)
{
    if (group->past_threshold && group->unknown_age == group->count)
        evidence_add(group, "nobody knows since when: another look will tell whether it lasts");
    else if (group->past_threshold)
        evidence_add(group, "begun only just now: another look will tell whether it lasts");
    else
        evidence_add_threshold(judge, group);
}

static bool is_below_threshold(const struct judge *judge, uint32_t index)
{
    return !is_past(judge, index);
}

/* The task that `index` joins, when it is in the snapshot. */
static uint32_t joined_by(const struct judge *judge, uint32_t index)
{
    if (!waitgraph_is_join(judge->snapshot, task_at(judge, index)))
        return WAITGRAPH_NONE;
    return waitgraph_next(judge->graph, index);
}

static bool joins_one_that_goes_on(const struct judge *judge, uint32_t index)
{
    uint32_t target = joined_by(judge, index);
    if (target == WAITGRAPH_NONE)
        return false;
    uint8_t rule = judge->rule_of_task[target];
    return rule == RULE_NONE || rules[rule].verdict == VERDICT_WAITING ||
           rules[rule].verdict == VERDICT_UNJOINED;
}

static bool always(const struct judge *judge, uint32_t index)
{
    (void)judge;
    (void)index;
    return true;
}

static void explain_stuck(const struct judge *judge, struct group *group)
{
    evidence_add_threshold(judge, group);
    if (is_abandoned(judge, group))
        evidence_add(group, "%s", abandoned(group));
}

const struct verdict_rule rules[] = {
    {VERDICT_WAITING, false, sibling_is_joined, explain_sibling},
    {VERDICT_WAITING, false, ended_lately, explain_unjoined},
    {VERDICT_WAITING, false, is_joined_later, explain_joined_later},
    {VERDICT_UNJOINED, false, is_finished, explain_unjoined},
    {VERDICT_DEADLOCKED, false, is_in_cycle, evidence_add_cycles},
    {VERDICT_WAITING, false, is_system, explain_system},
    {VERDICT_WAITING, false, is_idle_by_stack, explain_idle},
    {VERDICT_WAITING, false, reads_input, explain_input},
    {VERDICT_WAITING, false, has_deadline, explain_deadline},
    {VERDICT_LEAKED, false, waits_on_nothing, explain_nothing},
    {VERDICT_LEAKED, false, is_unreachable, explain_unreachable},
    {VERDICT_WAITING, false, polls_nothing_known, explain_nothing_known},
    {VERDICT_WAITING, false, is_poller, explain_poller},
    {VERDICT_WAITING, false, waits_for_signal, explain_signal},
    {VERDICT_WAITING, true, is_fresh, explain_fresh},
    {VERDICT_WAITING, true, is_below_threshold, explain_stuck},
    {VERDICT_WAITING, false, joins_one_that_goes_on, NULL},
    {VERDICT_STUCK, true, always, explain_stuck},
};
enum { LAST_RULE = sizeof(rules) / sizeof(rules[0]) - 1 };

bool rules_go_by_age(uint8_t rule)
{
    return rule != RULE_NONE && rules[rule].by_age;
}

static uint8_t first_that_fits(const struct judge *judge, uint32_t index)
{
    if (!(task_at(judge, index)->flags & (SNAPSHOT_PARKED | SNAPSHOT_FINISHED)))
        return RULE_NONE;
    uint8_t rule = 0;
    while (!rules[rule].fits(judge, index))
        rule++;
    return rule;
}

/* Judges a task after the one that it joins: along the chain to its end, and back. A chain that
 * comes back to itself (one whose cycle is not proved) is cut where it was entered. */
static void judge_chain(struct judge *judge, uint32_t start, uint8_t *judged, uint32_t *path)
{
    size_t depth = 0;
    for (uint32_t at = start; at != WAITGRAPH_NONE && !judged[at]; at = joined_by(judge, at)) {
        judged[at] = 1;
        path[depth++] = at;
    }
    while (depth) {
        uint32_t at = path[--depth];
        judge->rule_of_task[at] = first_that_fits(judge, at);
    }
}

static bool note_joined_sites(struct judge *judge)
{
    for (uint32_t i = 0; i < judge->snapshot->task_count; i++) {
        uint32_t target = joined_by(judge, i);
        if (target == WAITGRAPH_NONE || task_at(judge, target)->spawn_site == 0)
            continue;
        uint32_t *value =
            table_at(&judge->joined_sites, spawn_place(judge, task_at(judge, target)));
        if (!value)
            return false;
        *value = 1;
    }
    return true;
}

static void note_joined_later(struct judge *judge)
{
    judge->joined_later = WAITGRAPH_NONE;
    for (uint32_t i = 0; i < judge->snapshot->task_count; i++) {
        if (!joined_later(judge, i))
            continue;
        if (judge->joined_later != WAITGRAPH_NONE) {
            judge->joined_later = WAITGRAPH_NONE;
            return;
        }
        judge->joined_later = i;
    }
}

bool rules_judge(struct judge *judge)
{
    size_t count = judge->snapshot->task_count;
    uint8_t *judged = calloc(count + 1, 1);
    uint32_t *path = malloc((count + 1) * sizeof(*path));
    bool ok = judged && path && note_joined_sites(judge);
    if (ok) {
        note_joined_later(judge);
        memset(judge->rule_of_task, LAST_RULE, count);
        for (uint32_t i = 0; i < count; i++)
            judge_chain(judge, i, judged, path);
    }
    free(judged);
    free(path);
    return ok;
}
