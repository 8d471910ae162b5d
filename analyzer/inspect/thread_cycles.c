#include "analyzer/inspect/thread_cycles.h"

#include <stdlib.h>
#include <time.h>

#include "analyzer/base/clock.h"
#include "analyzer/snapshot/waitgraph.h"

/* How long all stopped threads together may take to get back to their calls. */
#define ALL_BACK_NS UINT64_C(50000000)
#define PAUSE_NS 500000 /* between two looks at one that is not */

/* A thread in a cycle, or behind one. */
struct member {
    struct thread_wait *wait;
    struct snapshot_task *task;
    struct image_thread seen; /* before the holders were read */
    bool stands;
};

static bool waits_for_a_thread(const struct thread_wait *wait)
{
    return wait->look.thread.parked && wait->is_lock &&
           ((wait->has_owner && wait->owner) || wait->lock.op == REC_OP_THREAD_JOIN);
}

/* Those that were not seen to stand still when they were told may do so now: each is asked. */
static bool find_members(struct thread_waits *waits, struct snapshot *snapshot, size_t first,
                         struct member *members, size_t *ret_count)
{
    struct waitgraph graph;
    size_t index = first;
    for (size_t i = 0; i < waits->count && index < snapshot->task_count; i++) {
        if (waits->rows[i].look.thread.ended)
            continue;
        struct snapshot_task *task = &snapshot->tasks[index++];
        if (task->flags & SNAPSHOT_PARKED)
            task->flags |= SNAPSHOT_SETTLED;
    }
    if (!waitgraph_init(&graph, snapshot))
        return false;
    index = first;
    for (size_t i = 0; i < waits->count && index < snapshot->task_count; i++) {
        struct thread_wait *wait = &waits->rows[i];
        if (wait->look.thread.ended)
            continue;
        struct snapshot_task *task = &snapshot->tasks[index];
        if (waitgraph_cycle(&graph, index) != WAITGRAPH_NONE ||
            waitgraph_blocked(&graph, index) != WAITGRAPH_NONE)
            members[(*ret_count)++] = (struct member){.wait = wait, .task = task};
        else if (!wait->settled)
            task->flags &= (uint16_t)~SNAPSHOT_SETTLED;
        index++;
    }
    waitgraph_deinit(&graph);
    return true;
}

/* Whether it is where it was when it was told. One that was stopped for its stack ran for that, and
 * may be on its way back still. */
static bool is_where_told(struct image *image, struct member *member, uint64_t until_ns)
{
    const struct thread_look *look = &member->wait->look;
    struct image_thread *now = &member->seen;
    for (;;) {
        *now = look->thread;
        if (!image->functions->look(image, now))
            return false;
        if (now->parked || !look->stopped || clock_ns(CLOCK_MONOTONIC) > until_ns)
            break;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    return !thread_wait_has_run(member->wait, now) &&
           image_thread_is_parked_alike(&look->thread, now);
}

/* Whether it did not run since is_where_told. */
static bool stood_still(struct image *image, const struct member *member)
{
    struct image_thread now = member->seen;
    return image->functions->look(image, &now) &&
           image_thread_is_parked_alike(&member->seen, &now) &&
           now.switches == member->seen.switches;
}

/* The order is the proof: nobody who passes both looks ran while any of the holders was read. */
static void prove(struct thread_waits *waits, struct member *members, size_t count)
{
    uint64_t until_ns = clock_ns(CLOCK_MONOTONIC) + ALL_BACK_NS;
    for (size_t i = 0; i < count; i++)
        members[i].stands = is_where_told(waits->image, &members[i], until_ns);
    for (size_t i = 0; i < count; i++)
        members[i].stands = members[i].stands && thread_wait_owner_is_same(waits, members[i].wait);
    for (size_t i = 0; i < count; i++)
        members[i].stands = members[i].stands && stood_still(waits->image, &members[i]);
}

bool thread_cycles_prove(struct thread_waits *waits, struct snapshot *snapshot, size_t first)
{
    bool any = false;
    for (size_t i = 0; i < waits->count && !any; i++)
        any = waits_for_a_thread(&waits->rows[i]);
    if (!any)
        return true;
    struct member *members = calloc(waits->count, sizeof(*members));
    size_t count = 0;
    bool ok = members && find_members(waits, snapshot, first, members, &count);
    if (ok)
        prove(waits, members, count);
    for (size_t i = 0; ok && i < count; i++) {
        struct snapshot_task *task = members[i].task;
        if (members[i].stands)
            continue;
        task->flags &= (uint16_t)~SNAPSHOT_SETTLED;
        if (task->detail_flags & REC_DETAIL_OWNER) {
            task->detail_flags &= (uint16_t)~REC_DETAIL_OWNER;
            task->detail_a = 0;
        }
    }
    free(members);
    return ok;
}
