#include "preload/asleep.h"

#include <gnu/libc-version.h>
#include <string.h>
#include <sys/socket.h>

#include "preload/adapter_go.h"
#include "preload/call_rows.h"
#include "preload/memory.h"
#include "preload/modules.h"
#include "preload/recorder.h"

static struct module_range libc;
static struct call_rows rows;

void asleep_init(void)
{
    module_find((uint64_t)&gnu_get_libc_version, &libc); /* which nobody puts his own in place of */
}

void asleep_reset(void)
{
    memset(&rows, 0, sizeof(rows));
}

static bool may_tell(const struct blocked_call *call)
{
    return recorder_options.classes == REC_CLASS_ALL && !adapter_go_is_program() &&
           call->number >= 0 && call->pc >= libc.start && call->pc < libc.end;
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
