/* Of a recording whose tasks were found by looking into their runtime: what has to be made of the
 * runtime's own numbers and texts, once all tables are read. */
#ifndef LEAKSPY_ANALYZER_RECORDING_SCANNED_TASKS_H
#define LEAKSPY_ANALYZER_RECORDING_SCANNED_TASKS_H

#include <stdbool.h>

#include "analyzer/snapshot/snapshot.h"

/* Gives tasks that are not goroutines ids that no goroutine has: those go by the numbers that their
 * runtime gave them. False: no memory. */
bool scanned_tasks_number(struct snapshot *snapshot);

/* task.labels is where the task's labels stand in the recording's strings; makes sets of them.
 * False: no memory. */
bool scanned_tasks_label(struct snapshot *snapshot);

#endif
