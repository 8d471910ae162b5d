#include "preload/kernel_sleep.h"

#include "preload/asleep.h"
#include "preload/blocked.h"
#include "preload/recorder.h"

static bool is_passing(const struct rec_task *copy)
{
    return copy->gen == 0 && copy->wait_flags & REC_WAIT_PASSING;
}

/* In what it sleeps. False: it does not, or not in what is told. */
static bool find_sleep(const struct rec_task *copy, struct kernel_sleep *ret)
{
    struct blocked_call call;
    if (!blocked_call(OWN_PROCESS, copy->os_tid, &call))
        return false;
    if (is_passing(copy) && blocked_is_in_lock(&call, copy->object, copy->cfa)) {
        ret->flags = REC_DETAIL_PASSING;
        ret->key = rec_passing_key(copy);
        return true;
    }
    if (copy->gen != 0 || !asleep_is_told(&call, &ret->told))
        return false;
    ret->flags = REC_DETAIL_PASSING | REC_DETAIL_ASLEEP;
    ret->key = rec_asleep_key(copy);
    ret->pc = call.pc;
    ret->sp = call.sp;
    return true;
}

static bool is_same_sleep(const struct kernel_sleep *a, const struct kernel_sleep *b)
{
    return a->key == b->key && a->flags == b->flags && a->pc == b->pc && a->sp == b->sp;
}

/* As if the thread had published what it is asleep in. */
static void take_told(struct rec_task *copy, const struct kernel_sleep *sleep)
{
    copy->call = sleep->told.call;
    copy->wait_flags = sleep->told.wait_flags;
    copy->object = sleep->told.object;
    copy->arg = sleep->told.arg;
}

uint32_t kernel_sleep_find(const struct rec_task *task, struct rec_task *ret_copy,
                           struct kernel_sleep *ret)
{
    struct kernel_sleep before = {0};
    *ret = (struct kernel_sleep){0};
    recorder_copy(task, ret_copy);
    if (!find_sleep(ret_copy, &before))
        return 0; /* as nearly always */
    uint32_t number = blocked_sleeps(OWN_PROCESS, ret_copy->os_tid);
    recorder_copy(task, ret_copy);
    /* Between two times that the kernel counts the same: that is the sleep which is counted. The
     * one before may have been another, in the same call. */
    if (!find_sleep(ret_copy, ret) || !is_same_sleep(&before, ret) ||
        blocked_sleeps(OWN_PROCESS, ret_copy->os_tid) != number)
        return 0;
    ret->number = number;
    if (ret->flags & REC_DETAIL_ASLEEP)
        take_told(ret_copy, ret);
    return number;
}

/* To ask once will do: it sleeps, and has not gone to sleep since. */
bool kernel_sleep_goes_on(const struct rec_task *task, const struct kernel_sleep *sleep)
{
    struct rec_task copy;
    struct kernel_sleep now = {0};
    recorder_copy(task, &copy);
    return find_sleep(&copy, &now) && is_same_sleep(sleep, &now) &&
           blocked_sleeps(OWN_PROCESS, copy.os_tid) == sleep->number;
}

bool kernel_sleep_note(const struct rec_task *task, const struct rec_task *copy,
                       struct kernel_sleep *sleep)
{
    static struct unwind_stack stack;
    unwind_asleep(sleep->pc, sleep->sp, &stack);
    asleep_name_lock(&stack, &sleep->told);
    sleep->told.task = copy->id;
    sleep->told.wait = sleep->number;
    return recorder_put_asleep(task, &sleep->told);
}

bool kernel_sleep_is_told(const struct rec_task *task, struct rec_task *ret_copy,
                          struct kernel_sleep *ret)
{
    const uint16_t told = REC_DETAIL_PASSING | REC_DETAIL_WAITS;
    *ret = (struct kernel_sleep){0};
    recorder_copy(task, ret_copy);
    if ((ret_copy->detail_flags & told) != told || ret_copy->gen != 0 ||
        (ret_copy->wait_site == 0 && !(ret_copy->detail_flags & REC_DETAIL_NO_STACK)) ||
        !find_sleep(ret_copy, ret) || ret->key != ret_copy->detail_b ||
        blocked_sleeps(OWN_PROCESS, ret_copy->os_tid) != ret_copy->seen_gen)
        return false;
    ret->number = ret_copy->seen_gen;
    ret->lost = ret->flags & ~ret_copy->detail_flags & REC_DETAIL_ASLEEP;
    if (ret->flags & REC_DETAIL_ASLEEP && !ret->lost) {
        take_told(ret_copy, ret);
        ret_copy->call = recorder.asleep[task - recorder.tasks].call;
    }
    return true;
}
