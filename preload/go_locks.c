#include "preload/go_locks.h"

#include "preload/go_table.h"
#include "preload/recorder.h"
#include "preload/turns.h"

static struct turns turns; /* of known waits in semaphores */

void go_locks_reset(void)
{
    turns = (struct turns){0};
}

void go_locks_begin(void)
{
    turns_begin(&turns, GO_LOCKS_A_LOOK);
}

bool go_locks_wanted(const struct go_goroutine *it, struct go_lock_place *ret, void *unused)
{
    (void)unused;
    if (!turns_meet(&turns, GO_LOCKS_A_LOOK))
        return false;
    const struct go_row *row = go_table_row(it->g);
    if (row == NULL || row->task == 0 || row->lock == GO_LOCK_UNKNOWN || row->lock == GO_LOCK_NONE)
        return false;
    *ret = (struct go_lock_place){recorder.tasks[row->task].object, (enum go_lock)row->lock};
    return ret->address != 0;
}

uint16_t go_locks_describe(const struct rec_task *task, const struct go_goroutine *it,
                           uint32_t *ret_a, uint32_t *ret_b)
{
    /* What was read without the stack, of a wait that then turns out to be new, was wanted for the
     * one before. */
    bool others = task->gen == 0 && it->stack == NULL;
    *ret_a = *ret_b = 0;
    if (!it->words.asked || others) {
        uint16_t kept = task->detail_flags & REC_DETAIL_LOCK_WORDS;
        *ret_a = kept ? task->detail_a : 0;
        *ret_b = kept ? task->detail_b : 0;
        return kept;
    }
    if (!it->words.known)
        return 0;
    *ret_a = (uint32_t)it->words.state;
    *ret_b = (uint32_t)it->words.leaving;
    return REC_DETAIL_LOCK_WORDS;
}
