/* Rows of REC_TABLE_CALLS for system calls, made when one is first met. */
#ifndef LEAKSPY_CALL_ROWS_H
#define LEAKSPY_CALL_ROWS_H

#include <stdint.h>

#include "preload/goscan/system_calls.h"

#define MAX_CALL_ROWS 512

/* By number of the call, the last one for all others; 0: not made yet. All zero for a new
 * recording. */
struct call_rows {
    uint16_t rows[MAX_CALL_ROWS + 1];
};

/* The row of the system call `number` (not negative), which `call` describes, with `flags` (enum
 * rec_call_flag). 0: no room (counted). Who looks at tasks, in one thread. */
uint16_t call_rows_get(struct call_rows *rows, int64_t number, const struct thread_call *call,
                       uint16_t flags);

#endif
