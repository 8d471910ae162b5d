#include "preload/go_calls.h"

#include <string.h>

#include "preload/blocked.h"
#include "preload/call_rows.h"
#include "preload/recorder.h"
#include "preload/turns.h"

#define MAX_ASKED_THREADS 256 /* threads in one scan: each costs some microseconds */

static struct call_rows rows;
static struct turns turns; /* of those in system calls */

void go_calls_reset(void)
{
    memset(&rows, 0, sizeof(rows));
    turns = (struct turns){0};
}

void go_calls_begin(void)
{
    turns_begin(&turns, MAX_ASKED_THREADS);
}

bool go_calls_turn(void)
{
    return turns_meet(&turns, MAX_ASKED_THREADS);
}

bool go_calls_read(struct mem_reader *memory, uint32_t tid, struct thread_call *ret,
                   uint16_t *ret_row)
{
    struct blocked_call call;
    if (tid == 0 || !blocked_call(recorder.header->pid, tid, &call) || call.running ||
        call.number < 0)
        return false;
    thread_call_read(call.number, call.args, memory, ret);
    *ret_row = call_rows_get(&rows, call.number, ret, REC_CALL_SYSTEM);
    return *ret_row != 0;
}
