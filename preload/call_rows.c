#include "preload/call_rows.h"

#include "preload/recorder.h"

#define NO_ROOM UINT16_MAX

uint16_t call_rows_get(struct call_rows *rows, int64_t number, const struct thread_call *call,
                       uint16_t flags)
{
    uint16_t *row = &rows->rows[number < MAX_CALL_ROWS ? number : MAX_CALL_ROWS];
    if (*row == 0)
        *row = (uint16_t)recorder_add_call(call->name != NULL ? call->name : "syscall", call->op,
                                           flags);
    if (*row == 0)
        *row = NO_ROOM; /* counted once */
    return *row != NO_ROOM ? *row : 0;
}
