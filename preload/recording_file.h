/* The file of the recording that this process writes: made, begun, ended. It tells of the own
 * process, or, where leakspy records from outside, of another one. What makes up a recording of the
 * own process besides its file is begun and ended by recorder.c. */
#ifndef LEAKSPY_RECORDING_FILE_H
#define LEAKSPY_RECORDING_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "preload/place.h"
#include "preload/recorder.h"

/* The process that the recording tells of. */
struct recorded_process {
    uint32_t pid, parent_pid;
    const char *proc; /* "/proc/self", "/proc/1234" */
};

/* Makes the file and maps it, points `recorder` to it, and fills the header but for its state,
 * which says that the recording is not complete yet. `fork_child`: as for place_create. Returns 0,
 * or a negative errno value, which was said with VERBOSE. One thread at a time; async-signal-safe.
 */
int recording_file_make(const struct recorded_process *process, bool fork_child,
                        char path[PLACE_ROOM]);

/* Marks the recording RUNNING; its tables are filled. */
void recording_file_begin(const char *path);

/* Writes how the process ended. The first call counts. */
void recording_file_end(enum rec_state state, int exit_code);

/* Whoever still writes to the recording's memory shall not reach the file any more.
 * `may_make_file`: whether memfd_create and madvise are permitted. */
void recording_file_detach(bool may_make_file);

/* Forgets the recording. Its memory is left as it is. */
void recording_file_forget(void);

#endif
