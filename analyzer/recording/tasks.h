/* The tasks of a recording. */
#ifndef LEAKSPY_ANALYZER_RECORDING_TASKS_H
#define LEAKSPY_ANALYZER_RECORDING_TASKS_H

#include <stdbool.h>

#include "analyzer/recording/reader.h"

/* Adds all tasks to the snapshot, and says in reader->scanned whether any was found by looking into
 * its runtime. Their references are not checked. False: see reader->err. */
bool recording_read_tasks(struct recording_reader *reader);

#endif
