#include "analyzer/verdict/rules_idle.h"

#include <string.h>

#include "analyzer/base/text.h"
#include "analyzer/verdict/evidence.h"

bool idle_system(const struct judge *judge, uint32_t index)
{
    return (judge_task(judge, index)->flags & SNAPSHOT_SYSTEM) ||
           judge_op(judge, index) == REC_OP_IDLE;
}

void idle_explain_system(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "%s to the runtime itself: parked while there is nothing to do",
                 group->count == 1 ? "it belongs" : "they belong");
}

static const struct wait *wait_of(const struct judge *judge, uint32_t index)
{
    return &judge->waits->rows[judge->waits->of_task[index]];
}

bool idle_by_stack(const struct judge *judge, uint32_t index)
{
    return wait_of(judge, index)->idle_because != NULL;
}

void idle_explain_stack(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "an idle wait that is expected: %s", group->wait->idle_because);
}

bool idle_input(const struct judge *judge, uint32_t index)
{
    const uint16_t both = REC_DETAIL_ASLEEP | REC_DETAIL_INPUT;
    return judge_op(judge, index) == REC_OP_IO_WAIT &&
           (judge_task(judge, index)->detail_flags & both) == both;
}

void idle_explain_input(const struct judge *judge, struct group *group)
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

bool idle_poller(const struct judge *judge, uint32_t index)
{
    static const char *const pollers[] = {
        "accept",         "accept4",      "epoll_wait",    "epoll_pwait", "epoll_pwait2",
        "io_uring_enter", "io_getevents", "io_pgetevents", "poll",        "ppoll",
        "select",         "pselect",      "pselect6",
    };
    const struct snapshot_task *task = judge_task(judge, index);
    if (judge_op(judge, index) != REC_OP_IO_WAIT)
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

void idle_explain_poller(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "an idle wait that is expected: %s waits for whatever comes next",
                 group->call);
}

bool idle_polls_nothing_known(const struct judge *judge, uint32_t index)
{
    const struct snapshot_task *task = judge_task(judge, index);
    return (task->flags & SNAPSHOT_FDS) && snapshot_extra(judge->snapshot, task)->arg == 0 &&
           !strstr(judge->snapshot->calls[task->call].name, "io_uring") &&
           idle_poller(judge, index);
}

void idle_explain_nothing_known(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group,
                 "taken for an idle wait: %s waits for nothing that is known; if it is given "
                 "nothing, only a signal can end it",
                 group->call);
}

bool idle_signal(const struct judge *judge, uint32_t index)
{
    return judge_op(judge, index) == REC_OP_SIGNAL_WAIT;
}

void idle_explain_signal(const struct judge *judge, struct group *group)
{
    (void)judge;
    evidence_add(group, "an idle wait that is expected: for a signal from outside");
}
