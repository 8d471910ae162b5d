/* Which system calls a thread may be stopped in. */
#ifndef LEAKSPY_ANALYZER_PROCESS_CALLS_H
#define LEAKSPY_ANALYZER_PROCESS_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether a system call goes on, as if nothing had been, when its thread is stopped and let go.
 * False where that is not known. */
bool process_call_survives_stop(pid_t pid, pid_t tid, int64_t call, const uint64_t args[6]);

#endif
