#include "preload/go_calls.h"

#include <string.h>

#include "preload/blocked.h"
#include "preload/recorder.h"

#define MOST_NUMBERS 512
#define ASK_MOST 256 /* threads in one scan: each costs some microseconds */

/* By number of the call, the last one for all others; 0: not made yet. */
static uint16_t rows[MOST_NUMBERS + 1];
static uint32_t first, met; /* of those that the scan meets: which are asked begin there */

void go_calls_reset(void)
{
    memset(rows, 0, sizeof(rows));
    first = met = 0;
}

void go_calls_begin(void)
{
    first = first + ASK_MOST < met ? first + ASK_MOST : 0;
    met = 0;
}

bool go_calls_turn(void)
{
    uint32_t number = met++;
    return number >= first && number - first < ASK_MOST;
}

bool go_calls_read(struct mem_reader *memory, uint32_t tid, struct thread_call *ret,
                   uint16_t *ret_row)
{
    struct blocked_call call;
    if (tid == 0 || !blocked_call(recorder.header->pid, tid, &call) || call.running ||
        call.number < 0)
        return false;
    thread_call_read(call.number, call.args, memory, ret);
    uint16_t *row = &rows[call.number < MOST_NUMBERS ? call.number : MOST_NUMBERS];
    if (*row == 0)
        *row = (uint16_t)recorder_add_call(ret->name != NULL ? ret->name : "syscall", ret->op,
                                           REC_CALL_SYSTEM);
    *ret_row = *row;
    return *row != 0;
}
