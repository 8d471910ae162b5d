/* The tables of a recording that its tasks and its header refer to. */
#ifndef LEAKSPY_ANALYZER_RECORDING_TABLES_H
#define LEAKSPY_ANALYZER_RECORDING_TABLES_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzer/recording/reader.h"

/* Reads the tables that tasks refer to into the snapshot. The tasks were read before: what they
 * name is there by then. False: see reader->err. */
bool recording_read_tables(struct recording_reader *reader);

/* Drops references of tasks to rows that are not there. */
void recording_check_references(struct snapshot *snapshot);

/* A string of the table, which was read; one that is not there is lost, and empty. */
const char *recording_string(struct snapshot *snapshot, uint32_t offset);

#endif
