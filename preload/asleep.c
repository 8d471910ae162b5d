#include "preload/asleep.h"

#include <gnu/libc-version.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "preload/adapter_go.h"
#include "preload/call_rows.h"
#include "preload/go_module.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/recorder.h"

#define LOCK_FRAMES 3 /* of a stack: libc waits in a function of its own */

static struct module_range own, libc;   /* `own`: what this library sleeps in is nobody's wait */
static uint64_t lock_start, lock_bytes; /* of pthread_mutex_lock */
static struct call_rows rows;
static uint16_t lock_row; /* 0: not made yet */

static bool is_within(const struct module_range *module, uint64_t pc)
{
    return pc >= module->start && pc < module->end;
}

void asleep_init(const void *mutex_lock)
{
    module_find((uint64_t)&asleep_init, &own);
    module_find((uint64_t)&gnu_get_libc_version, &libc); /* which nobody puts his own in place of */
    lock_start = (uint64_t)mutex_lock;
    lock_bytes = is_within(&libc, lock_start) ? module_symbol_bytes(mutex_lock) : 0;
}

void asleep_reset(void)
{
    memset(&rows, 0, sizeof(rows));
    lock_row = 0;
}

bool asleep_is_libcs(uint64_t pc)
{
    return is_within(&libc, pc);
}

static bool may_tell(const struct blocked_call *call)
{
    if (adapter_go_is_program() || call->number < 0 || call->pc == 0 || is_within(&own, call->pc))
        return false;
    /* Asked also where nothing is told: adapter_go.c knows of a library by this. */
    if (!asleep_is_libcs(call->pc) && go_module_has(call->pc))
        return false;
    /* What an ioctl waits for, and how long at most, only its device knows: many are idle waits. */
    return call->number != SYS_ioctl && recorder_options.classes == REC_CLASS_ALL;
}

bool asleep_is_told(const struct blocked_call *call, struct rec_asleep *ret)
{
    struct mem_reader memory = memory_reader();
    struct thread_call what;
    if (call->running || !may_tell(call))
        return false;
    thread_call_read(call->number, call->args, &memory, &what);
    if (what.op == REC_OP_NONE)
        return false;
    *ret = (struct rec_asleep){
        .call = call_rows_get(&rows, call->number, &what, 0),
        .wait_flags =
            (uint16_t)((what.deadline ? REC_WAIT_DEADLINE : 0) | (what.fds ? REC_WAIT_FDS : 0) |
                       (what.timeout == SO_SNDTIMEO ? REC_WAIT_SENDS : 0)),
        .object = what.object,
        .arg = what.arg,
    };
    return ret->call != 0;
}

static bool is_in_lock(const struct unwind_stack *stack)
{
    for (size_t i = 1; i < stack->count && i < LOCK_FRAMES; i++)
        if (stack->pcs[i] - 1 - lock_start < lock_bytes)
            return true;
    return false;
}

void asleep_name_lock(const struct unwind_stack *stack, struct rec_asleep *told)
{
    if (recorder.calls[told->call].op != REC_OP_FUTEX_WAIT || !is_in_lock(stack))
        return;
    if (lock_row == 0)
        lock_row = (uint16_t)recorder_add_call("pthread_mutex_lock", REC_OP_MUTEX_LOCK, 0);
    if (lock_row != 0)
        told->call = lock_row;
}
