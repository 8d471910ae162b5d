#include "tests/unit/preload/waiting_here.h"

#include "tests/unit/preload/recording_here.h"

struct rec_task *here_slot;

static uint16_t call_of(uint64_t object)
{
    return (uint16_t)(object * 7);
}

static uint32_t arg_of(uint64_t object)
{
    return (uint32_t)(object * 31 + 5);
}

static uint16_t flags_of(uint64_t object)
{
    return (uint16_t)((object ^ 0x55) &
                      ~(REC_WAIT_RESTORED | REC_WAIT_PASSING | REC_WAIT_PASSING_COUNTED));
}

bool here_belongs_together(const struct rec_task *task)
{
    return task->call == call_of(task->object) && task->arg == arg_of(task->object) &&
           (task->wait_flags & ~REC_WAIT_RESTORED) == flags_of(task->object);
}

struct parts_wait here_what(uint64_t object)
{
    return (struct parts_wait){call_of(object), flags_of(object), arg_of(object), object};
}

void here_call(void *function)
{
    (*(void (**)(void))function)();
}

void here_park(struct rec_task *task, uint64_t object, void (*meanwhile)(void))
{
    const struct parts_wait what = here_what(object);
    parts_park(task, &what, meanwhile != NULL ? here_call : NULL, &meanwhile);
}

void here_assert_waits_on(uint64_t object)
{
    assert_int_not_equal(here_slot->gen, 0);
    assert_int_equal(here_slot->object, object);
    assert_int_equal(here_slot->call, call_of(object));
    assert_int_equal(here_slot->arg, arg_of(object));
    assert_int_equal(here_slot->wait_flags & ~REC_WAIT_RESTORED, flags_of(object));
}
